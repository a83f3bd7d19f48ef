"""`Observation/$lastn` over HTTP (observation-operation-lastn.html)."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.fhir.samples import FHIR, Json, ids, made, observation, patient, refusal
from tests.house import House

VITALS = [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}]}]


@dataclass
class Chart:
    """A patient whose temperatures are coded in two ways, with pulses, a text and a stranger's pulse."""

    patient: str
    stranger: str
    temperatures: list[str]
    pulses: list[str]
    text: str
    theirs: str


@pytest.fixture(scope="module")
def client(live: House) -> Iterator[httpx.Client]:
    with live.client() as made_client:
        yield made_client


def coded(*codes: str) -> Json:
    return {"coding": [{"system": system, "code": code} for system, code in (each.split("|") for each in codes)]}


def measured(client: httpx.Client, own: str, code: Json, day: int, **more: Any) -> str:
    parts = {"code": code, "category": VITALS, "effectiveDateTime": f"2026-01-{day:02}T08:00:00+07:00"} | more
    found: str = made(client, observation(own, **parts))["id"]
    return found


@pytest.fixture(scope="module")
def chart(client: httpx.Client) -> Chart:
    own, stranger = made(client, patient())["id"], made(client, patient())["id"]
    temperatures = [
        measured(client, own, coded("http://loinc.org|8310-5"), 1),
        measured(client, own, coded("http://loinc.org|8310-5", "urn:house|nhiet-do"), 2),
        measured(client, own, coded("urn:house|nhiet-do"), 3),
    ]
    pulses = [measured(client, own, coded("http://loinc.org|8867-4"), day) for day in (4, 5, 5)]
    text = measured(client, own, {"text": "Đau"}, 6)
    return Chart(
        own, stranger, temperatures, pulses, text, measured(client, stranger, coded("http://loinc.org|8867-4"), 9)
    )


def last(client: httpx.Client, query: str) -> list[str]:
    answer = client.get(f"/Observation/$lastn?{query}")
    assert answer.status_code == 200, answer.text
    return ids(answer.json())


class TestWhoMay:
    def test_a_role_without_sight_of_observations_is_refused(self, live: House, chart: Chart) -> None:
        with live.client("reception") as reception:
            answer = reception.get(f"/Observation/$lastn?patient={chart.patient}&category=vital-signs")
        assert refusal(answer)[:2] == (403, "role-may-not-see")

    def test_another_hospital_has_none_of_them(self, neighbour: httpx.Client, chart: Chart) -> None:
        assert last(neighbour, f"patient={chart.patient}&category=vital-signs") == []


class TestLastN:
    def test_one_of_each_group_and_ties_newest_first(self, client: httpx.Client, chart: Chart) -> None:
        found = last(client, f"patient={chart.patient}&category=vital-signs")
        assert found == [chart.text, *reversed(chart.pulses[1:]), chart.temperatures[2]]

    def test_translations_make_one_group(self, client: httpx.Client, chart: Chart) -> None:
        found = last(client, f"patient={chart.patient}&category=vital-signs&max=2")
        assert [each for each in found if each in chart.temperatures] == [chart.temperatures[2], chart.temperatures[1]]

    def test_more_than_there_are(self, client: httpx.Client, chart: Chart) -> None:
        found = last(client, f"subject=Patient/{chart.patient}&category=vital-signs&max=50")
        assert set(found) == {*chart.temperatures, *chart.pulses, chart.text}

    def test_by_code_and_other_criteria(self, client: httpx.Client, chart: Chart) -> None:
        query = f"patient=Patient/{chart.patient}&code=http://loinc.org|8867-4&date=lt2026-01-05"
        assert last(client, query) == [chart.pulses[0]]

    def test_several_subjects_have_groups_of_their_own(self, client: httpx.Client, chart: Chart) -> None:
        query = f"subject=Patient/{chart.patient},Patient/{chart.stranger}&code=http://loinc.org|8867-4"
        assert last(client, query) == [chart.theirs, *reversed(chart.pulses[1:])]

    def test_by_post_with_parameters_or_a_form(self, client: httpx.Client, chart: Chart) -> None:
        parts = [
            {"name": "max", "valuePositiveInt": 1},
            {"name": "patient", "valueString": chart.patient},
            {"name": "code", "valueString": "http://loinc.org|8310-5"},
        ]
        body = json.dumps({"resourceType": "Parameters", "parameter": parts})
        sent = client.post("/Observation/$lastn", content=body, headers=FHIR)
        form = {"patient": chart.patient, "code": "http://loinc.org|8310-5"}
        assert ids(sent.json()) == ids(client.post("/Observation/$lastn", data=form).json()) == [chart.temperatures[1]]

    def test_nothing_fits(self, client: httpx.Client, chart: Chart) -> None:
        answer = client.get(f"/Observation/$lastn?patient={chart.patient}&category=laboratory")
        assert answer.json()["total"] == 0
        assert "entry" not in answer.json()

    def test_a_deleted_one_is_not_the_last(self, client: httpx.Client) -> None:
        own = made(client, patient())["id"]
        kept, gone = [measured(client, own, coded("http://loinc.org|8867-4"), day) for day in (1, 2)]
        client.delete(f"/Observation/{gone}")
        assert last(client, f"patient={own}&category=vital-signs") == [kept]


class TestRefused:
    @pytest.mark.parametrize(
        ("query", "code", "place"),
        [
            ("category=vital-signs", "parameter-required", "patient"),
            ("patient=x", "parameter-required", "category"),
            ("patient=x&category=y&max=0", "parameter-value", "max"),
            ("patient=x&category=y&max=one", "parameter-value", "max"),
            ("patient=x&category=y&max=1&max=2", "parameter-repeated", "max"),
            ("patient=x&category=y&_count=1", "parameter-unknown", "_count"),
            ("patient=x&category=y&_sort=date", "parameter-unknown", "_sort"),
            ("patient=x&category=y&colour=red", "search-parameter-unknown", "colour"),
        ],
    )
    def test_what_is_missing_or_not_understood_is_named(
        self, client: httpx.Client, query: str, code: str, place: str
    ) -> None:
        assert refusal(client.get(f"/Observation/$lastn?{query}")) == (400, code, place)
