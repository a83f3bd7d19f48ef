"""Changes of what criteria find (FHIR R4, http.html#ccreate, #cond-update, #cdelete)."""

import json
from typing import Any

import httpx
import pytest

from tests.fhir.samples import FHIR, Json, found, identifier, made, mark, observation, patient, put, refusal
from tests.fhir.test_races import at_once, statuses
from tests.house import House


def put_where(client: httpx.Client, query: str, resource: Json, **headers: str) -> httpx.Response:
    return client.put(f"/{resource['resourceType']}?{query}", content=json.dumps(resource), headers=FHIR | headers)


def post_unless(client: httpx.Client, query: str, resource: Json) -> httpx.Response:
    headers = FHIR | {"If-None-Exist": query}
    return client.post(f"/{resource['resourceType']}", content=json.dumps(resource), headers=headers)


def pair(client: httpx.Client, one: str) -> list[Json]:
    return [made(client, patient(identifier=identifier(one))) for _ in range(2)]


class TestCreate:
    @pytest.mark.parametrize(
        "query",
        [
            "identifier=urn:test:number|{0}", "identifier={0}", "?identifier={0}", "Patient?identifier={0}",
            "identifier=urn:test:number%7C{0}&gender=male", "family={0}", "family={0}&birthdate=lt2000-01-01",
            "identifier={0},other-{0}",
        ],
    )  # fmt: skip
    def test_gives_what_any_criteria_find(self, doctor: httpx.Client, query: str) -> None:
        one = mark()
        body = patient(identifier=identifier(one), name=[{"family": one}], birthDate="1990-05-01")
        answers = [post_unless(doctor, query.format(one), body) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 200]
        assert answers[0].json()["id"] == answers[1].json()["id"]
        assert answers[1].headers["location"].endswith("/_history/1")

    def test_several_are_too_many(self, doctor: httpx.Client) -> None:
        one = mark()
        pair(doctor, one)
        answer = post_unless(doctor, f"identifier={one}&gender=male", patient())
        assert refusal(answer) == (412, "multiple-matches", "If-None-Exist")

    @pytest.mark.parametrize("query", ["nothing=1", "_count=1", "identifier", "gender=", "name:nonsense=x"])
    def test_what_is_no_criterion_is_refused(self, live: House, doctor: httpx.Client, query: str) -> None:
        before = live.counts()
        assert post_unless(doctor, query, patient()).status_code == 400
        assert live.counts() == before

    def test_an_escaped_comma_belongs_to_the_value(self, doctor: httpx.Client) -> None:
        one = f"a,{mark()}"
        body = patient(identifier=identifier(one))
        query = "identifier=" + one.replace(",", "\\,")
        assert [post_unless(doctor, query, body).status_code for _ in range(2)] == [201, 200]

    def test_of_what_one_may_not_see(self, live: House) -> None:
        with live.client("cashier") as client:
            assert post_unless(client, "code=x", observation("a")).status_code == 403


