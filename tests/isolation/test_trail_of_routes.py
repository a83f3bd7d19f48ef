"""Every route leaves its row: who asks, of whatever standing, is written down, and whose data were shown is named.

Stands behind the other tests of this folder: it changes what is planted.
"""

from collections.abc import Iterable, Mapping

import httpx
import pytest

from tests.audit.rows import Row, directory_rows_of_each, rows_of, rows_of_each
from tests.house import CAU_VONG, HOA_SEN, House
from tests.isolation.conftest import Planted
from tests.isolation.test_routes import PRIVATE, ask, filled, ids_of

Route = tuple[str, str]
NOBODYS = frozenset({"/h/{slug}/codes", "/h/{slug}/me/active"})
"""Answers with words that are nobody's data, or with nothing: somebody sits at the page."""
FIRST_PAGE = "/h/{slug}/"
"""Shows who may find no patient nothing but the hospital's name."""
THINGS = ("{patient}", "{document}", "{study}", "{note}", "{binary}")
"""Parts of an address that name something of the planted patient."""
ORDERED = sorted(PRIVATE, key=lambda each: ("GET", "POST", "PUT", "PATCH", "DELETE").index(each[0]))
NO_PATIENT = frozenset({"/h/{slug}/fhir/Binary/{binary}"})
"""The planted Binary belongs to nobody: no resource of a patient refers to it."""


def asked_for(answers: Iterable[httpx.Response]) -> list[str]:
    return [answer.headers["x-request-id"] for answer in answers]


def written(live: House, answers: Mapping[Route, httpx.Response]) -> dict[Route, list[Row]]:
    """The rows that each request left."""
    rows = rows_of_each(live, asked_for(answers.values()))
    return {each: rows[answer.headers["x-request-id"]] for each, answer in answers.items()}


class TestEveryRoute:
    @pytest.mark.parametrize("role", ["doctor", "warehouse"])
    def test_what_a_member_asks_is_written_down_and_names_whose_data_were_shown(
        self, live: House, planted: Planted, role: str
    ) -> None:
        silent: list[Route] = []
        unnamed: list[Route] = []
        with live.client(role, CAU_VONG) as client:
            answers = {each: ask(client, live, each[0], filled(each[1], CAU_VONG, ids_of(planted))) for each in ORDERED}
        for (method, path), rows in written(live, answers).items():
            if not rows and path not in NOBODYS and (path, role) != (FIRST_PAGE, "warehouse"):
                silent.append((method, path))
            succeeded = answers[method, path].is_success
            shown = succeeded and any(each in path for each in THINGS) and path not in NO_PATIENT
            if shown and not any(planted.patient in row["patients"] for row in rows):
                unnamed.append((method, path))
        assert (silent, unnamed) == ([], [])

    def test_a_refused_outsider_is_written_down(self, live: House, planted: Planted) -> None:
        with live.client("doctor", HOA_SEN) as client:
            answers = {each: ask(client, live, each[0], filled(each[1], CAU_VONG, ids_of(planted))) for each in PRIVATE}
        assert not [each for each, rows in written(live, answers).items() if len(rows) != 1]

    def test_nobody_is_written_down_too(self, live: House, planted: Planted) -> None:
        with httpx.Client(trust_env=False) as client:
            answers = {each: ask(client, live, each[0], filled(each[1], CAU_VONG, ids_of(planted))) for each in PRIVATE}
        assert not [each for each, rows in written(live, answers).items() if len(rows) != 1]

    def test_who_asks_for_a_hospital_that_is_not_there_stands_in_the_directory(
        self, live: House, planted: Planted
    ) -> None:
        with live.client() as client:
            answers = {
                each: ask(client, live, each[0], filled(each[1], "nowhere", ids_of(planted))) for each in PRIVATE
            }
        rows = directory_rows_of_each(live, asked_for(answers.values()))
        assert [each for each, answer in answers.items() if not rows[answer.headers["x-request-id"]]] == []


class TestSearches:
    def test_the_row_names_the_patients_of_the_page_that_was_shown(self, live: House, planted: Planted) -> None:
        with live.client("doctor", CAU_VONG) as client:
            answer = client.get("/Patient?_count=3")
            shown = {entry["resource"]["id"] for entry in answer.json()["entry"]}
            [row] = rows_of(live, answer.headers["x-request-id"])
            assert set(row["patients"]) == shown
            answer = client.get("/Observation?_count=5&_include=Observation:patient")
            whose = {
                entry["resource"]["id"]
                for entry in answer.json()["entry"]
                if entry["resource"]["resourceType"] == "Patient"
            }
            [row] = rows_of(live, answer.headers["x-request-id"])
            assert set(row["patients"]) == whose
