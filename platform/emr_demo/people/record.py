"""From a person and their visits to a record: what each visit leaves behind."""

from dataclasses import replace
from datetime import date, timedelta
from random import Random

from emr_demo.people import vaccines
from emr_demo.people.body import Body, Illness
from emr_demo.people.care import Visit, window
from emr_demo.people.chart import Chart, open_chart
from emr_demo.people.diseases import disease
from emr_demo.people.measured import Context, add_panel, add_vitals
from emr_demo.people.medicines import PENICILLINS
from emr_demo.people.person import Person
from emr_demo.people.staff import House
from emr_demo.people.treatment import (
    DISCHARGE_SUMMARY,
    Stay,
    add_encounter,
    add_note,
    add_procedure,
    noon,
    prescribe,
)
from emr_demo.people.writing import discharge_note, visit_note, ward_note

_APPENDECTOMY = ("47.01", "Phẫu thuật nội soi cắt ruột thừa")
_SUTURE = ("86.59", "Khâu vết thương phần mềm")
_CHILDREN = 16


class Recorder:
    """Writes one patient's visits, in order, into their chart."""

    def __init__(self, rng: Random, person: Person, house: House, today: date, *, body: Body | None = None) -> None:
        start, end = window(today)
        self.chart: Chart = open_chart(rng, person, house, today)
        self.body = body or Body(rng, person, start=start, end=end)
        self._start = start
        self._follow_ups = 0

    def write(self, visits: list[Visit]) -> Chart:
        """Everything that the visits leave, and the vaccinations that are likely."""
        self.write_visits(visits)
        vaccines.vaccinate(self.chart, self._start)
        return self.chart

    def write_visits(self, visits: list[Visit]) -> None:
        """Everything that the visits leave; what the last follow-up prescribed is still taken."""
        last = max((visit for visit in visits if visit.follow_up), key=lambda visit: visit.start, default=None)
        for visit in visits:
            self.visit(visit, last=visit is last)

    def visit(self, visit: Visit, *, last: bool = False) -> Stay:
        """One visit: encounter, vital signs, results, medicines, notes."""
        rng, person = self.chart.rng, self.chart.person
        entry = disease(visit.code)
        visit = replace(visit, complaint=visit.complaint or rng.choice(entry.complaints))
        stay = add_encounter(self.chart, visit, self.department(visit))
        illness = Illness(visit.code, fever=rng.random() < entry.fever, day=3)
        at = Context(stay.url, visit.start + timedelta(minutes=10))
        vitals = self.body.vitals(visit.day, illness)
        add_vitals(self.chart, at, vitals)
        for panel in self._panels(visit):
            add_panel(self.chart, Context(stay.url, visit.start + timedelta(minutes=25)), panel, self.body, illness)
        recent = visit.end.date() + timedelta(days=5) >= self.chart.today
        prescribe(self.chart, stay, self._medicines(visit), current=last or recent or visit.ongoing)
        add_note(self.chart, stay, visit_note(rng, person, visit, vitals), visit.start + timedelta(minutes=20))
        if visit.kind == "IMP":
            self._ward_days(stay, illness)
        self._procedures(stay)
        return stay

    def department(self, visit: Visit) -> str:
        """Where the visit takes place."""
        if visit.kind == "EMER":
            return "cap-cuu"
        if visit.code in {"Z34.9", "O80"}:
            return "san"
        if self.chart.person.age(visit.day) < _CHILDREN:
            return "nhi"
        if visit.code.startswith(("S", "K35")):
            return "ngoai"
        return "noi" if visit.kind == "IMP" else "kham"

    def _panels(self, visit: Visit) -> list[str]:
        """A follow-up measures each lasting disease's tests at every second visit."""
        if not visit.follow_up:
            return list(disease(visit.code).panels)
        self._follow_ups += 1
        if self._follow_ups % 2 == 0:
            return []
        wanted = [panel for one in self.chart.person.lasting for panel in disease(one.code).panels]
        return list(dict.fromkeys(wanted))

    def _medicines(self, visit: Visit) -> list[str]:
        person, age = self.chart.person, self.chart.person.age(visit.day)
        codes = [one.code for one in person.lasting] if visit.follow_up else [visit.code]
        keys = [key for code in codes for key in disease(code).medicines_for(age)]
        if person.allergic_to_penicillin():
            keys = [key for key in keys if key not in PENICILLINS]
        return keys

    def _ward_days(self, stay: Stay, illness: Illness) -> None:
        """From the second day: vital signs, a note each second day, blood in dengue; a summary at the end."""
        visit, chart = stay.visit, self.chart
        final = min(visit.end.date(), chart.today - timedelta(days=1))
        days = (final - visit.day).days
        for number in range(1, days + 1):
            day = visit.day + timedelta(days=number)
            state = replace(illness, day=illness.day + number, fever=illness.fever and number < 3)
            vitals = self.body.vitals(day, state)
            at = Context(stay.url, noon(day) - timedelta(hours=4))
            add_vitals(chart, at, vitals)
            if visit.code in {"A90", "A91"}:
                add_panel(chart, at, "blood-count", self.body, state)
            if number % 2:
                add_note(chart, stay, ward_note(chart.rng, visit, number + 1, vitals), noon(day) - timedelta(hours=3))
        if not visit.ongoing:
            add_note(chart, stay, discharge_note(visit, days + 1), visit.end, kind=DISCHARGE_SUMMARY)

    def _procedures(self, stay: Stay) -> None:
        if stay.visit.code == "K35.8":
            add_procedure(self.chart, stay, _APPENDECTOMY, stay.visit.start + timedelta(hours=6))
        elif stay.visit.code == "S61.9":
            add_procedure(self.chart, stay, _SUTURE, stay.visit.start + timedelta(minutes=40))
            vaccines.tetanus(self.chart, stay.visit.day)
