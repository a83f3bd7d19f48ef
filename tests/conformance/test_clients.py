"""Clients of other makers against the service: fhirpy and fhirclient, with a bearer token, every warning an error."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from fhirclient.client import FHIRClient
from fhirclient.models import bundle as smart_bundle
from fhirclient.models import humanname, observation
from fhirclient.models import patient as smart_patient
from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import MultipleResourcesFound, OperationOutcome, ResourceNotFound

from tests.fhir.samples import entry, mark, patient
from tests.fhir.samples import observation as observed
from tests.house import House


@pytest.fixture
def fhirpy(live: House) -> SyncFHIRClient:
    return SyncFHIRClient(
        live.fhir(), authorization=f"Bearer {live.token()}", requests_config={"proxies": {"http": "", "https": ""}}
    )


@pytest.fixture
def smart(live: House) -> Iterator[FHIRClient]:
    made = FHIRClient(settings={"app_id": "tests", "api_base": live.fhir()})
    with contextlib.closing(requests.Session()) as session:
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {live.token()}"
        made.server.session.close()
        made.server.session = session
        yield made


class TestFhirpy:
    def test_writes_reads_changes_and_deletes(self, fhirpy: SyncFHIRClient) -> None:
        one = mark()
        person = fhirpy.resource(
            "Patient", **{name: value for name, value in patient().items() if name != "resourceType"}
        )
        person["name"][0]["family"] = one
        person.save()
        assert person["meta"]["versionId"] == "1"
        person["active"] = True
        person.save()
        again = fhirpy.reference("Patient", person["id"]).to_resource()
        assert (again["active"], again["meta"]["versionId"], again["name"][0]["family"]) == (True, "2", one)
        person.delete()
        with pytest.raises((ResourceNotFound, OperationOutcome)):
            fhirpy.reference("Patient", person["id"]).to_resource()

    def test_searches_counts_and_follows_pages(self, fhirpy: SyncFHIRClient) -> None:
        one = mark()
        for number in range(5):
            fhirpy.resource("Patient", name=[{"family": one}], birthDate=f"199{number}-01-01", gender="female").save()
        found = fhirpy.resources("Patient").search(family=one)
        assert found.count() == 5
        assert len(found.limit(2).fetch_all()) == 5
        assert len(found.limit(2).fetch()) == 2
        ordered = found.sort("-birthdate").fetch_all()
        assert [each["birthDate"][:4] for each in ordered] == ["1994", "1993", "1992", "1991", "1990"]
        assert found.search(birthdate__ge="1993").count() == 2
        first = fhirpy.resources("Patient").search(family=one, birthdate="1990").first()
        assert first is not None
        assert fhirpy.resources("Patient").search(family=one, birthdate="1990").get()["id"] == first["id"]

    def test_includes(self, fhirpy: SyncFHIRClient) -> None:
        person = fhirpy.resource("Patient", gender="male")
        person.save()
        note = fhirpy.resource("Observation", status="final", code={"text": "x"}, subject=person.to_reference())
        note.save()
        raw = fhirpy.resources("Observation").search(_id=note["id"]).include("Observation", "subject").fetch_raw()
        assert {each["resource"]["id"] for each in raw["entry"]} == {person["id"], note["id"]}

    def test_is_told_that_criteria_in_the_address_make_no_condition(self, fhirpy: SyncFHIRClient) -> None:
        """Its `get_or_create` is no interaction of R4; ignoring the criteria would store duplicates in silence."""
        body = fhirpy.resource("Patient", gender="male")
        with pytest.raises(OperationOutcome) as caught:
            fhirpy.resources("Patient").search(identifier=f"urn:test|{mark()}").get_or_create(body)
        assert "parameter-unknown" in str(caught.value)

    def test_runs_a_transaction(self, fhirpy: SyncFHIRClient) -> None:
        place = "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"
        made = fhirpy.resource(
            "Bundle",
            type="transaction",
            entry=[
                entry("POST", "Patient", patient(), full_url=place),
                entry("POST", "Observation", observed("x", subject={"reference": place})),
            ],
        )
        answer = fhirpy.execute("", method="post", data=made.serialize())
        assert [each["response"]["status"] for each in answer["entry"]] == ["201 Created"] * 2

    def test_is_told_in_an_outcome_what_is_wrong(self, fhirpy: SyncFHIRClient) -> None:
        with pytest.raises(OperationOutcome) as caught:
            fhirpy.resource("Patient", gender="nam").save()
        assert "gender" in str(caught.value)

    def test_changes_with_the_version_that_it_has_seen(self, fhirpy: SyncFHIRClient) -> None:
        person = fhirpy.resource("Patient", gender="male")
        person.save()
        body: dict[str, Any] = person.serialize()
        for expected in (200, 412):
            with contextlib.ExitStack() as stack:
                if expected == 412:
                    stack.enter_context(pytest.raises(MultipleResourcesFound))
                fhirpy.extra_headers = {"If-Match": 'W/"1"'}
                fhirpy.execute(f"Patient/{person['id']}", method="put", data=body)


class TestFhirclient:
    def test_reads_the_capability_statement(self, smart: FHIRClient) -> None:
        statement = smart.server.capabilityStatement
        assert statement.fhirVersion == "4.0.1"
        assert len(statement.rest[0].resource) > 140

    def test_writes_reads_changes_and_deletes(self, smart: FHIRClient) -> None:
        person = smart_patient.Patient()
        person.name = [humanname.HumanName({"family": "Đặng", "given": ["Thị Thử"]})]
        person.birthDate = None
        made = person.create(smart.server)
        read = smart_patient.Patient.read(made["id"], smart.server)
        assert (read.name[0].family, read.meta.versionId) == ("Đặng", "1")
        read.active = True
        assert read.update(smart.server)["meta"]["versionId"] == "2"
        read.delete(smart.server)
        with pytest.raises(Exception, match="410"):
            smart_patient.Patient.read(made["id"], smart.server)

    def test_searches_and_follows_pages(self, smart: FHIRClient) -> None:
        one = mark()
        for _ in range(5):
            smart_patient.Patient(patient(name=[{"family": one}])).create(smart.server)
        search = smart_patient.Patient.where({"family": one, "_count": "2"})
        assert len(list(search.perform_resources_iter(smart.server))) == 5
        pages = list(search.perform_iter(smart.server))
        first = pages[0]
        assert [len(page.entry) for page in pages] == [2, 2, 1]
        assert isinstance(first.entry[0].resource, smart_patient.Patient)

    def test_runs_a_transaction(self, smart: FHIRClient) -> None:
        place = "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"
        body = {
            "resourceType": "Bundle",
            "type": "transaction",
            "entry": [
                entry("POST", "Patient", patient(), full_url=place),
                entry("POST", "Observation", observed("x", subject={"reference": place})),
            ],
        }
        made = smart_bundle.Bundle(body)
        answer = smart_bundle.Bundle(smart.server.post_json("", made.as_json()).json())
        note = answer.entry[1].response.location.split("/")[1]
        read = observation.Observation.read(note, smart.server)
        assert read.subject.reference == "/".join(answer.entry[0].response.location.split("/")[:2])

    def test_what_is_stored_fits_its_own_models(self, smart: FHIRClient) -> None:
        found = next(iter(observation.Observation.where({"_count": "20"}).perform_iter(smart.server)))
        assert found.type == "searchset"
        for each in found.entry or ():
            assert each.resource.as_json()["resourceType"] == "Observation"
