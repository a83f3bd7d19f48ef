"""`$validate`, and profiles that are kept on every write (FHIR R4, resource-operation-validate.html, profiling.html)."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.definitions.profiles import core
from tests.fhir.samples import FHIR, Json, entry, made, observation, patient, post, put
from tests.house import House

PATIENT = core.url("patient")


def validated(client: httpx.Client, address: str, body: Json | None, **parameters: Any) -> Json:
    answer = client.post(address, content=json.dumps(body) if body else b"", headers=FHIR, params=parameters)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def errors(outcome: Json) -> list[tuple[str, str | None]]:
    return [
        (each["details"]["coding"][0]["code"], each.get("expression", [None])[0])
        for each in outcome["issue"]
        if each["severity"] == "error"
    ]


def warnings(outcome: Json) -> str:
    return " ".join(each["diagnostics"] for each in outcome["issue"] if each["severity"] == "warning")


def parameters(**values: Any) -> Json:
    parts = [
        {
            "name": name,
            **(
                {"resource": value}
                if isinstance(value, dict)
                else {"valueUri": value}
                if name == "profile"
                else {"valueCode": value}
            ),
        }
        for name, value in values.items()
    ]
    return {"resourceType": "Parameters", "parameter": parts}


@pytest.fixture(scope="module")
def vn(live: House) -> Iterator[str]:
    """The invented core package in the record of Hoa Sen; taken out again, as it would bind the other tests."""
    with live.client("his") as client:
        for each in core.RESOURCES:
            assert put(client, each).status_code in (200, 201)
        yield PATIENT
        for each in core.RESOURCES:
            client.delete(f"/{each['resourceType']}/{each['id']}")


class TestWhoMayAsk:
    def test_nobody_without_a_token(self, live: House) -> None:
        assert httpx.post(f"{live.fhir()}/Patient/$validate", trust_env=False).status_code == 401

    def test_a_role_that_does_not_see_the_type_is_refused(self, live: House) -> None:
        with live.client("admin") as client:
            answer = client.post("/Observation/$validate", content=json.dumps(observation("p1")), headers=FHIR)
        assert answer.status_code == 403

    def test_a_reader_who_may_change_nothing_is_answered(self, live: House) -> None:
        with live.client("warehouse") as client:
            assert errors(validated(client, "/Patient/$validate", patient())) == []


class TestOfAType:
    def test_a_valid_resource(self, doctor: httpx.Client) -> None:
        narrative = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">An</div>'}
        outcome = validated(doctor, "/Patient/$validate", patient(text=narrative))
        assert [each["severity"] for each in outcome["issue"]] == ["information"]

    def test_an_invalid_one_is_answered_with_200_and_all_issues(self, doctor: httpx.Client) -> None:
        outcome = validated(doctor, "/Patient/$validate", patient(gender="nam", foo=1, birthDate="2026-02-30"))
        assert errors(outcome) == [
            ("code", "Patient.gender"), ("unknown-element", "Patient.foo"), ("format", "Patient.birthDate"),
        ]  # fmt: skip
        assert outcome["issue"][0]["location"] == ["Patient.gender"]

    def test_best_practice_is_a_warning(self, doctor: httpx.Client) -> None:
        assert "dom-6" in warnings(validated(doctor, "/Patient/$validate", patient()))

    def test_inside_parameters_too_although_it_is_invalid(self, doctor: httpx.Client) -> None:
        body = parameters(resource=patient(gender="nam"), mode="create")
        assert errors(validated(doctor, "/Patient/$validate", body)) == [("code", "Patient.gender")]

    def test_another_type_than_the_address_says(self, doctor: httpx.Client) -> None:
        found = errors(validated(doctor, "/Observation/$validate", patient()))
        assert found == [("resource-type", "Patient.resourceType")]

    def test_parameters_themselves_can_be_validated(self, doctor: httpx.Client) -> None:
        body = {"resourceType": "Parameters", "parameter": [{"name": "a"}]}
        assert errors(validated(doctor, "/Parameters/$validate", body)) == [("invariant", "Parameters.parameter[0]")]

    def test_nothing_is_stored(self, doctor: httpx.Client) -> None:
        marked = patient(identifier=[{"system": "urn:test:validate", "value": "nothing"}])
        validated(doctor, "/Patient/$validate", marked, mode="create")
        assert doctor.get("/Patient?identifier=urn:test:validate|nothing").json().get("entry", []) == []

    @pytest.mark.parametrize("parameter", [{"mode": "burn"}, {"verbose": "1"}, {"mode": "profile"}])
    def test_an_unknown_parameter_or_value_is_refused(self, doctor: httpx.Client, parameter: dict[str, str]) -> None:
        answer = doctor.post("/Patient/$validate", content=json.dumps(patient()), headers=FHIR, params=parameter)
        assert answer.status_code == 400

    def test_without_a_resource_it_is_refused(self, doctor: httpx.Client) -> None:
        assert doctor.get("/Patient/$validate").status_code == 400

    def test_the_system_has_no_such_operation(self, doctor: httpx.Client) -> None:
        assert doctor.post("/$validate", content=json.dumps(patient()), headers=FHIR).status_code == 400

    def test_the_capability_statement_names_it(self, doctor: httpx.Client) -> None:
        rest = doctor.get("/metadata").json()["rest"][0]["resource"]
        assert all("validate" in [each["name"] for each in one["operation"]] for one in rest)


class TestModes:
    def test_create_names_a_reference_that_is_not_here(self, doctor: httpx.Client) -> None:
        outcome = validated(doctor, "/Observation/$validate", observation("nobody"), mode="create")
        assert errors(outcome) == [("reference-broken", "Observation.subject.reference")]

    def test_create_by_a_role_that_may_not(self, live: House) -> None:
        with live.client("warehouse") as client:
            outcome = validated(client, "/Observation/$validate", observation("nobody"), mode="create")
        assert errors(outcome) == [("role-may-not-change", None)]

    def test_update_wants_the_id_of_the_address(self, doctor: httpx.Client) -> None:
        stored = made(doctor, patient())
        address = f"/Patient/{stored['id']}/$validate"
        assert errors(validated(doctor, address, patient(id="other"), mode="update")) == [("id-mismatch", "Patient.id")]
        assert errors(validated(doctor, address, stored, mode="update")) == []

    def test_delete_of_a_patient_with_data(self, doctor: httpx.Client) -> None:
        stored = made(doctor, patient())
        address = f"/Patient/{stored['id']}/$validate"
        assert errors(validated(doctor, address, None, mode="delete")) == []
        made(doctor, observation(stored["id"]))
        assert len(errors(validated(doctor, address, None, mode="delete"))) == 1
        assert doctor.get(f"/Patient/{stored['id']}").status_code == 200


class TestOfOneResource:
    def test_what_is_stored_is_validated(self, doctor: httpx.Client) -> None:
        stored = made(doctor, patient())
        answer = doctor.get(f"/Patient/{stored['id']}/$validate")
        assert answer.status_code == 200
        assert errors(answer.json()) == []

    def test_a_random_id_is_not_found(self, doctor: httpx.Client) -> None:
        assert doctor.get("/Patient/no-such-one/$validate").status_code == 404

    def test_a_neighbours_patient_is_not_found(self, doctor: httpx.Client, neighbour: httpx.Client) -> None:
        stored = made(doctor, patient())
        assert neighbour.get(f"/Patient/{stored['id']}/$validate").status_code == 404


class TestProfiles:
    def test_a_claimed_one_is_kept_on_every_write(self, vn: str, doctor: httpx.Client) -> None:
        answer = post(doctor, core.patient(gender="unknown", identifier=[]) | {"meta": {"profile": [vn]}})
        assert answer.status_code == 422
        good = post(doctor, core.patient())
        assert good.status_code == 201, good.text
        worse = good.json()
        del worse["birthDate"]
        refused = put(doctor, worse)
        assert refused.status_code == 422
        assert errors(refused.json()) == [("required", "Patient.birthDate")]

    def test_in_a_transaction_the_entry_is_named(self, vn: str, doctor: httpx.Client) -> None:
        broken = core.patient()
        del broken["birthDate"]
        body = {"resourceType": "Bundle", "type": "transaction", "entry": [
            entry("POST", "Patient", patient()), entry("POST", "Patient", broken)]}  # fmt: skip
        answer = doctor.post("", content=json.dumps(body), headers=FHIR)
        assert answer.status_code == 422
        assert errors(answer.json()) == [("required", "Bundle.entry[1].resource.birthDate")]

    def test_an_unknown_claim_is_accepted_with_a_warning(self, doctor: httpx.Client) -> None:
        claiming = patient(meta={"profile": ["https://example.org/unknown"]})
        assert post(doctor, claiming).status_code == 201
        outcome = validated(doctor, "/Patient/$validate", claiming)
        assert errors(outcome) == []
        assert "https://example.org/unknown is not known here" in warnings(outcome)

    def test_named_in_the_operation(self, vn: str, doctor: httpx.Client) -> None:
        outcome = validated(doctor, "/Patient/$validate", patient(), mode="profile", profile=vn)
        assert ("required", "Patient.birthDate") in errors(outcome)
        unknown = validated(doctor, "/Patient/$validate", patient(), profile="https://example.org/unknown")
        assert errors(unknown) == [("profile-unknown", "Patient")]

    def test_the_codes_of_a_value_set_of_the_hospital(self, vn: str, live: House, doctor: httpx.Client) -> None:
        with live.client("reception") as desk:
            found = errors(validated(desk, "/Patient/$validate", core.patient(ethnic="martian")))
        assert found == [("code", "Patient.extension[0].value")]

    def test_another_hospital_has_none_of_it(self, vn: str, neighbour: httpx.Client) -> None:
        broken = core.patient()
        del broken["birthDate"]
        assert post(neighbour, broken).status_code == 201

    def test_a_profile_that_is_changed_counts_at_once(self, vn: str, live: House, doctor: httpx.Client) -> None:
        tightened = json.loads(json.dumps(core.PATIENT))
        tightened["differential"]["element"].append({"id": "Patient.photo", "path": "Patient.photo", "min": 1})
        assert post(doctor, core.patient()).status_code == 201
        with live.client("his") as client:
            put(client, tightened)
            assert errors(post(doctor, core.patient()).json()) == [("required", "Patient.photo")]
            put(client, core.PATIENT)
        assert post(doctor, core.patient()).status_code == 201

    def test_within_a_batch_it_counts_as_soon_as_it_is_there(self, live: House) -> None:
        job = core.profile("job", "Task", [core.element("Task.description", min=1)])
        task = {"resourceType": "Task", "id": "vn-task", "status": "draft", "intent": "order"}
        entries = [
            entry("PUT", f"StructureDefinition/{job['id']}", job),
            entry("PUT", "Task/vn-task", task | {"meta": {"profile": [job["url"]]}}),
        ]
        with live.client("his") as client:
            body = {"resourceType": "Bundle", "type": "batch", "entry": entries}
            answers = client.post("", content=json.dumps(body), headers=FHIR).json()["entry"]
            client.delete(f"/StructureDefinition/{job['id']}")
        assert [each["response"]["status"][:3] for each in answers] == ["201", "422"]

    def test_one_that_was_undone_was_never_there(self, vn: str, doctor: httpx.Client, live: House) -> None:
        tightened = json.loads(json.dumps(core.PATIENT))
        tightened["differential"]["element"].append({"id": "Patient.photo", "path": "Patient.photo", "min": 1})
        entries = [
            entry("PUT", f"StructureDefinition/{tightened['id']}", tightened),
            entry("PUT", "Observation/undone", observation("nobody", id="undone")),
        ]
        body = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        with live.client("his") as client:
            assert client.post("", content=json.dumps(body), headers=FHIR).status_code == 422
        assert post(doctor, core.patient()).status_code == 201

    def test_a_broken_profile_is_no_reason_to_refuse_a_claim(self, doctor: httpx.Client, live: House) -> None:
        nonsense = core.profile("nonsense", "Patient", [{"id": "Patient.nose", "path": "Patient.nose", "min": 1}])
        claiming = patient(meta={"profile": [nonsense["url"]]})
        with live.client("his") as client:
            assert put(client, nonsense).status_code == 201
            assert post(doctor, claiming).status_code == 201
            outcome = validated(doctor, "/Patient/$validate", claiming)
            client.delete(f"/StructureDefinition/{nonsense['id']}")
        assert "R4 has no element Patient.nose" in warnings(outcome)
