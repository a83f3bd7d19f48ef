"""Transactions: all or nothing. Batches: each entry for itself."""

import json
from typing import Any

import httpx
import pytest

from tests.fhir.samples import FHIR, Json, bundle, entry, found, identifier, made, mark, observation, patient, refusal
from tests.house import House

PLACE = "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"
OTHER = "urn:uuid:88f151c0-a954-468a-88bd-5ae15c08e059"


def statuses(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [each["response"]["status"][:3] for each in answer.json()["entry"]]


def place_of(answer: httpx.Response, number: int) -> str:
    """`Type/id` of what an entry made or found."""
    location: str = answer.json()["entry"][number]["response"]["location"]
    return location.split("/_history/", maxsplit=1)[0]


class TestWhoMay:
    def test_nobody_without_a_token(self, live: House) -> None:
        answer = httpx.post(live.fhir(), content=b"{}", headers=FHIR, trust_env=False)
        assert answer.status_code == 401

    def test_a_role_that_may_not_change_one_entry(self, live: House) -> None:
        one = mark()
        with live.client("lab") as lab:
            answer = bundle(
                lab, "transaction",
                entry("POST", "Observation", observation("x") | {"subject": {"display": one}}),
                entry("POST", "Patient", patient()),
            )  # fmt: skip
        assert refusal(answer)[:2] == (403, "role-may-not-change")

    def test_a_condition_shows_nothing_to_a_role_that_may_not_change_it(
        self, live: House, doctor: httpx.Client
    ) -> None:
        one = mark()
        made(doctor, {"resourceType": "Medication", "identifier": identifier(one)})
        for role in ("pacs", "cashier"):
            with live.client(role) as client:
                conditional = {"If-None-Exist": f"identifier={one}"}
                body = json.dumps({"resourceType": "Medication"})
                answer = client.post("/Medication", content=body, headers=FHIR | conditional)
                assert refusal(answer)[:2] == (403, "role-may-not-change")
                assert client.delete(f"/Medication/{one}").status_code == 403


class TestTransaction:
    def test_placeholders_become_addresses_wherever_they_stand(self, doctor: httpx.Client) -> None:
        text = f'<div xmlns="http://www.w3.org/1999/xhtml"><a href="{PLACE}">x</a></div>'
        note = observation("x", subject={"reference": PLACE}, text={"status": "generated", "div": text})
        answer = bundle(
            doctor, "transaction",
            entry("POST", "Observation", note, full_url=OTHER),
            entry("POST", "Patient", patient(), full_url=PLACE),
        )  # fmt: skip
        assert statuses(answer) == ["201", "201"]
        person = place_of(answer, 1)
        stored = doctor.get(f"/{place_of(answer, 0)}").json()
        assert stored["subject"]["reference"] == person
        assert f'href="{person}"' in stored["text"]["div"]
        assert found(doctor, f"Observation?subject={person}") == [stored["id"]]

    def test_deletes_then_creates_then_updates_then_reads(self, doctor: httpx.Client) -> None:
        one = mark()
        person, gone = made(doctor, patient()), made(doctor, patient())
        answer = bundle(
            doctor, "transaction",
            entry("GET", f"Patient/{person['id']}"),
            entry("GET", f"Patient?identifier={one}"),
            entry("PUT", f"Patient/{person['id']}", person | {"identifier": identifier(one)}),
            entry("POST", "Patient", patient(identifier=identifier(one))),
            entry("DELETE", f"Patient/{gone['id']}"),
        )  # fmt: skip
        assert statuses(answer) == ["200", "200", "200", "201", "204"]
        shown = answer.json()["entry"]
        assert shown[0]["resource"]["meta"]["versionId"] == "2"
        assert len(shown[1]["resource"]["entry"]) == 2
        assert doctor.get(f"/Patient/{gone['id']}").status_code == 410

    def test_what_dangles_leaves_nothing(self, live: House, doctor: httpx.Client) -> None:
        before = live.counts()
        for subject in (OTHER, "Patient/nobody"):
            answer = bundle(
                doctor, "transaction",
                entry("POST", "Patient", patient(), full_url=PLACE),
                entry("POST", "Observation", observation("x", subject={"reference": subject})),
            )  # fmt: skip
            assert refusal(answer)[:2] == (422, "reference-broken")
        assert live.counts() == before

    def test_a_later_refusal_undoes_what_went_before(self, live: House, doctor: httpx.Client) -> None:
        person = made(doctor, patient())
        before = live.counts()
        answer = bundle(
            doctor, "transaction",
            entry("POST", "Patient", patient()),
            entry("PUT", f"Patient/{person['id']}", person, ifMatch='W/"7"'),
        )  # fmt: skip
        assert refusal(answer)[:2] == (412, "version-moved")
        answer = bundle(doctor, "transaction", entry("POST", "Patient", patient()), entry("GET", "Patient/nobody"))
        assert refusal(answer)[:2] == (404, "not-found")
        assert live.counts() == before

    def test_two_may_refer_to_each_other(self, doctor: httpx.Client) -> None:
        person = made(doctor, patient())["id"]
        subject = {"reference": f"Patient/{person}"}
        visit = {
            "resourceType": "Encounter", "status": "finished", "subject": subject,
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
            "diagnosis": [{"condition": {"reference": OTHER}}],
        }  # fmt: skip
        problem = {"resourceType": "Condition", "subject": subject, "encounter": {"reference": PLACE}}
        answer = bundle(
            doctor, "transaction",
            entry("POST", "Encounter", visit, full_url=PLACE), entry("POST", "Condition", problem, full_url=OTHER),
        )  # fmt: skip
        assert statuses(answer) == ["201", "201"]
        stored = doctor.get(f"/{place_of(answer, 0)}").json()
        assert stored["diagnosis"][0]["condition"]["reference"] == place_of(answer, 1)

    def test_the_same_resource_twice_is_refused(self, live: House, doctor: httpx.Client) -> None:
        person = made(doctor, patient())
        before = live.counts()
        url = f"Patient/{person['id']}"
        twice = bundle(doctor, "transaction", entry("PUT", url, person), entry("PUT", url, person))
        mixed = bundle(doctor, "transaction", entry("PUT", url, person), entry("DELETE", url))
        assert {twice.status_code, mixed.status_code} <= {400, 422}
        assert live.counts() == before

    def test_update_demands_the_version_it_names(self, doctor: httpx.Client) -> None:
        person = made(doctor, patient())
        url = f"Patient/{person['id']}"
        assert statuses(bundle(doctor, "transaction", entry("PUT", url, person, ifMatch='W/"1"'))) == ["200"]
        assert bundle(doctor, "transaction", entry("PUT", url, person, ifMatch='W/"1"')).status_code == 412
        assert bundle(doctor, "transaction", entry("DELETE", url, ifMatch='W/"1"')).status_code == 412

    def test_what_it_deletes_cannot_be_referred_to(self, live: House, doctor: httpx.Client) -> None:
        person = made(doctor, patient())["id"]
        before = live.counts()
        answer = bundle(
            doctor, "transaction",
            entry("DELETE", f"Patient/{person}"), entry("POST", "Observation", observation(person)),
        )  # fmt: skip
        assert refusal(answer)[:2] == (422, "reference-broken")
        assert live.counts() == before

    def test_stores_under_the_ids_that_clients_choose(self, doctor: httpx.Client) -> None:
        one = mark()
        answer = bundle(
            doctor, "transaction",
            entry("PUT", f"Patient/{one}", patient(id=one)),
            entry("PUT", f"Observation/{one}", observation(one, id=one)),
        )  # fmt: skip
        assert statuses(answer) == ["201", "201"]
        assert found(doctor, f"Observation?patient={one}") == [one]

    def test_an_empty_one_is_answered(self, doctor: httpx.Client) -> None:
        answer = doctor.post("", content=b'{"resourceType":"Bundle","type":"transaction"}', headers=FHIR)
        assert (answer.status_code, answer.json()) == (
            200, {"resourceType": "Bundle", "type": "transaction-response"},
        )  # fmt: skip


class TestConditions:
    def test_if_none_exist_refers_to_what_is_there(self, live: House, doctor: httpx.Client) -> None:
        one = mark()
        person = made(doctor, patient(identifier=identifier(one)))["id"]
        condition = {"ifNoneExist": f"identifier=urn:test:number|{one}"}
        answer = bundle(
            doctor, "transaction",
            entry("POST", "Patient", patient(), full_url=PLACE, **condition),
            entry("POST", "Observation", observation("x", subject={"reference": PLACE})),
        )  # fmt: skip
        assert statuses(answer) == ["200", "201"]
        assert place_of(answer, 0) == f"Patient/{person}"
        note = place_of(answer, 1).split("/")[1]
        assert found(doctor, f"Observation?patient={person}") == [note]
        schema = live.tenants["hoa-sen"].schema
        query = f"SELECT count(*) FROM {schema}.compartments c JOIN {schema}.resources r USING (pk) WHERE r.id = %s"
        assert live.sql(query, note) == [(1,)], "it must stand in the patient's compartment"

    def test_two_entries_that_ask_for_the_same_get_one(self, doctor: httpx.Client) -> None:
        one = mark()
        condition = {"ifNoneExist": f"identifier=urn:test:number|{one}"}
        same = patient(identifier=identifier(one))
        answer = bundle(
            doctor, "transaction",
            entry("POST", "Patient", same, full_url=PLACE, **condition),
            entry("POST", "Patient", same, full_url=OTHER, **condition),
            entry("POST", "Observation", observation("x", subject={"reference": OTHER})),
        )  # fmt: skip
        assert statuses(answer) == ["201", "200", "201"]
        assert place_of(answer, 0) == place_of(answer, 1)
        assert len(found(doctor, f"Patient?identifier={one}")) == 1
        assert len(found(doctor, f"Observation?subject={place_of(answer, 0)}")) == 1

    def test_several_matches_leave_nothing(self, live: House, doctor: httpx.Client) -> None:
        one = mark()
        for _ in range(2):
            made(doctor, patient(identifier=identifier(one)))
        before = live.counts()
        answer = bundle(
            doctor, "transaction",
            entry("POST", "Patient", patient()),
            entry("POST", "Patient", patient(), ifNoneExist=f"identifier={one}"),
        )  # fmt: skip
        assert refusal(answer)[:2] == (412, "multiple-matches")
        assert live.counts() == before

    def test_one_resource_with_a_value_in_two_systems_is_one_match(self, doctor: httpx.Client) -> None:
        one = mark()
        both = identifier(one) + identifier(one, "urn:test:second")
        person = made(doctor, patient(identifier=both))["id"]
        answer = bundle(doctor, "transaction", entry("POST", "Patient", patient(), ifNoneExist=f"identifier={one}"))
        assert statuses(answer) == ["200"]
        assert place_of(answer, 0) == f"Patient/{person}"

    def test_a_conditional_reference_becomes_what_it_finds(self, doctor: httpx.Client) -> None:
        one = mark()
        person = made(doctor, patient(identifier=identifier(one)))["id"]
        subject = {"reference": f"Patient?identifier=urn:test:number|{one}"}
        answer = bundle(doctor, "transaction", entry("POST", "Observation", observation("x", subject=subject)))
        assert statuses(answer) == ["201"]
        assert doctor.get(f"/{place_of(answer, 0)}").json()["subject"]["reference"] == f"Patient/{person}"

    def test_a_conditional_reference_to_nothing_is_refused(self, doctor: httpx.Client) -> None:
        subject = {"reference": f"Patient?identifier={mark()}"}
        answer = bundle(doctor, "transaction", entry("POST", "Observation", observation("x", subject=subject)))
        assert refusal(answer)[:2] == (422, "reference-broken")

    @pytest.mark.parametrize("text", ["identifier=", "_count=1", "identifier=a&_sort=_id", "identifier=%00"])
    def test_other_conditions_are_refused(self, doctor: httpx.Client, text: str) -> None:
        answer = bundle(doctor, "transaction", entry("POST", "Patient", patient(), ifNoneExist=text))
        assert refusal(answer)[:2] == (400, "condition-unsupported")
        single = doctor.post("/Patient", content=json.dumps(patient()), headers=FHIR | {"If-None-Exist": text})
        assert refusal(single)[:2] == (400, "condition-unsupported")


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        "bad",
        [
            entry("POST", "Patient/x", patient()), entry("PUT", "Patient", patient()),
            entry("PUT", "Patient/a?identifier=x", patient()), entry("PUT", "Patient/a", patient(id="b")),
            entry("PUT", "Patient/a", patient()), entry("PATCH", "Patient/a", patient()), entry("POST", "Patient"),
            entry("POST", "Observation", patient()), entry("DELETE", "Patient"),
            entry("GET", "Patient?_count=1", ifMatch='W/"1"'), entry("PUT", "Patient/a", patient(id="a"), ifNoneMatch="*"),
            entry("POST", "Patient/$meta", {"resourceType": "Parameters"}), entry("DELETE", "Patient?nonsense=1"),
            entry("POST", "../cau-vong/fhir/Patient", patient()), entry("POST", "Pateint", patient()),
            entry("PUT", "Patient/..", patient(id="..")), entry("PUT", "Patient/a", patient(id="a"), ifMatch="1"),
        ],
        ids=lambda each: f"{each['request']['method']} {each['request']['url']}",
    )  # fmt: skip
    def test_an_entry_that_asks_wrongly(self, live: House, doctor: httpx.Client, bad: Json) -> None:
        before = live.counts()
        answer = bundle(doctor, "transaction", entry("POST", "Patient", patient()), bad)
        assert answer.status_code in (400, 422), answer.text
        assert live.counts() == before

    @pytest.mark.parametrize("kind", ["document", "collection", "searchset", "message", None])
    def test_a_bundle_of_another_type(self, doctor: httpx.Client, kind: Any) -> None:
        body = json.dumps({"resourceType": "Bundle", "type": kind} if kind else patient())
        assert refusal(doctor.post("", content=body, headers=FHIR))[:2] == (400, "bundle-type")


