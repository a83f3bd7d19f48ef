"""The CapabilityStatement says only what is true, and everything that it says is tried."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from emr.definitions.search import WORDS, parameters
from emr.definitions.validate import validate
from emr.fhir.patching import JSON_PATCH
from emr.kernel import json as strict
from tests.fhir.samples import FHIR, Json, bundle, entry, identifier, made, mark, patient, put, refusal
from tests.house import House

TYPES = (
    "Patient", "Observation", "Condition", "Encounter", "MedicationRequest", "AllergyIntolerance", "DocumentReference",
    "DiagnosticReport", "Organization", "ImagingStudy", "Immunization", "ValueSet",
)  # fmt: skip
VALUES = {
    "token": "urn:x|a", "string": "nguyen", "date": "ge2020-01-01", "reference": "Patient/a", "uri": "urn:x",
    "number": "7", "quantity": "5.4|http://unitsofmeasure.org|mmol/L",
}  # fmt: skip


@pytest.fixture(scope="module")
def statement(live: House) -> Json:
    answer = httpx.get(f"{live.fhir()}/metadata", trust_env=False)
    assert answer.status_code == 200
    found: Json = answer.json()
    return found


@pytest.fixture(scope="module")
def client(live: House) -> Iterator[httpx.Client]:
    with live.client() as opened:
        yield opened


def value(resource_type: str, parameter: Json) -> str:
    """Something that can be asked of a parameter."""
    known = parameters(resource_type)[parameter["name"]]
    if parameter["type"] != "composite":
        return VALUES[parameter["type"]]
    return "$".join(VALUES[each.kind] for each in known.composites[0].components)


def claimed(statement: Json, resource_type: str) -> Json:
    return next(each for each in statement["rest"][0]["resource"] if each["type"] == resource_type)


class TestStatement:
    def test_is_public_and_for_one_hospital(self, live: House, statement: Json) -> None:
        assert statement["implementation"]["url"] == live.fhir()
        assert httpx.get(f"{live.fhir('nowhere')}/metadata", trust_env=False).status_code == 404

    def test_is_a_valid_resource(self, statement: Json) -> None:
        assert validate(strict.loads(json.dumps(statement).encode()), expected_type="CapabilityStatement") == []

    def test_names_every_type_once(self, statement: Json) -> None:
        names = [each["type"] for each in statement["rest"][0]["resource"]]
        assert len(names) == len(set(names)) > 140

    def test_asks_for_json_only(self, live: House) -> None:
        answer = httpx.get(f"{live.fhir()}/metadata", headers={"Accept": "application/fhir+xml"}, trust_env=False)
        assert answer.status_code == 406


class TestModes:
    def test_full_and_normative_are_the_whole(self, live: House, statement: Json) -> None:
        for mode in ("full", "normative"):
            assert httpx.get(f"{live.fhir()}/metadata?mode={mode}", trust_env=False).json() == statement

    def test_terminology_is_another_resource(self, live: House) -> None:
        answer = httpx.get(f"{live.fhir()}/metadata?mode=terminology", trust_env=False)
        assert validate(strict.loads(answer.content), expected_type="TerminologyCapabilities") == []

    @pytest.mark.parametrize("query", ["mode=x", "foo=1"])
    def test_what_is_not_known_is_refused(self, live: House, query: str) -> None:
        answer = httpx.get(f"{live.fhir()}/metadata?{query}", trust_env=False)
        assert refusal(answer) in ((400, "mode-unknown", "mode"), (400, "parameter-unknown", "foo"))

    def test_is_not_sent_again_to_who_has_it(self, live: House) -> None:
        first = httpx.get(f"{live.fhir()}/metadata", trust_env=False)
        headers = {"If-None-Match": first.headers["etag"]}
        assert httpx.get(f"{live.fhir()}/metadata", headers=headers, trust_env=False).status_code == 304
        headers = {"If-None-Match": 'W/"another"'}
        assert httpx.get(f"{live.fhir()}/metadata", headers=headers, trust_env=False).status_code == 200


class TestInteractions:
    def test_every_claimed_one_works(self, client: httpx.Client, statement: Json) -> None:
        body = made(client, patient())
        address = f"/Patient/{body['id']}"
        tries: dict[str, Callable[[], httpx.Response]] = {
            "read": lambda: client.get(address),
            "vread": lambda: client.get(f"{address}/_history/1"),
            "update": lambda: put(client, body),
            "patch": lambda: client.patch(
                address, content='[{"op":"add","path":"/active","value":true}]', headers={"Content-Type": JSON_PATCH}
            ),
            "delete": lambda: client.delete(address),
            "history-instance": lambda: client.get(f"{address}/_history"),
            "history-type": lambda: client.get("/Patient/_history?_count=1"),
            "create": lambda: client.post("/Patient", content=json.dumps(patient()), headers=FHIR),
            "search-type": lambda: client.get("/Patient?_count=1"),
        }
        part = claimed(statement, "Patient")
        names = [each["code"] for each in part["interaction"]]
        assert sorted(names) == sorted(tries)
        for name in sorted(names, key=lambda name: name == "delete"):
            assert tries[name]().is_success, name

    def test_every_claimed_one_of_the_system_works(self, client: httpx.Client, statement: Json) -> None:
        tries: dict[str, Callable[[], httpx.Response]] = {
            "transaction": lambda: bundle(client, "transaction", entry("GET", "Patient?_count=1")),
            "batch": lambda: bundle(client, "batch", entry("GET", "Patient?_count=1")),
            "history-system": lambda: client.get("/_history?_count=1"),
            "search-system": lambda: client.get("/?_type=Patient&_count=1"),
        }
        names = [each["code"] for each in statement["rest"][0]["interaction"]]
        assert sorted(names) == sorted(tries)
        for name in names:
            assert tries[name]().status_code == 200, name
        for each in statement["rest"][0]["searchParam"]:
            asked = {"_type": "Patient,Observation", "_count": "1", each["name"]: VALUES[each["type"]]}
            assert client.get("/", params=asked).status_code == 200, each["name"]

    def test_what_is_said_of_conditions_holds(self, client: httpx.Client, statement: Json) -> None:
        part, one = claimed(statement, "Patient"), mark()
        body = json.dumps(patient(identifier=identifier(one)))
        condition = FHIR | {"If-None-Exist": f"identifier={one}"}
        assert part["conditionalCreate"] is True
        assert [client.post("/Patient", content=body, headers=condition).status_code for _ in range(2)] == [201, 200]
        assert part["updateCreate"] is True
        assert put(client, patient(id=one)).status_code == 201
        assert part["conditionalRead"] == "full-support"
        assert client.get(f"/Patient/{one}", headers={"If-None-Match": 'W/"1"'}).status_code == 304
        assert part["conditionalUpdate"] is True
        assert client.put(f"/Patient?identifier={one}", content=body, headers=FHIR).status_code == 200
        assert part["conditionalDelete"] == "single"
        assert client.delete(f"/Patient?identifier={one}").status_code == 204

    def test_every_operation_has_its_routes(self, client: httpx.Client, statement: Json) -> None:
        """Known by name at its level: a wrong call of it is never an unknown operation."""
        for part in (*statement["rest"][0]["resource"], statement["rest"][0]):
            for each in part.get("operation", ()):
                stem = f"/{part['type']}" if "type" in part else ""
                tries = [client.get(f"{stem}{place}/${each['name']}") for place in ("", "/x")[: 2 if stem else 1]]
                codes = [
                    answer.json()["issue"][0]["details"]["coding"][0]["code"] for answer in tries if answer.is_error
                ]
                assert len(codes) < len(tries) or set(codes) != {"operation-unknown"}, (stem, each["name"])


class TestSearches:
    @pytest.mark.parametrize("resource_type", TYPES)
    def test_every_claimed_parameter_is_answered(
        self, client: httpx.Client, statement: Json, resource_type: str
    ) -> None:
        wrong: list[Any] = []
        for each in claimed(statement, resource_type)["searchParam"]:
            asked = value(resource_type, each)
            answer = client.get(f"/{resource_type}", params={each["name"]: asked, "_count": "1"})
            if answer.status_code != 200:
                wrong.append((each["name"], answer.text))
        assert wrong == []

    @pytest.mark.parametrize("resource_type", TYPES)
    def test_every_claimed_include_is_answered(self, client: httpx.Client, statement: Json, resource_type: str) -> None:
        includes = claimed(statement, resource_type).get("searchInclude", ())
        answers = [client.get(f"/{resource_type}?_count=1&_include={each}").status_code for each in includes]
        assert set(answers) <= {200}

    @pytest.mark.parametrize("resource_type", ["Practitioner", "Encounter"])
    def test_claimed_includes_back_are_answered(
        self, client: httpx.Client, statement: Json, resource_type: str
    ) -> None:
        back = claimed(statement, resource_type)["searchRevInclude"][::7]
        answers = [client.get(f"/{resource_type}?_count=1&_revinclude={each}").status_code for each in back]
        assert set(answers) == {200}

    def test_every_date_and_string_sorts(self, client: httpx.Client, statement: Json) -> None:
        for each in claimed(statement, "Patient")["searchParam"]:
            answer = client.get(f"/Patient?_count=1&_sort={each['name']}")
            sorts = (each["type"] in ("date", "string") and each["name"] not in WORDS) or each["name"] == "_id"
            assert answer.status_code == (200 if sorts else 400), each["name"]
