"""Histories of a type and of everything over HTTP (FHIR R4, http.html#history)."""

import time
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from tests.fhir.samples import Json, made, next_link, observation, patient, put, refusal
from tests.house import House


def stretch(client: httpx.Client, address: str) -> list[Json]:
    """All entries to the last page."""
    entries: list[Json] = []
    following: str | None = address
    while following is not None:
        answer = client.get(following)
        assert answer.status_code == 200, answer.text
        entries += answer.json().get("entry", [])
        following = next_link(answer.json())
    return entries


def names(entries: list[Json]) -> list[str]:
    return [each["response"]["location"] for each in entries]


def moment(resource: Json) -> str:
    found: str = resource["meta"]["lastUpdated"]
    return found


def day_of(resource: Json) -> str:
    """A date without a time zone is a day of the hospital's."""
    return datetime.fromisoformat(moment(resource)).astimezone(ZoneInfo("Asia/Ho_Chi_Minh")).date().isoformat()


def location(resource: Json) -> str:
    return f"{resource['resourceType']}/{resource['id']}/_history/{resource['meta']['versionId']}"


class TestOfAType:
    def test_a_role_that_does_not_see_the_type_is_refused(self, live: House) -> None:
        with live.client("cashier") as client:
            assert client.get("/Observation/_history").status_code == 403

    def test_shows_every_version_newest_first(self, doctor: httpx.Client) -> None:
        first = made(doctor, patient())
        second = made(doctor, patient())
        changed = put(doctor, first | {"active": True}).json()
        assert doctor.delete(f"/Patient/{second['id']}").status_code == 204
        made(doctor, observation(first["id"]))
        entries = stretch(doctor, f"/Patient/_history?_since={moment(first)}&_count=2")
        gone = f"Patient/{second['id']}/_history/2"
        assert names(entries) == [gone, location(changed), location(second), location(first)]
        assert [each["request"]["method"] for each in entries] == ["DELETE", "PUT", "POST", "POST"]
        assert [("resource" in each) for each in entries] == [False, True, True, True]

    def test_page_links_say_nothing_of_what_was_asked(self, doctor: httpx.Client) -> None:
        first = made(doctor, patient())
        made(doctor, patient())
        answer = doctor.get(f"/Patient/_history?_since={moment(first)}&_count=1").json()
        link = str(next_link(answer))
        assert "_since" not in link
        assert refusal(doctor.get(f"{link}&_count=3")) == (400, "cursor-alone", "_cursor")
        assert refusal(doctor.get(link[:-4] + "AAAA")) == (400, "cursor-not-ours", "_cursor")


class TestOfEverything:
    def test_shows_only_what_the_caller_may_see(self, live: House, doctor: httpx.Client) -> None:
        person = made(doctor, patient())
        note = made(doctor, observation(person["id"]))
        address = f"/_history?_since={moment(person)}"
        assert names(stretch(doctor, address)) == [location(note), location(person)]
        with live.client("cashier") as client:
            assert names(stretch(client, address)) == [location(person)]

    def test_another_hospital_has_its_own(self, doctor: httpx.Client, neighbour: httpx.Client) -> None:
        person = made(doctor, patient())
        assert location(person) not in names(stretch(neighbour, f"/_history?_since={moment(person)}"))

    @pytest.mark.parametrize("query", ["_since=x", "_at=x", "_sort=_lastUpdated", "_type=Patient", "_count=a"])
    def test_what_it_does_not_understand_is_refused(self, doctor: httpx.Client, query: str) -> None:
        assert refusal(doctor.get(f"/_history?{query}"))[2] == query.partition("=")[0]


class TestAt:
    def test_shows_what_was_current_at_some_time_of_it(self, doctor: httpx.Client) -> None:
        versions: list[Json] = [made(doctor, patient())]
        for number in range(3):
            time.sleep(0.02)
            versions.append(put(doctor, versions[-1] | {"multipleBirthInteger": number}).json())
        for address in (f"/Patient/{versions[0]['id']}/_history", "/Patient/_history", "/_history"):
            shown = names(stretch(doctor, f"{address}?_at={moment(versions[1])}&_count=1000"))
            own = [each for each in shown if versions[0]["id"] in each]
            assert own == [location(versions[1])], address
        day: dict[str, Any] = {"_at": day_of(versions[0]), "_since": moment(versions[0])}
        both = doctor.get(f"/Patient/{versions[0]['id']}/_history", params=day).json()
        assert len(both["entry"]) == 4

    def test_that_something_was_deleted_stays_true(self, doctor: httpx.Client) -> None:
        person = made(doctor, patient())
        doctor.delete(f"/Patient/{person['id']}")
        last = made(doctor, patient())
        shown = names(stretch(doctor, f"/Patient/{person['id']}/_history?_at={moment(last)}"))
        assert shown == [f"Patient/{person['id']}/_history/2"]
