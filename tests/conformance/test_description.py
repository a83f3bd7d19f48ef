"""The interface asked by schemathesis, by its description: well-formed questions and broken ones, from a fixed seed."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
import requests
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from emr.app import ROUTERS
from tests.conformance.description import KNOWN, Json, description
from tests.fhir.samples import observation, patient, put
from tests.house import HOA_SEN, House

CHECKS: list[CheckFunction] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
EACH = settings(
    max_examples=6,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
WELL_FORMED, BROKEN = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
PLACE: Json = {
    "slug": HOA_SEN,
    "patient": KNOWN,
    "study": "1.2.3",
    "series": "1.2.3.4",
    "instance": "1.2.3.4.5",
}


@pytest.fixture(scope="module")
def session(live: House) -> Iterator[requests.Session]:
    with requests.Session() as opened:
        opened.trust_env = False
        opened.headers["Authorization"] = f"Bearer {live.token()}"
        yield opened


@pytest.fixture(scope="module")
def fhir(live: House) -> schemathesis.BaseSchema:
    """The description of a hospital in which the known ids are there."""
    with live.client() as client:
        for each in (patient(), observation(KNOWN), ENCOUNTER, VALUE_SET):
            assert put(client, each | {"id": KNOWN}).status_code in (200, 201)
        statement: Json = client.get("/metadata").json()
    return schemathesis.openapi.from_dict(description(statement), config=schemathesis.Config())


ENCOUNTER: Json = {
    "resourceType": "Encounter",
    "status": "finished",
    "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
    "subject": {"reference": f"Patient/{KNOWN}"},
}
VALUE_SET: Json = {"resourceType": "ValueSet", "status": "active", "url": "urn:test:known-by-all"}


def ask(operation: Any, mode: schemathesis.GenerationMode, send: Callable[[Any], None]) -> None:
    """Every question that schemathesis makes up for an operation; those of one seed, the same each time."""
    EACH(given(case=operation.as_strategy(generation_mode=mode))(send))()


def troubles(operations: Iterable[Any], mode: schemathesis.GenerationMode, send: Callable[[Any], None]) -> Json:
    """By operation, what was wrong with the first answer that was wrong."""
    found: Json = {}
    for each in operations:
        try:
            ask(each, mode, send)
        except FailureGroup as wrong:
            found[each.label] = str(wrong)
    return found


def operations(schema: schemathesis.BaseSchema) -> list[Any]:
    return [each.ok() for each in schema.get_all_operations()]


class TestFhir:
    def test_what_is_well_formed_is_answered_as_described(
        self, live: House, fhir: schemathesis.BaseSchema, session: requests.Session
    ) -> None:
        seen: set[int] = set()

        def send(case: schemathesis.Case) -> None:
            answer = case.call(base_url=live.fhir(), session=session)
            seen.add(answer.status_code)
            case.validate_response(answer, checks=CHECKS)

        assert troubles(operations(fhir), WELL_FORMED, send) == {}
        assert seen >= {200, 201, 400, 404, 422}

    def test_what_is_broken_is_refused_as_described(
        self, live: House, fhir: schemathesis.BaseSchema, session: requests.Session
    ) -> None:
        """Operations read what they are given in one way, which their own tests break; here are the interactions."""

        def send(case: schemathesis.Case) -> None:
            case.validate_response(case.call(base_url=live.fhir(), session=session), checks=CHECKS)

        assert troubles((each for each in operations(fhir) if "$" not in each.path), BROKEN, send) == {}


class TestOwnDescription:
    """What FastAPI describes by itself: images over DICOMweb and the pages about them."""

    def test_nothing_that_is_asked_is_an_error_of_the_server(self, live: House, session: requests.Session) -> None:
        app = FastAPI()
        for router in ROUTERS:
            app.include_router(router)
        own = schemathesis.openapi.from_dict(app.openapi(), config=schemathesis.Config())

        def send(case: schemathesis.Case) -> None:
            case.path_parameters = {name: PLACE.get(name, value) for name, value in case.path_parameters.items()}
            answer = case.call(base_url=live.url, session=session)
            case.validate_response(answer, checks=[not_a_server_error])

        assert troubles(operations(own), WELL_FORMED, send) == {}