class TestUpdate:
    def test_nobody_who_may_not_change(self, live: House) -> None:
        with live.client("cashier") as client:
            assert put_where(client, "identifier=x", observation("a")).status_code == 403

    def test_nothing_fits_and_no_id(self, live: House, doctor: httpx.Client) -> None:
        one = mark()
        answer = put_where(doctor, f"identifier={one}", patient(identifier=identifier(one)))
        assert answer.status_code == 201
        assert answer.headers["location"] == f"{live.fhir()}/Patient/{answer.json()['id']}/_history/1"

    def test_nothing_fits_and_an_id_that_is_free(self, doctor: httpx.Client) -> None:
        one = mark()
        answer = put_where(doctor, f"identifier={one}", patient(id=one))
        assert (answer.status_code, answer.json()["id"]) == (201, one)

    def test_nothing_fits_and_an_id_that_is_taken(self, doctor: httpx.Client) -> None:
        other = made(doctor, patient())
        answer = put_where(doctor, f"identifier={mark()}", patient(id=other["id"]))
        assert refusal(answer) == (409, "id-taken", "id")
        assert doctor.get(f"/Patient/{other['id']}").json() == other

    def test_nothing_fits_and_an_id_that_was_deleted(self, doctor: httpx.Client) -> None:
        gone = made(doctor, patient())["id"]
        doctor.delete(f"/Patient/{gone}")
        answer = put_where(doctor, f"identifier={mark()}", patient(id=gone))
        assert (answer.status_code, answer.json()["meta"]["versionId"]) == (201, "3")

    def test_one_fits_and_no_id(self, doctor: httpx.Client) -> None:
        one = mark()
        before = made(doctor, patient(identifier=identifier(one)))
        answer = put_where(doctor, f"identifier={one}&gender=male", patient(identifier=identifier(one), active=True))
        assert (answer.status_code, answer.json()["id"]) == (200, before["id"])
        assert (answer.json()["active"], answer.headers["etag"]) == (True, 'W/"2"')

    def test_one_fits_and_its_id_or_another(self, doctor: httpx.Client) -> None:
        one = mark()
        before = made(doctor, patient(identifier=identifier(one)))
        assert put_where(doctor, f"identifier={one}", before | {"active": True}).status_code == 200
        answer = put_where(doctor, f"identifier={one}", patient(id="another"))
        assert refusal(answer) == (400, "id-mismatch", "id")

    def test_several_fit(self, doctor: httpx.Client) -> None:
        one = mark()
        pair(doctor, one)
        assert refusal(put_where(doctor, f"identifier={one}", patient())) == (412, "multiple-matches", "url")

    def test_with_a_version(self, doctor: httpx.Client) -> None:
        one = mark()
        body = patient(identifier=identifier(one))
        query = f"identifier={one}"
        assert refusal(put_where(doctor, query, body, **{"If-Match": 'W/"1"'}))[:2] == (412, "version-moved")
        assert put_where(doctor, query, body, **{"If-None-Match": "*"}).status_code == 201
        assert refusal(put_where(doctor, query, body, **{"If-None-Match": "*"}))[:2] == (412, "already-there")
        assert put_where(doctor, query, body, **{"If-Match": 'W/"1"'}).status_code == 200
        assert refusal(put_where(doctor, query, body, **{"If-Match": 'W/"1"'}))[:2] == (412, "version-moved")

    @pytest.mark.parametrize("query", ["", "?_format=json"])
    def test_without_criteria_is_refused(self, doctor: httpx.Client, query: str) -> None:
        answer = doctor.put(f"/Patient{query}", content=json.dumps(patient()), headers=FHIR)
        assert refusal(answer)[:2] == (400, "condition-missing")

    def test_thirty_two_writers_make_one(self, live: House, doctor: httpx.Client) -> None:
        one = mark()
        body = patient(identifier=identifier(one))
        answers = at_once(live, lambda client, _: put_where(client, f"identifier=urn:test:number|{one}", body), 32)
        assert statuses(answers) == [200] * 31 + [201]
        assert len(found(doctor, f"Patient?identifier={one}")) == 1
        assert doctor.get(f"/Patient/{answers[0].json()['id']}/_history").json()["total"] == 32

    def test_writers_who_race_by_another_criterion_make_one(self, live: House, doctor: httpx.Client) -> None:
        one = mark()
        body = patient(name=[{"family": one}])

        def send(client: httpx.Client, number: int) -> httpx.Response:
            query = f"family={one}&gender=male" if number % 2 else f"gender=male&family={one}"
            return put_where(client, query, body) if number % 3 else post_unless(client, query, body)

        assert statuses(at_once(live, send, 12)) == [200] * 11 + [201]
        assert len(found(doctor, f"Patient?family={one}")) == 1

    def test_beside_updates_by_id_nothing_is_lost(self, live: House, doctor: httpx.Client) -> None:
        one = mark()
        before = made(doctor, patient(identifier=identifier(one)))

        def send(client: httpx.Client, number: int) -> httpx.Response:
            body = before | {"multipleBirthInteger": number}
            return put(client, body) if number % 2 else put_where(client, f"identifier={one}", body)

        answers = at_once(live, send, 10)
        assert set(statuses(answers)) <= {200, 409}
        kept = [answer for answer in answers if answer.status_code == 200]
        assert doctor.get(f"/Patient/{before['id']}/_history").json()["total"] == len(kept) + 1


class TestDelete:
    def test_one_fits(self, doctor: httpx.Client) -> None:
        one = mark()
        person = made(doctor, patient(identifier=identifier(one)))
        address = f"/Patient?identifier={one}&gender=male"
        assert doctor.delete(address, headers={"If-Match": 'W/"2"'}).status_code == 412
        assert doctor.delete(address, headers={"If-Match": 'W/"1"'}).status_code == 204
        assert doctor.get(f"/Patient/{person['id']}").status_code == 410
        assert doctor.delete(address).status_code == 204

    def test_several_fit_and_all_stay(self, live: House, doctor: httpx.Client) -> None:
        one = mark()
        pair(doctor, one)
        before = live.counts()
        assert refusal(doctor.delete(f"/Patient?identifier={one}")) == (412, "multiple-matches", "url")
        assert live.counts() == before

    def test_a_patient_with_data_stays(self, doctor: httpx.Client) -> None:
        one = mark()
        person = made(doctor, patient(identifier=identifier(one)))["id"]
        made(doctor, observation(person))
        assert refusal(doctor.delete(f"/Patient?identifier={one}"))[:2] == (409, "patient-has-data")

    def test_without_criteria_is_refused(self, doctor: httpx.Client) -> None:
        assert refusal(doctor.delete("/Patient"))[:2] == (400, "condition-missing")
        assert refusal(doctor.delete("/Patient?_count=10"))[:2] == (400, "condition-unsupported")


class TestIdempotency:
    def test_a_key_stands_for_the_criteria_too(self, doctor: httpx.Client) -> None:
        one, key = mark(), {"Idempotency-Key": mark()}
        body: dict[str, Any] = patient(identifier=identifier(one))
        first = put_where(doctor, f"identifier={one}", body, **key)
        again = put_where(doctor, f"identifier={one}", body, **key)
        assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)
        other = put_where(doctor, f"identifier={mark()}", body, **key)
        assert refusal(other)[:2] == (422, "idempotency-key-reused")
