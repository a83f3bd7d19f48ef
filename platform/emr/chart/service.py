"""The reads of the chart: one patient as a whole, one part of it, and finding a patient."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from emr.chart.readings import Reading, readings
from emr.chart.views import ChartView, Gathered, chart_view
from emr.imaging.actions.find import find_studies
from emr.imaging.matching import Matching
from emr.records.compartment import compartment
from emr.records.errors import ResourceNotFound
from emr.records.people import find_people
from emr.records.read import read
from emr.records.search.find import Page, search
from emr.records.stored import Stored
from emr.web.forms import fhir_date
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

_MOST: Final = {
    "AllergyIntolerance": 60,
    "Coverage": 6,
    "Condition": 120,
    "MedicationRequest": 60,
    "Observation": 240,
    "Encounter": 12,
    "DocumentReference": 14,
    "ImagingStudy": 6,
    "Immunization": 30,
}
FOUND: Final = 20
RECENT: Final = 15
PER_PAGE: Final = 25
_RECENTLY: Final = timedelta(days=60)
_YEAR: Final = re.compile(r"(19|20)[0-9]{2}")
_PHONE: Final = re.compile(r"(\+84|0)[0-9]{8,10}")


def zone_of(work: UnitOfWork) -> ZoneInfo:
    """The hospital's time zone."""
    return ZoneInfo(work.tenant.time_zone)


@use_case("chart:read", "chart.read")
async def read_chart(work: UnitOfWork, patient_id: str) -> ChartView:
    """The whole chart. Raises `ResourceNotFound`, `ResourceGone`."""
    stored, found = await compartment(work, patient_id, _MOST)
    lists = {name: [_decoded(item) for item in items] for name, items in found.items()}
    gathered = Gathered(
        patient=stored.resource(),
        allergies=lists["AllergyIntolerance"],
        coverages=lists["Coverage"],
        conditions=lists["Condition"],
        medicines=lists["MedicationRequest"],
        observations=lists["Observation"],
        encounters=lists["Encounter"],
        documents=lists["DocumentReference"],
        studies=lists["ImagingStudy"],
        pictures=await find_studies(work, Matching(patients=(patient_id,), limit=4)),
        immunizations=lists["Immunization"],
    )
    return chart_view(gathered, now=work.clock(), zone=zone_of(work))


@use_case("patient:find", "patient.searched")
async def find_patients(work: UnitOfWork, text: str) -> Sequence[Mapping[str, Any]]:
    """Patients by words of the name in any order and without accents, by a number, a phone or a birth date.

    A year beside a name narrows it. The closest first, at most `FOUND`.
    """
    asked = " ".join(text.split())
    if born := fhir_date(asked):
        return await _people(work, [("birthdate", born)])
    if _PHONE.fullmatch(asked.replace(" ", "").replace(".", "")):
        found = await _people(work, [("phone", asked.replace(" ", "").replace(".", ""))])
        if found:
            return found
    years = [word for word in asked.split() if _YEAR.fullmatch(word)]
    named = " ".join(word for word in asked.split() if word not in years) if years else asked
    people = [item.resource() for item in await find_people(work, named or asked, limit=FOUND * (3 if years else 1))]
    if years and named:
        people = [person for person in people if str(person.get("birthDate", ""))[:4] in years]
    return people[:FOUND]


@use_case("patient:find", "patient.recent-shown")
async def recent_patients(work: UnitOfWork) -> Sequence[Mapping[str, Any]]:
    """Whom the hospital has seen last: patients of the newest encounters, each once, at most `RECENT`."""
    since = (now_in(work) - _RECENTLY).date().isoformat()
    criteria = [
        ("date", f"ge{since}"),
        ("_sort", "-date"),
        ("_count", str(RECENT * 3)),
        ("_include", "Encounter:subject"),
    ]
    page = await search(work, "Encounter", criteria)
    people = {f"Patient/{item.id}": item.resource() for item in page.included if item.type == "Patient"}
    seen = dict.fromkeys(encounter.get("subject", {}).get("reference", "") for encounter in _resources(page))
    return [people[reference] for reference in seen if reference in people][:RECENT]


@use_case("chart:read", "chart.results-read")
async def read_results(
    work: UnitOfWork, patient_id: str, *, code: str = "", cursor: str = ""
) -> tuple[list[Reading], str]:
    """One page of results, newest first, of one kind (LOINC code) or all; the next page's cursor, "" at the end."""
    criteria = [("patient", patient_id), ("_sort", "-date"), ("_count", str(PER_PAGE * 4))]
    criteria += [("code", code)] if code else [("category", "laboratory")]
    page = await search(work, "Observation", [*criteria, *_from(cursor)])
    return readings(_resources(page), zone_of(work)), page.cursor or ""


@use_case("chart:read", "chart.encounters-read")
async def read_encounters(work: UnitOfWork, patient_id: str, *, cursor: str = "") -> tuple[list[dict[str, Any]], str]:
    """One page of encounters, newest first, and the cursor of the next page."""
    criteria = [("patient", patient_id), ("_sort", "-date"), ("_count", str(PER_PAGE))]
    page = await search(work, "Encounter", [*criteria, *_from(cursor)])
    return _resources(page), page.cursor or ""


@use_case("chart:read", "chart.encounter-read")
async def read_encounter(work: UnitOfWork, patient_id: str, encounter_id: str) -> Mapping[str, list[dict[str, Any]]]:
    """One encounter of this patient and what was recorded in it. Raises `ResourceNotFound`."""
    encounter = await _own(work, patient_id, "Encounter", encounter_id)
    found: dict[str, list[dict[str, Any]]] = {"Encounter": [encounter]}
    for name, count in (("Condition", 30), ("Observation", 200), ("DocumentReference", 30), ("MedicationRequest", 30)):
        criteria = [("patient", patient_id), ("encounter", f"Encounter/{encounter_id}"), ("_count", str(count))]
        found[name] = _resources(await search(work, name, criteria))
    return found


@use_case("chart:read", "chart.note-read")
async def read_note(work: UnitOfWork, patient_id: str, note_id: str) -> dict[str, Any]:
    """One note of this patient. Raises `ResourceNotFound`."""
    return await _own(work, patient_id, "DocumentReference", note_id)


def _decoded(stored: Stored) -> dict[str, Any]:
    """The body as a dict, without the checks for foreign input: it was stored by us, and a chart reads hundreds."""
    decoded: dict[str, Any] = json.loads(stored.body, parse_float=Decimal)
    return decoded


async def _own(work: UnitOfWork, patient_id: str, resource_type: str, resource_id: str) -> dict[str, Any]:
    """A resource, when it is in this patient's compartment: the address must not lead into another's record."""
    stored = await read(work, resource_type, resource_id)
    if patient_id not in stored.patients:
        raise ResourceNotFound(resource_type, resource_id)
    return stored.resource()


async def _people(work: UnitOfWork, criteria: list[tuple[str, str]]) -> Sequence[Mapping[str, Any]]:
    return _resources(await search(work, "Patient", [*criteria, ("_count", str(FOUND))]))


def _resources(page: Page) -> list[dict[str, Any]]:
    return [item.resource() for item in page.matches]


def _from(cursor: str) -> list[tuple[str, str]]:
    return [("_cursor", cursor)] if cursor else []


def now_in(work: UnitOfWork) -> datetime:
    """The present moment in the hospital's zone."""
    return work.clock().astimezone(zone_of(work))
