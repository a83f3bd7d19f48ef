"""Reads that are conditional, partial, or without a body (FHIR R4, http.html#read, #cread; RFC 9110, section 13.1)."""

from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime

import httpx
import pytest

from tests.fhir.samples import Json, made, observation, patient, put, refusal


class TestIfModifiedSince:
    def test_what_has_not_changed_is_not_sent_again(self, doctor: httpx.Client) -> None:
        person = made(doctor, patient())["id"]
        modified = doctor.get(f"/Patient/{person}").headers["last-modified"]
        for address in (f"/Patient/{person}", f"/Patient/{person}/_history/1"):
            answer = doctor.get(address, headers={"If-Modified-Since": modified})
            assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", 'W/"1"')

    def test_what_has_changed_since_is_sent(self, doctor: httpx.Client) -> None:
        person = made(doctor, patient())["id"]
        modified = parsedate_to_datetime(doctor.get(f"/Patient/{person}").headers["last-modified"])
        before = format_datetime(modified - timedelta(seconds=1), usegmt=True)
        assert doctor.get(f"/Patient/{person}", headers={"If-Modified-Since": before}).status_code == 200

    @pytest.mark.parametrize("text", ["yesterday", "2026-11-22", "", "99", "Sun, 99 Nov 2026 99:00:00 GMT"])
    def test_what_is_no_http_date_says_nothing(self, doctor: httpx.Client, text: str) -> None:
        person = made(doctor, patient())["id"]
        assert doctor.get(f"/Patient/{person}", headers={"If-Modified-Since": text}).status_code == 200

    def test_says_nothing_beside_if_none_match(self, doctor: httpx.Client) -> None:
        person = made(doctor, patient())["id"]
        modified = doctor.get(f"/Patient/{person}").headers["last-modified"]
        headers = {"If-Modified-Since": modified, "If-None-Match": 'W/"7"'}
        assert doctor.get(f"/Patient/{person}", headers=headers).status_code == 200


class TestHead:
    def test_is_a_read_without_a_body(self, doctor: httpx.Client) -> None:
        person = made(doctor, patient())["id"]
        for address in (f"/Patient/{person}", f"/Patient/{person}/_history/1", f"/Patient?_id={person}"):
            whole, head = doctor.get(address), doctor.head(address)
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers.get("etag") == whole.headers.get("etag")
            assert head.headers["content-type"] == whole.headers["content-type"]

    def test_of_what_is_not_there_or_gone(self, doctor: httpx.Client) -> None:
        assert doctor.head("/Patient/nobody").status_code == 404
        person = made(doctor, patient())["id"]
        doctor.delete(f"/Patient/{person}")
        assert doctor.head(f"/Patient/{person}").status_code == 410


class TestParts:
    @pytest.fixture
    def note(self, doctor: httpx.Client) -> Json:
        person = made(doctor, patient())["id"]
        text = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'}
        return made(doctor, observation(person, note=[{"text": "x"}], text=text))

    def test_a_summary_is_said_to_be_one(self, doctor: httpx.Client, note: Json) -> None:
        answer = doctor.get(f"/Observation/{note['id']}?_summary=true")
        assert answer.json().keys() == {"resourceType", "id", "meta", "status", "code", "subject"}
        assert answer.json()["meta"]["tag"][0]["code"] == "SUBSETTED"
        assert answer.headers["etag"] == 'W/"1"'

    def test_chosen_elements_and_those_that_must_be(self, doctor: httpx.Client, note: Json) -> None:
        for address in (f"/Observation/{note['id']}", f"/Observation/{note['id']}/_history/1"):
            shown = doctor.get(f"{address}?_elements=note").json()
            assert shown.keys() == {"resourceType", "id", "meta", "status", "code", "note"}

    def test_data_and_text(self, doctor: httpx.Client, note: Json) -> None:
        assert "text" not in doctor.get(f"/Observation/{note['id']}?_summary=data").json()
        assert "subject" not in doctor.get(f"/Observation/{note['id']}?_summary=text").json()
        assert doctor.get(f"/Observation/{note['id']}?_summary=false").json() == note

    @pytest.mark.parametrize("query", ["_summary=count", "_summary=x", "_elements=nothing", "_elements="])
    def test_what_cannot_be_shown_is_refused(self, doctor: httpx.Client, note: Json, query: str) -> None:
        assert refusal(doctor.get(f"/Observation/{note['id']}?{query}"))[2] == query.partition("=")[0]


class TestIfNoneMatchOnUpdate:
    def test_a_star_makes_only_what_is_new(self, doctor: httpx.Client) -> None:
        person = made(doctor, patient())
        star = {"If-None-Match": "*"}
        assert refusal(put(doctor, person, **star)) == (412, "already-there", "If-None-Match")
        assert put(doctor, patient(id=f"new-{person['id']}"), **star).status_code == 201
        doctor.delete(f"/Patient/{person['id']}")
        assert put(doctor, person, **star).status_code == 201

    def test_another_form_is_refused(self, doctor: httpx.Client) -> None:
        person = made(doctor, patient())
        assert refusal(put(doctor, person, **{"If-None-Match": 'W/"1"'})) == (400, "etag-form", "If-None-Match")
