"""Care before and at birth: visits by week of pregnancy, what is measured, the delivery."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from random import Random

from emr_demo.people.care import ZONE, Visit, clinic
from emr_demo.people.fhir import LOINC, SNOMED, concept, hl7, moment, refer
from emr_demo.people.measured import Context, add_observation
from emr_demo.people.record import Recorder
from emr_demo.people.treatment import Stay, add_procedure

_VISIT_WEEKS = (8, 12, 16, 20, 24, 28, 31, 34, 36, 38)
_TERM_DAYS = 280
_GESTATIONAL_AGE = ("18185-9", "Tuổi thai")
_FUNDAL_HEIGHT = ("11881-0", "Bề cao tử cung")
_FETAL_HEART = ("55283-6", "Tim thai")
_DUE_DATE = ("11778-8", "Ngày dự sinh")
_DELIVERY = ("73.59", "Đỡ đẻ thường ngôi chỏm")


@dataclass(frozen=True)
class Pregnancy:
    """Counted from the first day of the last period."""

    began: date

    @property
    def due(self) -> date:
        """The expected day of birth."""
        return self.began + timedelta(days=_TERM_DAYS)

    def week(self, day: date) -> int:
        """Completed weeks."""
        return (day - self.began).days // 7


def draw_pregnancy(rng: Random, start: date, end: date) -> Pregnancy:
    """One that is under way at some time between start and end."""
    return Pregnancy(start + timedelta(days=rng.randint(0, (end - start).days - 90)))


def visits(rng: Random, pregnancy: Pregnancy, end: date) -> list[Visit]:
    """Check-ups by week up to `end`, and the birth if it has come."""
    planned: list[Visit] = []
    for week in _VISIT_WEEKS:
        day = pregnancy.began + timedelta(days=7 * week + rng.randint(0, 4))
        day -= timedelta(days=max(0, day.weekday() - 4))
        if day <= end:
            complaint = f"khám thai {pregnancy.week(day)} tuần"
            visit = clinic(rng, day, "Z34.9")
            planned.append(Visit(visit.kind, visit.start, visit.end, visit.code, complaint=complaint))
    birth = pregnancy.due + timedelta(days=rng.randint(-10, 4))
    if birth + timedelta(days=3) <= end:
        start = datetime.combine(birth, time(rng.randint(0, 23), rng.randint(0, 59)), ZONE)
        planned.append(Visit("IMP", start, datetime.combine(birth + timedelta(days=2), time(10, 30), ZONE), "O80"))
    return planned


def write(recorder: Recorder, pregnancy: Pregnancy, planned: list[Visit]) -> None:
    """The visits with what is measured on mother and child."""
    for visit in planned:
        stay = recorder.visit(visit)
        if visit.code == "O80":
            add_procedure(recorder.chart, stay, _DELIVERY, visit.start + timedelta(hours=5))
        else:
            _measure(recorder, stay, pregnancy)


def _measure(recorder: Recorder, stay: Stay, pregnancy: Pregnancy) -> None:
    chart, week = recorder.chart, pregnancy.week(stay.visit.day)
    at = Context(stay.url, stay.visit.start + timedelta(minutes=15))
    add_observation(chart, at, _GESTATIONAL_AGE, (week, "tuần", "wk"))
    if week >= 12:
        add_observation(chart, at, _FETAL_HEART, (chart.rng.randint(132, 156), "lần/phút", "/min"))
    if week >= 20:
        add_observation(chart, at, _FUNDAL_HEIGHT, (week - 4 + chart.rng.randint(-1, 1), "cm", "cm"))
    if week < 16:
        _add_due_date(recorder, at, pregnancy)


def _add_due_date(recorder: Recorder, at: Context, pregnancy: Pregnancy) -> None:
    recorder.chart.bundle.add(
        {
            "resourceType": "Observation",
            "status": "final",
            "category": [hl7("observation-category", "exam")],
            "code": concept(LOINC, *_DUE_DATE),
            "subject": recorder.chart.patient,
            "encounter": refer(at.encounter),
            "effectiveDateTime": moment(at.when),
            "valueDateTime": pregnancy.due.isoformat(),
            "method": concept(SNOMED, "21840007", "Tính theo ngày kinh cuối"),
        }
    )
