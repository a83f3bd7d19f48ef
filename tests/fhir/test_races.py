"""Many clients at once: nothing is made twice, nothing is lost, nobody is told of an error that is ours."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import httpx
import psycopg

from tests.fhir.samples import Json, bundle, entry, found, identifier, made, mark, observation, patient, post, put
from tests.house import House


def at_once(live: House, action: Callable[[httpx.Client, int], httpx.Response], times: int) -> list[httpx.Response]:
    """Each in a thread and a connection of its own, let go together."""
    ready = Barrier(times)

    def run(number: int) -> httpx.Response:
        with live.client() as client:
            ready.wait(timeout=30)
            return action(client, number)

    with ThreadPoolExecutor(times) as threads:
        return list(threads.map(run, range(times)))


def statuses(answers: Sequence[httpx.Response]) -> list[int]:
    return sorted(answer.status_code for answer in answers)


class TestConditionalCreate:
    def test_thirty_two_writers_make_one(self, live: House, doctor: httpx.Client) -> None:
        one = mark()
        condition = {"If-None-Exist": f"identifier=urn:test:number|{one}"}
        body = patient(identifier=identifier(one))
        answers = at_once(live, lambda client, _: post(client, body, **condition), 32)
        assert statuses(answers) == [200] * 31 + [201]
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert len(found(doctor, f"Patient?identifier={one}")) == 1

    def test_transactions_that_look_for_the_same_in_another_order(self, live: House, doctor: httpx.Client) -> None:
        marks = [mark() for _ in range(4)]

        def send(client: httpx.Client, number: int) -> httpx.Response:
            order = marks if number % 2 else marks[::-1]
            return bundle(
                client,
                "transaction",
                *(
                    entry("POST", "Patient", patient(identifier=identifier(one)), ifNoneExist=f"identifier={one}")
                    for one in order
                ),
            )

        assert statuses(at_once(live, send, 12)) == [200] * 12
        for one in marks:
            assert len(found(doctor, f"Patient?identifier={one}")) == 1


class TestUpdate:
    def test_of_those_who_saw_one_version_one_wins(self, live: House, doctor: httpx.Client) -> None:
        body = made(doctor, patient())
        answers = at_once(
            live,
            lambda client, number: put(client, body | {"multipleBirthInteger": number}, **{"If-Match": 'W/"1"'}),
            12,
        )
        assert statuses(answers) == [200] + [412] * 11
        won = next(answer.json() for answer in answers if answer.status_code == 200)
        assert doctor.get(f"/Patient/{body['id']}").json() == won

    def test_without_a_version_all_are_kept(self, live: House, doctor: httpx.Client) -> None:
        body = made(doctor, patient())
        answers = at_once(live, lambda client, number: put(client, body | {"multipleBirthInteger": number}), 12)
        assert statuses(answers) == [200] * 12
        history = doctor.get(f"/Patient/{body['id']}/_history").json()["entry"]
        assert [each["resource"]["meta"]["versionId"] for each in history] == [str(13 - n) for n in range(13)]
        assert {each["resource"].get("multipleBirthInteger") for each in history[:-1]} == set(range(12))

    def test_the_same_new_id_from_many(self, live: House, doctor: httpx.Client) -> None:
        one = mark()
        answers = at_once(live, lambda client, number: put(client, patient(id=one, multipleBirthInteger=number)), 12)
        assert statuses(answers) == [200] * 11 + [201]
        assert doctor.get(f"/Patient/{one}/_history").json()["total"] == 12


class TestTransactions:
    def test_that_cross_are_served_or_told_to_try_again(self, live: House, doctor: httpx.Client) -> None:
        people: list[Json] = [made(doctor, patient()) for _ in range(4)]

        def send(client: httpx.Client, number: int) -> httpx.Response:
            order = people if number % 2 else people[::-1]
            return bundle(client, "transaction", *(entry("PUT", f"Patient/{each['id']}", each) for each in order))

        assert statuses(at_once(live, send, 12)) == [200] * 12
        for person in people:
            assert doctor.get(f"/Patient/{person['id']}").json()["meta"]["versionId"] == "13"

    def test_batches_that_cross_never_fail_on_our_side(self, live: House, doctor: httpx.Client) -> None:
        people: list[Json] = [made(doctor, patient()) for _ in range(4)]

        def send(client: httpx.Client, number: int) -> httpx.Response:
            order = people if number % 2 else people[::-1]
            return bundle(client, "batch", *(entry("PUT", f"Patient/{each['id']}", each) for each in order))

        answers = at_once(live, send, 8)
        assert set(statuses(answers)) <= {200, 409}
        assert 200 in statuses(answers)

    def test_new_ids_in_another_order(self, live: House, doctor: httpx.Client) -> None:
        marks = [mark() for _ in range(4)]

        def send(client: httpx.Client, number: int) -> httpx.Response:
            order = marks if number % 2 else marks[::-1]
            return bundle(client, "transaction", *(entry("PUT", f"Patient/{each}", patient(id=each)) for each in order))

        assert statuses(at_once(live, send, 8)) == [200] * 8
        assert all(doctor.get(f"/Patient/{each}").json()["meta"]["versionId"] == "8" for each in marks)


class TestDelete:
    def test_beside_updates_leaves_a_whole_history(self, live: House, doctor: httpx.Client) -> None:
        person = made(doctor, patient())["id"]
        note: dict[str, Any] = made(doctor, observation(person))

        def act(client: httpx.Client, number: int) -> httpx.Response:
            return client.delete(f"/Observation/{note['id']}") if number % 3 == 0 else put(client, note)

        answers = at_once(live, act, 9)
        assert set(statuses(answers)) <= {200, 201, 204}
        history = doctor.get(f"/Observation/{note['id']}/_history").json()
        numbers = [int(each["response"]["etag"][3:-1]) for each in history["entry"]]
        assert numbers == list(range(history["total"], 0, -1))

    def test_of_a_patient_and_the_first_fact_about_them_exclude_each_other(
        self, live: House, doctor: httpx.Client
    ) -> None:
        for _ in range(6):
            person = made(doctor, patient())["id"]

            def act(client: httpx.Client, number: int, person: str = person) -> httpx.Response:
                return post(client, observation(person)) if number else client.delete(f"/Patient/{person}")

            gone, told = at_once(live, act, 2)
            assert (gone.status_code, told.status_code) in ((204, 422), (409, 201))

    def test_an_update_of_a_patient_does_not_wait_for_facts_about_them(self, live: House, doctor: httpx.Client) -> None:
        person = made(doctor, patient())
        query = f"SELECT 1 FROM {live.tenants['hoa-sen'].schema}.resources WHERE id = %s FOR KEY SHARE"
        with psycopg.connect(live.cluster.url(database="emr")) as other:
            other.execute(query, (person["id"],))
            assert put(doctor, person).status_code == 200
            assert made(doctor, observation(person["id"]))
