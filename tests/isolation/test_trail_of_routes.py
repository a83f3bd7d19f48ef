"""Every route leaves its row: who asks, of whatever standing, is written down, and whose data were shown is named.

Stands behind the other tests of this folder: it changes what is planted.
"""

import httpx
import pytest

from tests.audit.rows import directory_rows_of, rows_of
from tests.house import CAU_VONG, HOA_SEN, House
from tests.isolation.conftest import Planted
from tests.isolation.test_routes import PRIVATE, ask, filled, ids_of

NOBODYS = frozenset({"/h/{slug}/codes", "/h/{slug}/me/active"})
"""Answers with words that are nobody's data, or with nothing: somebody sits at the page."""
FIRST_PAGE = "/h/{slug}/"
"""Shows who may find no patient nothing but the hospital's name."""
THINGS = ("{patient}", "{document}", "{study}", "{note}", "{binary}")
"""Parts of an address that name something of the planted patient."""
ORDERED = sorted(PRIVATE, key=lambda each: ("GET", "POST", "PUT", "PATCH", "DELETE").index(each[0]))
NO_PATIENT = frozenset({"/h/{slug}/fhir/Binary/{binary}"})
"""The planted Binary belongs to nobody: no resource of a patient refers to it."""


def written(live: House, answer: httpx.Response) -> list[dict[str, object]]:
    return rows_of(live, answer.headers["x-request-id"])


class TestEveryRoute:
    @pytest.mark.parametrize("role", ["doctor", "warehouse"])
    def test_what_a_member_asks_is_written_down_and_names_whose_data_were_shown(
        self, live: House, planted: Planted, role: str
    ) -> None:
        silent: list[tuple[str, str]] = []
        unnamed: list[tuple[str, str]] = []
        with live.client(role, CAU_VONG) as client:
            for method, path in ORDERED:
                answer = ask(client, live, method, filled(path, CAU_VONG, ids_of(planted)))
                rows = written(live, answer)
                if not rows and path not in NOBODYS and (path, role) != (FIRST_PAGE, "warehouse"):
                    silent.append((method, path))
                shown = answer.is_success and any(each in path for each in THINGS) and path not in NO_PATIENT
                if shown and not any(planted.patient in row["patients"] for row in rows):  # type: ignore[operator]
                    unnamed.append((method, path))
        assert (silent, unnamed) == ([], [])

    def test_a_refused_outsider_is_written_down(self, live: House, planted: Planted) -> None:
        with live.client("doctor", HOA_SEN) as client:
            answers = {each: ask(client, live, each[0], filled(each[1], CAU_VONG, ids_of(planted))) for each in PRIVATE}
        assert not [each for each, answer in answers.items() if len(written(live, answer)) != 1]

    def test_nobody_is_written_down_too(self, live: House, planted: Planted) -> None:
        with httpx.Client(trust_env=False) as client:
            answers = {each: ask(client, live, each[0], filled(each[1], CAU_VONG, ids_of(planted))) for each in PRIVATE}
        assert not [each for each, answer in answers.items() if len(written(live, answer)) != 1]

    def test_who_asks_for_a_hospital_that_is_not_there_stands_in_the_directory(
        self, live: House, planted: Planted
    ) -> None:
        with live.client() as client:
            answers = {
                each: ask(client, live, each[0], filled(each[1], "nowhere", ids_of(planted))) for each in PRIVATE
            }
        silent = [
            each for each, answer in answers.items() if not directory_rows_of(live, answer.headers["x-request-id"])
        ]
        assert silent == []


class TestSearches:
    def test_the_row_names_the_patients_of_the_page_that_was_shown(self, live: House, planted: Planted) -> None:
        with live.client("doctor", CAU_VONG) as client:
            answer = client.get("/Patient?_count=3")
            shown = {entry["resource"]["id"] for entry in answer.json()["entry"]}
            [row] = written(live, answer)
            assert set(row["patients"]) == shown  # type: ignore[call-overload]
            answer = client.get("/Observation?_count=5&_include=Observation:patient")
            whose = {
                entry["resource"]["id"]
                for entry in answer.json()["entry"]
                if entry["resource"]["resourceType"] == "Patient"
            }
            [row] = written(live, answer)
            assert set(row["patients"]) == whose  # type: ignore[call-overload]
