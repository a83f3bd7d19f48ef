"""What entries of a Bundle may ask for, and how they meet (FHIR R4, http.html#transaction, #trules)."""

import base64
import json
from typing import Any

import httpx
import pytest

from tests.fhir.samples import Json, bundle, entry, found, identifier, made, mark, observation, patient, refusal
from tests.fhir.test_bundles import PLACE, place_of, statuses
from tests.fhir.test_patch import operation
from tests.fhir.test_races import at_once
from tests.fhir.test_races import statuses as codes
from tests.house import House

KINDS = ("transaction", "batch")


def json_patch(*operations: Json) -> Json:
    data = base64.b64encode(json.dumps(operations).encode()).decode()
    return {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": data}


def path_patch(*operations: Json) -> Json:
    return {"resourceType": "Parameters", "parameter": [operation(**each) for each in operations]}


ACTIVE = json_patch({"op": "add", "path": "/active", "value": True})


class TestByCriteria:
    @pytest.mark.parametrize("kind", KINDS)
    def test_update_makes_then_changes(self, doctor: httpx.Client, kind: str) -> None:
        one = mark()
        put = entry("PUT", f"Patient?identifier={one}", patient(identifier=identifier(one)))
        first, second = bundle(doctor, kind, put), bundle(doctor, kind, put)
        assert (statuses(first), statuses(second)) == (["201"], ["200"])
        assert place_of(first, 0) == place_of(second, 0)
        assert second.json()["entry"][0]["response"]["etag"] == 'W/"2"'

    @pytest.mark.parametrize("kind", KINDS)
    def test_patch_and_delete(self, doctor: httpx.Client, kind: str) -> None:
        one, other = mark(), mark()
        person = made(doctor, patient(identifier=identifier(one)))["id"]
        gone = made(doctor, patient(identifier=identifier(other)))["id"]
        answer = bundle(
            doctor, kind,
            entry("PATCH", f"Patient?identifier={one}", ACTIVE),
            entry("DELETE", f"Patient?identifier={other}"),
            entry("DELETE", f"Patient?identifier={mark()}"),
        )  # fmt: skip
        assert statuses(answer) == ["200", "204", "204"]
        assert doctor.get(f"/Patient/{person}").json()["active"] is True
        assert doctor.get(f"/Patient/{gone}").status_code == 410

    @pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
    def test_several_are_too_many(self, live: House, doctor: httpx.Client, method: str) -> None:
        one = mark()
        for _ in range(2):
            made(doctor, patient(identifier=identifier(one)))
        resource = {"PUT": patient(), "PATCH": ACTIVE}.get(method)
        change = entry(method, f"Patient?identifier={one}", resource)
        before = live.counts()
        answer = bundle(doctor, "transaction", entry("POST", "Patient", patient()), change)
        assert refusal(answer) == (412, "multiple-matches", "Bundle.entry[1].request.url")
        assert live.counts() == before
        assert statuses(bundle(doctor, "batch", change)) == ["412"]

    def test_an_update_that_fits_another_id_or_a_taken_one(self, doctor: httpx.Client) -> None:
        one = mark()
        person = made(doctor, patient(identifier=identifier(one)))["id"]
        wrong = bundle(doctor, "transaction", entry("PUT", f"Patient?identifier={one}", patient(id="other")))
        assert refusal(wrong)[:2] == (400, "id-mismatch")
        taken = bundle(doctor, "transaction", entry("PUT", f"Patient?identifier={mark()}", patient(id=person)))
        assert refusal(taken)[:2] == (409, "id-taken")

    def test_a_patch_of_nothing_is_refused(self, doctor: httpx.Client) -> None:
        answer = bundle(doctor, "transaction", entry("PATCH", f"Patient?identifier={mark()}", ACTIVE))
        assert refusal(answer)[:2] == (404, "not-found")

    def test_what_is_deleted_first_is_not_found_afterwards(self, doctor: httpx.Client) -> None:
        one = mark()
        old = made(doctor, patient(identifier=identifier(one)))["id"]
        answer = bundle(
            doctor, "transaction",
            entry("POST", "Patient", patient(identifier=identifier(one)), ifNoneExist=f"identifier={one}"),
            entry("DELETE", f"Patient/{old}"),
        )  # fmt: skip
        assert statuses(answer) == ["201", "204"]
        assert found(doctor, f"Patient?identifier={one}") == [place_of(answer, 0).partition("/")[2]]


class TestIdentity:
    @pytest.mark.parametrize("first", ["PUT", "PATCH", "DELETE"])
    @pytest.mark.parametrize("second", ["PUT", "DELETE"])
    def test_one_resource_by_id_and_by_criteria_is_refused(
        self, live: House, doctor: httpx.Client, first: str, second: str
    ) -> None:
        one = mark()
        person = made(doctor, patient(identifier=identifier(one)))
        content = {"PUT": person, "PATCH": ACTIVE}
        before = live.counts()
        answer = bundle(
            doctor, "transaction",
            entry(first, f"Patient/{person['id']}", content.get(first)),
            entry(second, f"Patient?identifier={one}", content.get(second)),
        )  # fmt: skip
        assert refusal(answer)[:2] == (400, "entry-twice")
        assert live.counts() == before

    def test_two_updates_that_would_make_the_same_are_refused(self, doctor: httpx.Client) -> None:
        one = mark()
        body = patient(identifier=identifier(one))
        answer = bundle(
            doctor, "transaction",
            entry("PUT", f"Patient?identifier=urn:test:number|{one}", body), entry("PUT", f"Patient?identifier={one}", body),
        )  # fmt: skip
        assert refusal(answer)[:2] == (400, "entry-twice")


class TestPatches:
    def test_are_done_after_updates_with_placeholders_replaced(self, doctor: httpx.Client) -> None:
        person = made(doctor, patient())["id"]
        note = made(doctor, observation(person))["id"]
        refer = {
            "type": "add",
            "path": "Observation",
            "name": "performer",
            "value": {"valueReference": {"reference": PLACE}},
        }
        answer = bundle(
            doctor, "transaction",
            entry("PATCH", f"Observation/{note}", path_patch(refer), ifMatch='W/"1"'),
            entry("POST", "Practitioner", {"resourceType": "Practitioner"}, full_url=PLACE),
        )  # fmt: skip
        assert statuses(answer) == ["200", "201"], answer.text
        assert doctor.get(f"/Observation/{note}").json()["performer"] == [{"reference": place_of(answer, 1)}]
        assert found(doctor, f"Observation?performer={place_of(answer, 1)}") == [note]

    @pytest.mark.parametrize(
        "content",
        [
            patient(), {"resourceType": "Binary", "contentType": "text/plain", "data": "e30="},
            {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": "e30="},
            {"resourceType": "Parameters"}, json_patch({"op": "test", "path": "/active", "value": True}),
            json_patch({"op": "add", "path": "/foo", "value": 1}), json_patch({"op": "add", "path": "/id", "value": "x"}),
        ],
        ids=lambda each: json.dumps(each)[:60],
    )  # fmt: skip
    def test_what_is_none_or_cannot_be_done_changes_nothing(
        self, live: House, doctor: httpx.Client, content: Json
    ) -> None:
        person = made(doctor, patient())["id"]
        before = live.counts()
        change = entry("PATCH", f"Patient/{person}", content)
        answer = bundle(doctor, "transaction", entry("POST", "Patient", patient()), change)
        assert answer.status_code in (400, 415, 422), answer.text
        assert str(refusal(answer)[2]).startswith("Bundle.entry[1]")
        assert statuses(bundle(doctor, "batch", change))[0] in ("400", "415", "422")
        assert live.counts() == before

    def test_a_moved_version_is_refused(self, doctor: httpx.Client) -> None:
        person = made(doctor, patient())["id"]
        answer = bundle(doctor, "transaction", entry("PATCH", f"Patient/{person}", ACTIVE, ifMatch='W/"4"'))
        assert refusal(answer) == (412, "version-moved", "Bundle.entry[0]")


class TestReferences:
    def test_by_any_criteria(self, doctor: httpx.Client) -> None:
        one = mark()
        person = made(doctor, patient(name=[{"family": one}]))["id"]
        note = observation("x", subject={"reference": f"Patient?family={one}&gender=male"})
        answer = bundle(doctor, "transaction", entry("POST", "Observation", note))
        assert statuses(answer) == ["201"], answer.text
        assert doctor.get(f"/{place_of(answer, 0)}").json()["subject"] == {"reference": f"Patient/{person}"}

    def test_to_what_the_same_bundle_brings(self, doctor: httpx.Client) -> None:
        one = mark()
        note = observation("x", subject={"reference": f"Patient?identifier=urn:test:number|{one}"})
        answer = bundle(
            doctor, "transaction",
            entry("POST", "Observation", note), entry("POST", "Patient", patient(identifier=identifier(one))),
        )  # fmt: skip
        assert statuses(answer) == ["201", "201"], answer.text
        assert doctor.get(f"/{place_of(answer, 0)}").json()["subject"] == {"reference": place_of(answer, 1)}

    def test_to_several_is_refused(self, doctor: httpx.Client) -> None:
        one = mark()
        made(doctor, patient(identifier=identifier(one)))
        note = observation("x", subject={"reference": f"Patient?identifier={one}"})
        answer = bundle(
            doctor, "transaction",
            entry("POST", "Observation", note), entry("POST", "Patient", patient(identifier=identifier(one))),
        )  # fmt: skip
        assert refusal(answer) == (412, "multiple-matches", "Bundle.entry[0].resource.subject.reference")

    def test_relative_to_the_address_of_the_entry(self, doctor: httpx.Client) -> None:
        base = "http://elsewhere.example/fhir"
        answer = bundle(
            doctor, "transaction",
            entry("POST", "Patient", patient(), full_url=f"{base}/Patient/77"),
            entry("POST", "Observation", observation("77"), full_url=f"{base}/Observation/1"),
        )  # fmt: skip
        assert statuses(answer) == ["201", "201"], answer.text
        assert doctor.get(f"/{place_of(answer, 1)}").json()["subject"] == {"reference": place_of(answer, 0)}

    def test_a_patient_goes_with_all_that_is_known_about_them(self, doctor: httpx.Client) -> None:
        person = made(doctor, patient())["id"]
        notes = [made(doctor, observation(person))["id"] for _ in range(2)]
        partly = bundle(
            doctor, "transaction", entry("DELETE", f"Patient/{person}"), entry("DELETE", f"Observation/{notes[0]}")
        )
        assert refusal(partly)[:2] == (409, "patient-has-data")
        whole = [entry("DELETE", f"Patient/{person}"), *(entry("DELETE", f"Observation/{note}") for note in notes)]
        assert statuses(bundle(doctor, "transaction", *whole)) == ["204"] * 3


class TestReads:
    @pytest.mark.parametrize("kind", KINDS)
    def test_whatever_can_be_read_alone(self, doctor: httpx.Client, kind: str) -> None:
        person = made(doctor, patient())
        place = f"Patient/{person['id']}"
        made(doctor, observation(person["id"]))
        answer = bundle(
            doctor, kind,
            entry("GET", place), entry("HEAD", place), entry("GET", place, ifNoneMatch='W/"1"'),
            entry("GET", f"{place}/_history"), entry("GET", f"{place}/_history/1"), entry("GET", f"{place}/Observation"),
            entry("GET", "?_type=Patient&_id=" + person["id"]), entry("GET", f"{place}?_elements=gender"),
            entry("GET", "Patient/_history?_count=1"),
        )  # fmt: skip
        assert statuses(answer) == ["200", "200", "304", "200", "200", "200", "200", "200", "200"], answer.text
        parts = answer.json()["entry"]
        assert parts[0]["resource"] == person
        assert parts[0]["response"]["etag"] == 'W/"1"'
        assert parts[0]["response"]["lastModified"] == person["meta"]["lastUpdated"]
        assert [("resource" in each) for each in parts] == [True, False, False, True, True, True, True, True, True]
        assert parts[3]["resource"]["type"] == "history"
        assert parts[5]["resource"]["total" if "total" in parts[5]["resource"] else "type"]
        assert "name" not in parts[7]["resource"]


class TestPreferences:
    @pytest.mark.parametrize("kind", KINDS)
    def test_of_the_whole_hold_for_each_change(self, doctor: httpx.Client, kind: str) -> None:
        def shown(**headers: str) -> Json:
            answer = bundle(doctor, kind, entry("POST", "Patient", patient()), **headers)
            first: Json = answer.json()["entry"][0]
            return first

        assert "resource" not in shown()
        assert "resource" not in shown(Prefer="return=minimal")
        assert shown(Prefer="return=representation")["resource"]["resourceType"] == "Patient"
        told = shown(Prefer="return=OperationOutcome")
        assert "resource" not in told
        assert told["response"]["outcome"]["resourceType"] == "OperationOutcome"


class TestAtOnce:
    def test_thirty_two_bundles_make_one(self, live: House, doctor: httpx.Client) -> None:
        one = mark()
        change = entry("PUT", f"Patient?identifier=urn:test:number|{one}", patient(identifier=identifier(one)))
        answers = at_once(live, lambda client, _: bundle(client, "transaction", change), 32)
        assert codes(answers) == [200] * 32
        assert sorted(status for answer in answers for status in statuses(answer)) == ["200"] * 31 + ["201"]
        assert len(found(doctor, f"Patient?identifier={one}")) == 1

    def test_those_that_change_delete_and_make_in_other_orders(self, live: House, doctor: httpx.Client) -> None:
        people: list[Json] = [made(doctor, patient(identifier=identifier(mark()))) for _ in range(3)]
        new = [mark() for _ in range(3)]

        def send(client: httpx.Client, number: int) -> httpx.Response:
            changes: list[Any] = [entry("PATCH", f"Patient/{each['id']}", ACTIVE) for each in people]
            changes += [entry("PUT", f"Patient/{one}", patient(id=one)) for one in new]
            return bundle(client, "transaction", *(changes if number % 2 else changes[::-1]))

        answers = at_once(live, send, 10)
        assert set(codes(answers)) <= {200, 409}
        kept = codes(answers).count(200)
        assert kept > 0
        for person in people:
            assert doctor.get(f"/Patient/{person['id']}").json()["meta"]["versionId"] == str(kept + 1)
        for one in new:
            assert doctor.get(f"/Patient/{one}").json()["meta"]["versionId"] == str(kept)

    def test_in_a_batch_only_the_entry_that_loses_a_lock_is_told(self, live: House, doctor: httpx.Client) -> None:
        people = [made(doctor, patient()) for _ in range(2)]

        def send(client: httpx.Client, number: int) -> httpx.Response:
            first, second = people if number else people[::-1]
            new = [entry("POST", "Patient", patient())] * 3
            change = entry("PATCH", f"Patient/{first['id']}", ACTIVE)
            return bundle(client, "batch", *new, entry("PUT", f"Patient/{second['id']}", second), change)

        for _ in range(3):
            answers = at_once(live, send, 2)
            assert codes(answers) == [200, 200]
            for answer in answers:
                told = statuses(answer)
                assert told[:3] == ["201"] * 3
                assert set(told[3:]) <= {"200", "409"}
