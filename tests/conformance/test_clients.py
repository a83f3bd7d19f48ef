"""Clients of other makers against the service: fhirpy and fhirclient, with a bearer token, every warning an error."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from fhirclient._utils import iter_pages
from fhirclient.client import FHIRClient
from fhirclient.models import bundle as smart_bundle
from fhirclient.models import humanname, observation, operationoutcome, valueset
from fhirclient.models import patient as smart_patient
from fhirclient.models.fhirelementfactory import FHIRElementFactory
from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import MultipleResourcesFound, OperationOutcome, ResourceNotFound

from tests.fhir.samples import Json, entry, mark, patient
from tests.fhir.samples import observation as observed
from tests.house import House

SEVERAL: tuple[Json, ...] = (
    {
        "resourceType": "Condition",
        "subject": {"reference": "PERSON"},
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "38341003"}], "text": "Tăng huyết áp"},
        "onsetDateTime": "2020-05",
        "clinicalStatus": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]
        },
    },
    {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"text": "Amoxicillin 500 mg"},
        "subject": {"reference": "PERSON"},
        "dosageInstruction": [
            {
                "timing": {"repeat": {"frequency": 3, "period": 1, "periodUnit": "d"}},
                "doseAndRate": [{"doseQuantity": {"value": 1.5, "unit": "viên"}}],
            }
        ],
    },
    {
        "resourceType": "Encounter",
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": {"reference": "PERSON"},
        "period": {"start": "2026-01-05T08:00:00+07:00", "end": "2026-01-05T08:20:00+07:00"},
    },
    {
        "resourceType": "AllergyIntolerance",
        "clinicalStatus": {
            "coding": [
                {"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}
            ]
        },
        "patient": {"reference": "PERSON"},
        "code": {"text": "Penicillin"},
        "reaction": [{"manifestation": [{"text": "Phát ban"}], "severity": "mild"}],
    },
)


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

    def test_asks_over_references_both_ways(self, fhirpy: SyncFHIRClient) -> None:
        one = mark()
        person = fhirpy.resource("Patient", name=[{"family": one}])
        person.save()
        note = fhirpy.resource("Observation", status="final", code={"text": one}, subject=person.to_reference())
        note.save()
        notes, people = fhirpy.resources("Observation"), fhirpy.resources("Patient")
        assert [each["id"] for each in notes.search(subject__Patient__family=one).fetch_all()] == [note["id"]]
        assert [each["id"] for each in notes.search(patient=person).fetch_all()] == [note["id"]]
        has = people.has("Observation", "patient", code__text=one)
        assert [each["id"] for each in has.fetch_all()] == [person["id"]]
        back = people.search(_id=person["id"]).revinclude("Observation", "subject").fetch_raw()
        assert [each["search"]["mode"] for each in back["entry"]] == ["match", "include"]
        assert set(people.search(_id=person["id"]).elements("name").get()) == {"resourceType", "id", "meta", "name"}

    def test_updates_patches_and_deletes_what_criteria_find(self, fhirpy: SyncFHIRClient) -> None:
        number = f"urn:test:number|{mark()}"
        found = fhirpy.resources("Patient").search(identifier=number)
        system, _, value = number.partition("|")
        body = fhirpy.resource("Patient", identifier=[{"system": system, "value": value}], gender="male")
        made, new = found.update(body)
        assert new
        again, new = found.update(fhirpy.resource("Patient", **body.serialize() | {"active": True}))
        assert (again["id"], again["meta"]["versionId"], new) == (made["id"], "2", False)
        assert found.delete() == (None, 204)
        assert found.fetch_all() == []

    def test_creates_once_by_a_header(self, fhirpy: SyncFHIRClient) -> None:
        value = mark()
        fhirpy.extra_headers = {"If-None-Exist": f"identifier=urn:test:number|{value}"}
        bodies = [patient(identifier=[{"system": "urn:test:number", "value": value}])] * 2
        answers = [fhirpy.execute("Patient", method="post", data=each) for each in bodies]
        assert answers[0]["id"] == answers[1]["id"]

    def test_patches_by_paths_and_is_told_that_half_a_resource_is_no_patch(self, fhirpy: SyncFHIRClient) -> None:
        """Its own `patch` sends members to be merged, which R4 does not have (http.html#patch)."""
        person = fhirpy.resource("Patient", gender="male")
        person.save()
        with pytest.raises(OperationOutcome, match="resourceType"):
            person.patch(active=True)
        replace = {"type": "valueCode", "path": "valueString", "value": "valueCode"}
        values = {"type": "replace", "path": "Patient.gender", "value": "female"}
        parts = [{"name": name, replace[name]: value} for name, value in values.items()]
        body = {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": parts}]}
        assert fhirpy.execute(f"Patient/{person['id']}", method="patch", data=body)["gender"] == "female"

    def test_reads_again_only_what_has_changed(self, fhirpy: SyncFHIRClient) -> None:
        person = fhirpy.resource("Patient", gender="male")
        person.save()
        same = fhirpy.reference("Patient", person["id"]).to_resource()
        person["active"] = True
        person.save()
        assert same.refresh()["meta"]["versionId"] == "2"
        assert same.refresh()["active"] is True

    def test_reads_histories(self, fhirpy: SyncFHIRClient) -> None:
        person = fhirpy.resource("Patient", gender="male")
        person.save()
        person.delete()
        answer = fhirpy.execute(f"Patient/{person['id']}/_history", method="get")
        assert [each["request"]["method"] for each in answer["entry"]] == ["DELETE", "POST"]

    def test_calls_operations(self, fhirpy: SyncFHIRClient) -> None:
        person = fhirpy.resource("Patient", gender="male")
        person.save()
        note = fhirpy.resource("Observation", status="final", code={"text": "x"}, subject=person.to_reference())
        note.save()
        whole = person.execute("$everything", method="get")
        assert [each["resource"]["id"] for each in whole["entry"]] == [person["id"], note["id"]]
        assert person.is_valid()
        assert not fhirpy.resource("Patient", gender="nam").is_valid()
        url = "http://hl7.org/fhir/ValueSet/administrative-gender"
        expanded = fhirpy.resources("ValueSet").execute("$expand", method="get", params={"url": url})
        assert len(expanded["expansion"]["contains"]) == 4

    def test_reads_the_capability_statement(self, fhirpy: SyncFHIRClient) -> None:
        assert fhirpy.execute("metadata", method="get")["fhirVersion"] == "4.0.1"


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

    def test_pages_of_histories_and_of_everything_fit_its_models(self, smart: FHIRClient) -> None:
        person = smart_patient.Patient.read(smart_patient.Patient(patient()).create(smart.server)["id"], smart.server)
        for active in (True, False):
            person.active = active
            person.update(smart.server)
        first = smart_bundle.Bundle.read_from(f"Patient/{person.id}/_history?_count=2", smart.server)
        pages = list(iter_pages(first, smart.server))
        assert [each.resource.meta.versionId for page in pages for each in page.entry] == ["3", "2", "1"]
        whole = smart_bundle.Bundle.read_from(f"Patient/{person.id}/$everything?_count=1", smart.server)
        assert [each.resource.id for page in iter_pages(whole, smart.server) for each in page.entry] == [person.id]

    def test_is_told_of_a_version_that_has_moved(self, smart: FHIRClient) -> None:
        person = smart_patient.Patient(smart_patient.Patient(patient()).create(smart.server))
        smart.server.session.headers["If-Match"] = 'W/"1"'
        person.active = True
        assert person.update(smart.server)["meta"]["versionId"] == "2"
        person.active = False
        with pytest.raises(requests.HTTPError) as caught:
            person.update(smart.server)
        said = operationoutcome.OperationOutcome(caught.value.response.json())
        assert (caught.value.response.status_code, said.issue[0].code) == (412, "conflict")

    def test_outcomes_fit_its_model(self, smart: FHIRClient) -> None:
        with pytest.raises(requests.HTTPError) as caught:
            smart.server.post_json("Patient", patient(gender="nam"))
        said = operationoutcome.OperationOutcome(caught.value.response.json())
        assert (said.issue[0].severity, said.issue[0].expression) == ("error", ["Patient.gender"])
        judged = smart.server.post_json("Patient/$validate", patient(gender="nam")).json()
        assert operationoutcome.OperationOutcome(judged).issue[0].expression == ["Patient.gender"]

    def test_value_sets_expand_into_its_model(self, smart: FHIRClient) -> None:
        path = "ValueSet/$expand?url=http://hl7.org/fhir/ValueSet/administrative-gender"
        assert len(valueset.ValueSet.read_from(path, smart.server).expansion.contains) == 4

    @pytest.mark.parametrize("resource", SEVERAL, ids=lambda each: each["resourceType"])
    def test_writes_changes_and_finds_several_types(self, smart: FHIRClient, resource: Json) -> None:
        person = smart_patient.Patient(patient()).create(smart.server)["id"]
        text = json.dumps(resource).replace("PERSON", f"Patient/{person}")
        kind = type(FHIRElementFactory.instantiate(resource["resourceType"], None))
        made = kind(json.loads(text)).create(smart.server)
        read = kind.read(made["id"], smart.server)
        read.language = "vi"
        assert read.update(smart.server)["meta"]["versionId"] == "2"
        found = kind.where({"_id": made["id"]}).perform_resources_iter(smart.server)
        expected = json.loads(text) | {"language": "vi"}
        assert [
            {name: value for name, value in each.as_json().items() if name not in ("id", "meta")} for each in found
        ] == [expected]
