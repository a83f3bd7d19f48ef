"""The same request sent again, by the same one, by another one, at the same moment."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg

from tests.fhir.samples import FHIR, bundle, entry, found, identifier, made, mark, patient, post, put, refusal
from tests.house import House


class TestKey:
    def test_gives_the_first_answer_again(self, doctor: httpx.Client) -> None:
        one = mark()
        body = patient(identifier=identifier(one))
        first, second = (post(doctor, body, **{"Idempotency-Key": one}) for _ in range(2))
        assert (first.status_code, first.content) == (second.status_code, second.content)
        for name in ("etag", "location", "last-modified", "content-type"):
            assert first.headers[name] == second.headers[name]
        assert len(found(doctor, f"Patient?identifier={one}")) == 1

    def test_with_another_body_or_address_is_refused(self, doctor: httpx.Client) -> None:
        one = mark()
        people = [made(doctor, patient()) for _ in range(2)]
        key = FHIR | {"Idempotency-Key": one}
        answers = [doctor.put(f"/Patient/{person['id']}", content=json.dumps(person), headers=key) for person in people]
        assert [answer.status_code for answer in answers] == [200, 422]
        assert refusal(answers[1])[1] == "idempotency-key-reused"

    def test_of_a_refused_request_is_free_again(self, doctor: httpx.Client) -> None:
        one = mark()
        assert post(doctor, patient(foo=1), **{"Idempotency-Key": one}).status_code == 422
        assert post(doctor, patient(), **{"Idempotency-Key": one}).status_code == 201

    def test_belongs_to_one_person(self, live: House, doctor: httpx.Client) -> None:
        one = mark()
        first = post(doctor, patient(), **{"Idempotency-Key": one})
        with live.client("nurse") as nurse:
            second = post(nurse, patient(active=True), **{"Idempotency-Key": one})
        assert (first.status_code, second.status_code) == (201, 201)
        assert first.json()["id"] != second.json()["id"]

    def test_belongs_to_one_hospital(self, doctor: httpx.Client, neighbour: httpx.Client) -> None:
        one = mark()
        first, second = (post(each, patient(), **{"Idempotency-Key": one}) for each in (doctor, neighbour))
        assert (first.status_code, second.status_code) == (201, 201)
        assert first.json()["id"] != second.json()["id"]

    def test_covers_transactions_and_deletes(self, doctor: httpx.Client) -> None:
        one = mark()
        same = entry("POST", "Patient", patient(identifier=identifier(one)))
        first, second = (bundle(doctor, "transaction", same, **{"Idempotency-Key": one}) for _ in range(2))
        assert first.content == second.content
        person = found(doctor, f"Patient?identifier={one}")
        assert len(person) == 1
        key = {"Idempotency-Key": one}
        gone = [doctor.delete(f"/Patient/{person[0]}", headers=key) for _ in range(2)]
        assert [answer.headers["etag"] for answer in gone] == ['W/"2"'] * 2

    def test_of_a_wrong_form_is_refused(self, doctor: httpx.Client) -> None:
        assert refusal(post(doctor, patient(), **{"Idempotency-Key": "k" * 256}))[:2] == (400, "idempotency-key-form")

    def test_a_twin_under_way_is_told_at_once(self, live: House, doctor: httpx.Client) -> None:
        """The first one waits for a row that somebody else holds; the second does not wait for the first."""
        body, key = made(doctor, patient()), {"Idempotency-Key": mark()}
        hold = f"SELECT 1 FROM {live.tenants['hoa-sen'].schema}.resources WHERE id = %s FOR UPDATE"

        waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"

        def send() -> httpx.Response:
            with live.client() as client:
                return put(client, body, **key)

        with ThreadPoolExecutor(1) as thread:
            with psycopg.connect(live.cluster.url(database="emr")) as other:
                other.execute(hold, (body["id"],))
                first = thread.submit(send)
                while not live.sql(waits):
                    time.sleep(0.02)
                assert refusal(send())[:2] == (409, "twin-under-way")
            assert first.result().status_code == 200
        assert send().headers["etag"] == 'W/"2"'

    def test_twelve_at_once_make_one(self, live: House, doctor: httpx.Client) -> None:
        one = mark()
        body = patient(identifier=identifier(one))

        def send(_: int) -> httpx.Response:
            with live.client() as client:
                return post(client, body, **{"Idempotency-Key": one})

        with ThreadPoolExecutor(12) as threads:
            answers = list(threads.map(send, range(12)))
        assert {answer.status_code for answer in answers} <= {201, 409}
        assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
        assert len(found(doctor, f"Patient?identifier={one}")) == 1
