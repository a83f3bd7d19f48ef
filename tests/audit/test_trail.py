"""Whoever reads, writes or is refused leaves exactly one row, and it is there when the answer is."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.audit.rows import directory_rows_of, rows_of
from tests.fhir.samples import FHIR, Json, bundle, entry, made, observation, patient, post, put
from tests.house import HOA_SEN, House


def rows(live: House, answer: httpx.Response) -> list[dict[str, Any]]:
    return rows_of(live, answer.headers["x-request-id"])


@pytest.fixture
def person(doctor: httpx.Client) -> Json:
    return made(doctor, patient(name=[{"family": "Tên-không-được-ghi"}]))


class TestSuccess:
    def test_reads_say_what_was_shown_and_whose_it_is(self, live: House, doctor: httpx.Client, person: Json) -> None:
        note = made(doctor, observation(person["id"]))["id"]
        tries: list[tuple[str, str, list[Any]]] = [
            (f"/Observation/{note}", "record.read", [["read", "Observation", note, 1]]),
            (f"/Observation/{note}/_history/1", "record.read", [["read", "Observation", note, 1]]),
            (f"/Observation/{note}/_history", "record.history", [["read", "Observation", note, 1]]),
            (f"/Observation?patient={person['id']}&_include=Observation:subject", "record.searched", []),
        ]
        for address, action, touched in tries:
            [row] = rows(live, doctor.get(address))
            assert (row["action"], row["outcome"], row["touched"]) == (action, "success", touched)
            assert row["patients"] == [person["id"]]
            assert (row["actor"]["role"], row["actor"]["kind"]) == ("doctor", "person")

    def test_a_read_that_sends_no_body_again_is_a_read(self, live: House, doctor: httpx.Client, person: Json) -> None:
        answer = doctor.get(f"/Patient/{person['id']}", headers={"If-None-Match": 'W/"1"'})
        assert answer.status_code == 304
        assert len(rows(live, answer)) == 1

    def test_writes_say_which_version_they_made(self, live: House, doctor: httpx.Client, person: Json) -> None:
        for answer, action, touched in (
            (put(doctor, person), "record.updated", ["update", "Patient", person["id"], 2]),
            (doctor.delete(f"/Patient/{person['id']}"), "record.deleted", ["delete", "Patient", person["id"], 3]),
            (put(doctor, person), "record.updated", ["create", "Patient", person["id"], 4]),
        ):
            [row] = rows(live, answer)
            assert (row["action"], row["touched"], row["patients"]) == (action, [touched], [person["id"]])

    def test_what_a_transaction_writes_is_one_act_and_what_it_reads_another(
        self, live: House, doctor: httpx.Client, person: Json
    ) -> None:
        answer = bundle(
            doctor, "transaction",
            entry("PUT", f"Patient/{person['id']}", person), entry("POST", "Observation", observation(person["id"])),
            entry("GET", f"Patient/{person['id']}"),
        )  # fmt: skip
        written, shown = rows(live, answer)
        assert (written["action"], written["detail"]["entries"]) == ("record.transaction", 3)
        assert sorted(each[0] for each in written["touched"]) == ["create", "update"]
        assert (shown["action"], shown["touched"][0][:3]) == ("record.read", ["read", "Patient", person["id"]])
        assert written["patients"] == shown["patients"] == [person["id"]]

    def test_a_batch_is_as_many_acts_as_it_has_entries(self, live: House, doctor: httpx.Client, person: Json) -> None:
        answer = bundle(
            doctor, "batch",
            entry("GET", f"Patient/{person['id']}"), entry("GET", "Patient/nobody"), entry("PUT", f"Patient/{person['id']}", person),
        )  # fmt: skip
        assert [(row["action"], row["outcome"]) for row in rows(live, answer)] == [
            ("record.updated", "success"), ("record.read", "success"), ("request.refused", "refused"),
        ]  # fmt: skip

    def test_no_row_holds_content_or_what_was_asked(self, live: House, doctor: httpx.Client, person: Json) -> None:
        answer = doctor.get("/Patient?family=Tên-không-được-ghi")
        assert answer.json()["entry"]
        [row] = rows(live, answer)
        assert row["detail"]["parameters"] == ["family"]
        assert "không-được-ghi" not in json.dumps(row, ensure_ascii=False).lower()

    def test_many_at_once_each_leave_theirs(self, live: House, person: Json) -> None:
        def look(_: int) -> httpx.Response:
            with live.client() as client:
                return client.get(f"/Patient/{person['id']}")

        with ThreadPoolExecutor(16) as threads:
            answers = list(threads.map(look, range(48)))
        assert {answer.status_code for answer in answers} == {200}
        assert [len(rows(live, answer)) for answer in answers] == [1] * 48


class TestRefusals:
    @pytest.mark.parametrize(
        ("act", "code"),
        [
            (lambda client: client.get("/Patient/nobody"), "not-found"),
            (lambda client: client.get("/Patient?foo=1"), "search-parameter-unknown"),
            (lambda client: client.get("/Nothing/x"), "type-unknown"),
            (lambda client: client.post("/Patient/x/y", content=b"{}", headers=FHIR), "interaction-unknown"),
            (lambda client: post(client, patient(foo=1)), "unknown-element"),
            (lambda client: client.post("/Patient", content=b"{", headers=FHIR), "json-syntax"),
            (lambda client: client.post("/Patient", content=b"{}"), "media-type"),
            (lambda client: client.post("/Patient", content=b"x", headers=FHIR | {"Content-Encoding": "br"}), "body-compressed"),
            (lambda client: client.get("/Patient", headers={"Accept": "image/png"}), "format-unknown"),
            (lambda client: bundle(client, "transaction", entry("GET", "Patient/nobody")), "not-found"),
            (lambda client: client.get("/Patient/x", headers={"Authorization": "Bearer rubbish"}), "token-refused"),
        ],
        ids=["read", "search", "type", "verb", "content", "syntax", "media", "coding", "accept", "bundle", "token"],
    )  # fmt: skip
    def test_leave_one_row_with_their_code(
        self, live: House, doctor: httpx.Client, act: Callable[[httpx.Client], httpx.Response], code: str
    ) -> None:
        [row] = rows(live, act(doctor))
        assert (row["action"], row["outcome"], row["detail"]["codes"]) == ("request.refused", "refused", [code])

    def test_before_a_hospital_is_known_stand_in_the_directory(self, live: House, doctor: httpx.Client) -> None:
        answer = doctor.get(f"{live.url}/h/nowhere/fhir/Patient")
        assert rows(live, answer) == []
        [row] = directory_rows_of(live, answer.headers["x-request-id"])
        assert row["detail"]["codes"] == ["hospital-unknown"]


class TestJournalDown:
    @contextmanager
    def closed(self, live: House) -> Iterator[None]:
        """Nobody may write into the journal, as if it were gone."""
        live.sql("REVOKE INSERT ON cell.audit_journal FROM emr_audit, emr_hospital")
        try:
            yield
        finally:
            live.sql("GRANT INSERT ON cell.audit_journal TO emr_audit, emr_hospital")

    def test_nothing_is_shown_and_nothing_stored(self, live: House, doctor: httpx.Client, person: Json) -> None:
        before = live.counts()
        with self.closed(live):
            answers = [
                doctor.get(f"/Patient/{person['id']}"), doctor.get(f"/Patient?_id={person['id']}"),
                doctor.get(f"/Patient/{person['id']}/_history"), post(doctor, patient()), put(doctor, person),
                doctor.delete(f"/Patient/{person['id']}"), doctor.get("/Patient/nobody"),
                doctor.get(f"{live.url}/h/{HOA_SEN}/patients/{person['id']}", headers={"Accept": "text/html"}),
            ]  # fmt: skip
        assert [answer.status_code for answer in answers] == [503] * len(answers)
        assert not any(person["id"] in answer.text or "Tên-không" in answer.text for answer in answers)
        assert all(answer.headers["retry-after"] for answer in answers)
        assert live.counts() == before
        assert doctor.get(f"/Patient/{person['id']}").status_code == 200

    def test_who_waits_is_told_by_code(self, live: House, doctor: httpx.Client) -> None:
        with self.closed(live):
            answer = doctor.get("/Patient?_count=1")
        assert answer.json()["issue"][0]["details"]["coding"][0]["code"] == "audit-unavailable"
