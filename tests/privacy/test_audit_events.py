"""The hospital's trail as FHIR AuditEvents: for the privacy officer alone, by the patterns of IHE BALP."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from emr.audit.rows import AuditRow, Touched, event_of
from emr.definitions.validate import validate
from emr.identity.principal import Principal
from emr.kernel import json as strict
from emr.kernel.clock import utc_now
from emr.privacy.resources import audit_event
from emr.privacy.trail import Entry
from tests.audit.rows import rows_of
from tests.fhir.samples import Json, made, observation, patient, put
from tests.house import CAU_VONG, House

Seal = Callable[[], None]


def found(client: httpx.Client, query: str) -> list[Json]:
    answer = client.get(f"/AuditEvent?{query}")
    assert answer.status_code == 200, answer.text
    return [entry["resource"] for entry in answer.json().get("entry", ())]


def codes(event: Json) -> list[str]:
    return [each["code"] for each in event["subtype"]]


@pytest.fixture
def person(live: House, doctor: httpx.Client, seal: Seal) -> Json:
    """A patient who was made, read, changed and searched for by the doctor."""
    person = made(doctor, patient())
    doctor.get(f"/Patient/{person['id']}").raise_for_status()
    put(doctor, person)
    doctor.get(f"/Patient?_id={person['id']}").raise_for_status()
    doctor.delete(f"/Observation/{made(doctor, observation(person['id']))['id']}")
    seal()
    return person


class TestWhoMay:
    def test_nobody_is_told_nothing(self, live: House) -> None:
        with httpx.Client(trust_env=False) as nobody:
            assert nobody.get(f"{live.fhir()}/AuditEvent").status_code == 401

    @pytest.mark.parametrize("role", ["doctor", "admin", "archivist", "his"])
    def test_without_the_duty_no_role_sees_the_trail(self, live: House, person: Json, role: str) -> None:
        with live.client(role) as client:
            assert client.get("/AuditEvent/1").status_code in (403, 404)
            answer = client.get(f"/AuditEvent?patient={person['id']}")
            assert answer.status_code == 403 or not answer.json().get("entry")

    def test_the_officer_of_another_hospital_sees_their_own(
        self, live: House, officer: httpx.Client, person: Json
    ) -> None:
        with live.client("archivist", CAU_VONG) as neighbour:
            answer = neighbour.get(f"/AuditEvent?patient={person['id']}")
            assert answer.status_code == 200
            assert not answer.json().get("entry")

    def test_what_clients_store_stays_an_ordinary_resource(self, live: House, officer: httpx.Client) -> None:
        own: Json = {
            "resourceType": "AuditEvent", "recorded": "2026-11-22T03:04:05Z",
            "type": {"system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest"},
            "agent": [{"requestor": True}], "source": {"observer": {"display": "HIS"}},
        }  # fmt: skip
        with live.client("his") as his:
            stored = made(his, own)
            assert his.get(f"/AuditEvent/{stored['id']}").status_code == 200
        assert officer.get(f"/AuditEvent/{stored['id']}").status_code == 200
        assert not any(each["id"] == stored["id"] for each in found(officer, "_count=200"))


class TestEvents:
    def test_each_act_is_one_event_with_its_action(self, officer: httpx.Client, person: Json) -> None:
        events = found(officer, f"patient={person['id']}")
        assert [(event["action"], codes(event)[0], event["outcome"]) for event in events] == [
            ("D", "delete", "0"), ("C", "create", "0"), ("E", "search", "0"), ("U", "update", "0"), ("R", "read", "0"),
            ("C", "create", "0"),
        ]  # fmt: skip

    def test_a_read_says_who_saw_what_of_whom(self, live: House, officer: httpx.Client, person: Json) -> None:
        [event] = found(officer, f"patient=Patient/{person['id']}&action=R")
        client, user, server = event["agent"]
        assert [each["type"]["coding"][0]["code"] for each in event["agent"]] == ["110152", "IRCP", "110153"]
        assert [each["requestor"] for each in event["agent"]] == [False, True, False]
        assert user["name"] == user["who"]["display"]
        assert user["altId"] == user["who"]["identifier"]["value"]
        assert server["network"] == {"address": live.fhir(), "type": "5"}
        request, data, whose = event["entity"]
        assert request["type"]["code"] == "XrequestId"
        assert data["what"]["reference"] == f"Patient/{person['id']}/_history/1"
        assert (whose["what"]["reference"], whose["role"]["code"]) == (f"Patient/{person['id']}", "1")
        assert client["who"]

    def test_every_event_is_a_valid_r4_resource(self, officer: httpx.Client, person: Json) -> None:
        for event in found(officer, "_count=100"):
            assert validate(strict.loads(strict.dumps(event)), expected_type="AuditEvent") == []

    def test_one_is_read_by_its_number(self, officer: httpx.Client, person: Json) -> None:
        event = found(officer, f"patient={person['id']}&_count=1")[0]
        assert officer.get(f"/AuditEvent/{event['id']}").json() == event
        assert officer.get("/AuditEvent/999999999").status_code == 404

    def test_a_search_says_by_which_parameters_and_never_for_what(self, officer: httpx.Client, person: Json) -> None:
        [event] = found(officer, f"patient={person['id']}&action=E")
        [query] = [each for each in event["entity"] if each.get("role", {}).get("code") == "24"]
        assert query["description"] == "by _id"
        assert "query" not in query

    def test_a_broken_glass_is_its_purpose(self) -> None:
        who = Principal("s", "Bác sĩ", "doctor", "person", "t")
        row = AuditRow(
            "t_abcdefghijkl",
            utc_now(),
            "break-glass.opened",
            "success",
            who,
            "r",
            (Touched("read", "Patient", "p"),),
            ("p",),
        )
        event = audit_event(Entry(1, strict.loads(event_of(1, row.canonical())[5].encode())), "HS", "https://x/fhir")
        assert event["purposeOfEvent"][0]["coding"][0]["code"] == "BTG"
        assert event["agent"][1]["purposeOfUse"][0]["coding"][0]["code"] == "BTG"


class TestSearch:
    @pytest.mark.parametrize(
        ("query", "actions"),
        [
            ("action=R,D", "DR"), ("subtype=urn:emr:audit-action|record.created", "CC"),
            ("subtype=http://hl7.org/fhir/restful-interaction|update", "U"), ("type=rest&action=U", "U"), ("type=other", ""),
            ("outcome=0", "DCEURC"), ("outcome=4", ""), ("date=ge2020&_count=2", "DC"), ("date=lt2020", ""),
            ("entity=Patient/{id}", "DCEURC"), ("entity=Patient/nobody", ""), ("altid=nobody", ""),
            ("agent:identifier=urn:emr:subject|nobody", ""), ("_sort=-date&action=R", "R"),
        ],
    )  # fmt: skip
    def test_by_each_parameter(self, officer: httpx.Client, person: Json, query: str, actions: str) -> None:
        events = found(officer, f"patient={person['id']}&{query.format(id=person['id'])}")
        assert "".join(event["action"] for event in events) == actions

    def test_by_person(self, officer: httpx.Client, person: Json) -> None:
        subject = found(officer, f"patient={person['id']}&action=R")[0]["agent"][1]["altId"]
        assert {event["agent"][1]["altId"] for event in found(officer, f"altid={subject}")} == {subject}
        assert len(found(officer, f"altid={subject}&patient={person['id']}")) == 6

    def test_pages_follow_each_other_without_a_gap(self, officer: httpx.Client, person: Json) -> None:
        address, seen = f"/AuditEvent?patient={person['id']}&_count=2", []
        while address:
            page = officer.get(address).json()
            seen += [entry["resource"]["action"] for entry in page.get("entry", ())]
            address = next((link["url"] for link in page["link"] if link["relation"] == "next"), "")
            assert person["id"] not in address
        assert seen == list("DCEURC")

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ("agent-name=x", "search-parameter-unknown"), ("patient:Patient=x", "search-parameter-unknown"),
            ("date=yesterday", "search-value"), ("date=ne2026", "search-value"), ("entity=Patient", "search-value"),
            ("patient=a/b", "search-value"), ("_sort=date", "sort-unknown"), ("_count=x", "search-value"),
            ("altid=", "search-value"), ("_cursor=x", "cursor-not-ours"),
        ],
    )  # fmt: skip
    def test_what_it_does_not_know_is_refused(self, officer: httpx.Client, query: str, code: str) -> None:
        answer = officer.get(f"/AuditEvent?{query}")
        assert answer.status_code == 400
        assert answer.json()["issue"][0]["details"]["coding"][0]["code"] == code

    def test_whoever_searches_the_trail_leaves_a_row_too(
        self, live: House, officer: httpx.Client, person: Json
    ) -> None:
        answer = officer.get(f"/AuditEvent?patient={person['id']}")
        [row] = rows_of(live, answer.headers["x-request-id"])
        assert (row["action"], row["patients"], row["detail"]) == ("audit.searched", [person["id"]], {"shown": 6})


def test_the_statement_says_what_the_officer_gets(live: House) -> None:
    statement: Any = httpx.get(f"{live.fhir()}/metadata", trust_env=False).json()
    [told] = [each for each in statement["rest"][0]["resource"] if each["type"] == "AuditEvent"]
    assert "privacy officer" in told["documentation"]