class TestBatch:
    def test_each_entry_for_itself(self, live: House, doctor: httpx.Client) -> None:
        one = mark()
        person, other = made(doctor, patient())["id"], made(doctor, patient())["id"]
        refusals = live.refusals()
        answer = bundle(
            doctor, "batch",
            entry("POST", "Patient", patient(identifier=identifier(one))),
            entry("POST", "Patient", patient(foo=1)),
            entry("GET", f"Patient/{other}"),
            entry("GET", "Patient/nobody"),
            entry("PUT", f"Patient/{one}", patient(id=one)),
            entry("PUT", f"Patient/{person}", patient(id=person), ifMatch='W/"9"'),
            entry("DELETE", f"Patient/{person}"),
            entry("GET", f"Patient?identifier={one}"),
            entry("POST", "Observation", observation("nobody")),
        )  # fmt: skip
        assert statuses(answer) == ["201", "422", "200", "404", "201", "412", "204", "200", "422"]
        parts = answer.json()["entry"]
        assert parts[1]["response"]["outcome"]["issue"][0]["expression"] == ["Patient.foo"]
        assert len(parts[7]["resource"]["entry"]) == 1
        assert doctor.get(f"/Patient/{person}").status_code == 410
        assert live.refusals() == refusals + 5, "four entries and the read after them"

    @pytest.mark.parametrize(
        "bad",
        [
            entry("PUT", "Patient/a", patient(id="b")), entry("PUT", "Patient/a", patient()),
            entry("PUT", "Patient", patient()), entry("POST", "Observation", patient()),
            entry("PUT", "Observation/a", patient(id="a")), entry("DELETE", "Patient"),
            entry("GET", "Pateint/a"), entry("GET", "../../cau-vong/fhir/Patient"), entry("GET", "http://elsewhere/"),
            entry("POST", ""), entry("POST", "Patient/$nothing"), entry("NEVER", "Patient"), entry("PUT", "a", {"x": 1}),
            entry("PATCH", "Patient/a", patient()), entry("POST", "Patient/a", patient()),
            entry("PUT", "Patient/a", patient(id="a"), ifMatch="nonsense"), entry("GET", "Patient/a/b"),
        ],
        ids=lambda each: f"{each['request']['method']} {each['request']['url']}",
    )  # fmt: skip
    def test_one_that_asks_wrongly_stops_no_other(self, doctor: httpx.Client, bad: Json) -> None:
        person = made(doctor, patient())["id"]
        wrong, right = statuses(bundle(doctor, "batch", bad, entry("GET", f"Patient/{person}")))
        assert wrong in ("400", "404")
        assert right == "200"

    def test_what_one_made_the_next_one_sees(self, doctor: httpx.Client) -> None:
        one = mark()
        condition = {"ifNoneExist": f"identifier={one}"}
        same = entry("POST", "Patient", patient(identifier=identifier(one)), **condition)
        assert statuses(bundle(doctor, "batch", same, same)) == ["201", "200"]
