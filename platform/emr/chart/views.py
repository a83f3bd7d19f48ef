"""The whole chart of one patient as values, from lists of FHIR resources. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from emr.chart import care, story
from emr.chart.growth import GrowthRow, growth_rows
from emr.chart.readings import Reading, Resource, readings
from emr.chart.results import ResultRow, new_ones, result_rows
from emr.chart.vitals import Vitals, vital_table
from emr.documents.parts import DocumentRow, document_rows
from emr.imaging.actions.find import FoundStudy
from emr.imaging.parts import StudyRow, study_row
from emr.web.moments import local, months_between
from emr.web.patient import Banner, build_banner

RESULTS_SHOWN = 9
CHILD_MONTHS = 19 * 12
ROWS = 10.2
"""Two-line rows of the left column at 1366×768."""
FOLD = 0.65
"""What the line «n more» takes of a row."""


@dataclass(frozen=True)
class Gathered:
    """Everything that the chart is made from. pictures: studies whose images are here, not only spoken of."""

    patient: Resource
    allergies: Sequence[Resource] = ()
    coverages: Sequence[Resource] = ()
    conditions: Sequence[Resource] = ()
    medicines: Sequence[Resource] = ()
    observations: Sequence[Resource] = ()
    encounters: Sequence[Resource] = ()
    documents: Sequence[Resource] = ()
    studies: Sequence[Resource] = ()
    pictures: Sequence[FoundStudy] = ()
    immunizations: Sequence[Resource] = ()


@dataclass(frozen=True)
class Fit:
    """How many rows of the left column stand open, so that all three cards fit on a ward PC without scrolling."""

    allergies: int
    problems: int
    medicines: int


def fit(allergies: int, problems: int, medicines: int, *, past: int = 0) -> Fit:
    """Share the column's rows: allergies first (at most 3), then problems and medicines (2 to 5 each)."""
    shown = [min(allergies, 3), min(problems, 5), min(medicines, 5)]
    wanted = (allergies, problems, medicines)
    while True:
        folded = sum(has > rows for has, rows in zip(wanted, shown, strict=True)) + (past > 0)
        longest = 2 if shown[2] > shown[1] else 1
        if sum(shown) + folded * FOLD <= ROWS or shown[longest] <= 2:
            return Fit(*shown)
        shown[longest] -= 1


@dataclass(frozen=True)
class ChartView:
    """What the page shows. fresh: how many results are new."""

    banner: Banner
    allergies: tuple[care.AllergyRow, ...]
    problems: tuple[care.ProblemRow, ...]
    past_problems: tuple[care.ProblemRow, ...]
    medicines: tuple[care.MedicineRow, ...]
    vaccines: tuple[care.VaccineRow, ...]
    vitals: Vitals
    results: tuple[ResultRow, ...]
    fresh: int
    visits: tuple[story.VisitRow, ...]
    notes: tuple[story.NoteRow, ...]
    papers: tuple[DocumentRow, ...]
    studies: tuple[story.StudyRow, ...]
    pictures: tuple[StudyRow, ...]
    growth: tuple[GrowthRow, ...]
    fit: Fit


def chart_view(found: Gathered, *, now: datetime, zone: ZoneInfo) -> ChartView:
    """The chart as it stands at `now`."""
    today = now.astimezone(zone)
    months = age_in_months(found.patient, today, zone)
    conditions = care.problems(found.conditions, zone)
    signs, tests = by_category(found.observations)
    rows = result_rows(readings(tests, zone), today)
    pictures = tuple(study_row(study) for study in found.pictures)
    shown = {picture.uid for picture in pictures}
    allergies = tuple(care.allergies(found.allergies, zone))
    medicines = tuple(care.medicines(found.medicines, today, zone))
    running = tuple(row for row in conditions if row.active)
    past = tuple(row for row in conditions if not row.active)
    return ChartView(
        banner=build_banner(found.patient, found.allergies, found.coverages, now=now, zone=zone),
        allergies=allergies,
        problems=running,
        past_problems=past,
        medicines=medicines,
        vaccines=tuple(care.vaccines(found.immunizations, zone)),
        vitals=vital_signs(signs, months, zone),
        results=tuple(rows[:RESULTS_SHOWN]),
        fresh=new_ones(rows),
        visits=tuple(story.visits(found.encounters, zone)),
        notes=tuple(story.notes(found.documents, zone)),
        papers=document_rows([item for item in found.documents if not story.is_note(item)], zone),
        studies=tuple(row for row in story.studies(found.studies, zone) if row.uid not in shown),
        pictures=pictures,
        growth=growth_rows(readings(signs, zone)) if months is not None and months < CHILD_MONTHS else (),
        fit=fit(len(allergies), len(running), len(medicines), past=len(past)),
    )


def by_category(observations: Sequence[Resource]) -> tuple[list[Resource], list[Resource]]:
    """Vital signs, and results of tests; questionnaires and social history are neither."""
    signs = [item for item in observations if "vital-signs" in _categories(item)]
    tests = [item for item in observations if _categories(item) & {"laboratory", "procedure", "imaging", "exam"}]
    return signs, tests


def _categories(item: Resource) -> set[str]:
    return {str(coding.get("code")) for said in item.get("category", ()) for coding in said.get("coding", ())}


def vital_signs(observations: Sequence[Resource], months: int | None, zone: ZoneInfo) -> Vitals:
    """The table of vital signs for a patient of this age."""
    found: list[Reading] = readings(observations, zone)
    return vital_table(found, years=None if months is None else months // 12)


def age_in_months(patient: Resource, today: datetime, zone: ZoneInfo) -> int | None:
    """Whole months of age, None when the birth date is unknown."""
    born = local(patient.get("birthDate"), zone)
    return months_between(born.date(), today.date()) if born else None
