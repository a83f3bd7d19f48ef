"""Patients made by hand, so that a demonstration finds what it needs: told by their record numbers.

Each hospital has the same five: somebody with several lasting diseases, a growing child, a pregnant woman, somebody in
bed with dengue, and a canary whose words must never be seen by the other hospital. The first is one and the same
person in both; so are the people of `shared_people`.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from random import Random
from typing import ClassVar

from emr_demo.people import numbers, vaccines
from emr_demo.people.body import Body, Illness, Vitals, egfr
from emr_demo.people.care import ZONE, Visit, clinic, plan, window
from emr_demo.people.chart import Chart, add_immunization
from emr_demo.people.hospital import HOA_SEN, HospitalProfile
from emr_demo.people.names import Name
from emr_demo.people.person import PENICILLIN, Allergy, Card, Lasting, Person, draw_person
from emr_demo.people.places import WARDS, Address
from emr_demo.people.pregnancy import Pregnancy
from emr_demo.people.pregnancy import visits as pregnancy_visits
from emr_demo.people.pregnancy import write as write_pregnancy
from emr_demo.people.record import Recorder
from emr_demo.people.staff import House

SHARED_BANDS = (1, 3, 5, 6)


@dataclass(frozen=True)
class Sketch:
    """The few facts that a hand-made person needs."""

    serial: int
    name: Name
    female: bool
    born: date
    group: str
    lasting: tuple[Lasting, ...] = ()
    allergies: tuple[Allergy, ...] = ()


def canary(slug: str) -> str:
    """A word that occurs in this hospital's data and nowhere else."""
    return f"canary-{slug}-{hashlib.sha256(slug.encode()).hexdigest()[:8]}"


def stories(profile: HospitalProfile, seed: int, today: date) -> list[Chart]:
    """The hand-made patients of a hospital."""
    first = profile.slug == HOA_SEN.slug
    return [
        (_hoa_at_home if first else _hoa_elsewhere)(_rng(profile, seed, "hoa"), profile, today),
        _child(_rng(profile, seed, "child"), profile, today),
        _mother(_rng(profile, seed, "mother"), profile, today),
        _dengue(_rng(profile, seed, "dengue"), profile, today),
        _canary(_rng(profile, seed, "canary"), profile, today),
    ]


def shared_people(profile: HospitalProfile, seed: int, today: date) -> list[Chart]:
    """People who are patients of both hospitals: same person and cards, another record number, other visits."""
    charts = []
    for number, band in enumerate(SHARED_BANDS, 8001):
        drawn = draw_person(Random(f"{seed}:shared:{number}"), HOA_SEN, number, band=band, today=today)
        person = replace(drawn, record_number=numbers.record_number(profile.record_prefix, number))
        rng = _rng(profile, seed, f"shared:{number}")
        charts.append(Recorder(rng, person, House(profile), today).write(plan(rng, person, today)))
    return charts


class _HoasBody(Body):
    """Blood pressure, sugar and kidneys as told, everything else as drawn."""

    # Days before today → systolic, diastolic, pulse, saturation, weight in kg.
    SIGNS: ClassVar[dict[int, tuple[int, int, int, int, float]]] = {
        1: (168, 96, 84, 97, 58.5), 45: (142, 88, 78, 98, 59.0), 78: (138, 84, 80, 97, 59.2),
        108: (140, 86, 78, 97, 59.4), 192: (136, 82, 79, 98, 59.6), 276: (134, 82, 77, 98, 60.1),
        360: (138, 84, 80, 97, 60.3), 444: (146, 90, 82, 97, 60.8), 528: (150, 92, 81, 98, 61.0),
        612: (144, 88, 79, 97, 61.2), 696: (148, 90, 80, 98, 61.4),
    }  # fmt: skip
    # Days before today → HbA1c in %, creatinine in µmol/L, potassium in mmol/L.
    BLOOD: ClassVar[dict[int, tuple[float, int, float]]] = {
        1: (7.8, 98, 4.3), 78: (7.4, 95, 4.1), 192: (7.1, 93, 4.4),
        360: (7.3, 94, 4.2), 528: (7.6, 92, 4.3), 696: (8.1, 92, 4.2),
    }  # fmt: skip

    def __init__(self, rng: Random, person: Person, today: date) -> None:
        start, end = window(today)
        super().__init__(rng, person, start=start, end=end)
        self._hoa, self._today = person, today

    def vitals(self, day: date, illness: Illness) -> Vitals:
        """As told where told."""
        drawn = replace(super().vitals(day, illness), height=155.0)
        told = self.SIGNS.get((self._today - day).days)
        if told is None:
            return drawn
        systolic, diastolic, pulse, saturation, weight = told
        return replace(drawn, systolic=systolic, diastolic=diastolic, pulse=pulse, saturation=saturation, weight=weight)

    def results(self, panel: str, day: date, illness: Illness) -> dict[str, float]:
        """As told where told; eGFR follows from creatinine."""
        drawn = super().results(panel, day, illness)
        told = self.BLOOD.get((self._today - day).days)
        if told is None:
            return drawn
        hba1c, creatinine, potassium = told
        rate = round(egfr(creatinine, female=True, age=self._hoa.age(day)))
        known = {"hba1c": hba1c, "creatinine": creatinine, "potassium": potassium, "egfr": rate}
        return {name: known.get(name, value) for name, value in drawn.items()}


def _hoa(profile: HospitalProfile, serial: int, today: date) -> Person:
    year = today.year
    anaphylaxis = Allergy(PENICILLIN, "medication", ("39579001", "Phản vệ"), dangerous=True, since=date(2019, 5, 20))
    sketch = Sketch(
        4821, Name("Nguyễn", "Thị", "Hoa"), female=True, born=date(year - 67, 3, 12), group="GD4",
        lasting=(
            Lasting("I10", date(year - 12, 4, 10), "Kiểm soát chưa đạt."),
            Lasting("E11.9", date(year - 9, 8, 3)),
            Lasting("N18.3", date(year - 3, 6, 18), "Giai đoạn 3a."),
            Lasting("M17.9", date(year - 6, 2, 25)),
        ),
        allergies=(anaphylaxis,),
    )  # fmt: skip
    person = _person(HOA_SEN, sketch, today)
    return replace(person, record_number=numbers.record_number(profile.record_prefix, serial))


def _hoa_at_home(rng: Random, profile: HospitalProfile, today: date) -> Chart:
    person = _hoa(profile, 4821, today)
    recorder = Recorder(rng, person, House(profile), today, body=_HoasBody(rng, person, today))
    visits = []
    for days in sorted(_HoasBody.SIGNS, reverse=True):
        visit = clinic(rng, today - timedelta(days=days), "I10", follow_up=True)
        complaint = "chóng mặt, đau đầu vùng chẩm hai ngày nay" if days == 1 else "tái khám định kỳ"
        visits.append(replace(visit, complaint=complaint))
    recorder.write_visits(visits)
    add_immunization(recorder.chart, vaccines.FLU, date(today.year - 1, 10, 14), 1)
    add_immunization(recorder.chart, vaccines.PNEUMOCOCCAL, date(today.year - 2, 4, 9), 1)
    return recorder.chart


def _hoa_elsewhere(rng: Random, profile: HospitalProfile, today: date) -> Chart:
    """Five days with pneumonia, on a journey, twenty months ago."""
    person = _hoa(profile, 1207, today)
    start = datetime.combine(today - timedelta(days=623), time(21, 40), ZONE)
    visit = Visit(
        "IMP", start, start + timedelta(days=4, hours=13), "J18.9", complaint="sốt cao, ho đàm, thở mệt 3 ngày"
    )
    return Recorder(rng, person, House(profile), today, body=_HoasBody(rng, person, today)).write([visit])


def _child(rng: Random, profile: HospitalProfile, today: date) -> Chart:
    name = Name("Lê", "Gia", "Hân") if profile.slug == HOA_SEN.slug else Name("Trần", "Minh", "Khôi")
    born = today - timedelta(days=685)
    person = _person(profile, Sketch(4822, name, female=name.given == "Hân", born=born, group="TE1"), today)
    visits = []
    for months in (1, 2, 3, 4, 6, 9, 12, 15, 18, 22):
        day = born + timedelta(days=round(months * 30.4375) + 1)
        day -= timedelta(days=max(0, day.weekday() - 4))
        visits.append(replace(clinic(rng, day, "Z00.1"), complaint=f"khám định kỳ {months} tháng tuổi"))
    return Recorder(rng, person, House(profile), today).write(visits)


def _mother(rng: Random, profile: HospitalProfile, today: date) -> Chart:
    name = Name("Phạm", "Ngọc", "Trâm") if profile.slug == HOA_SEN.slug else Name("Lê", "Thị", "Thu")
    born = date(today.year - 28, 6, 2)
    person = _person(profile, Sketch(4823, name, female=True, born=born, group="DN4"), today)
    recorder = Recorder(rng, person, House(profile), today)
    pregnancy = Pregnancy(today - timedelta(days=7 * 29))
    write_pregnancy(recorder, pregnancy, pregnancy_visits(rng, pregnancy, today - timedelta(days=1)))
    return recorder.chart


def _dengue(rng: Random, profile: HospitalProfile, today: date) -> Chart:
    name = Name("Võ", "Quốc", "Khánh") if profile.slug == HOA_SEN.slug else Name("Bùi", "Thanh", "Trúc")
    sketch = Sketch(4824, name, female=name.given == "Trúc", born=date(today.year - 24, 9, 9), group="DN4")
    start = datetime.combine(today - timedelta(days=3), time(19, 25), ZONE)
    complaint = "sốt ngày thứ 4, đau bụng, nôn nhiều, chấm đỏ hai chân"
    visit = Visit("IMP", start, start + timedelta(days=3), "A91", complaint=complaint, ongoing=True)
    return Recorder(rng, _person(profile, sketch, today), House(profile), today).write([visit])


def _canary(rng: Random, profile: HospitalProfile, today: date) -> Chart:
    word = canary(profile.slug)
    sketch = Sketch(
        9999, Name("Hoàng", "Bạch", "Yến"), female=True, born=date(1980, 1, 1), group="DN4",
        lasting=(Lasting("K29.5", date(2020, 1, 1), word),),
    )  # fmt: skip
    person = _person(profile, sketch, today)
    person = replace(person, address=replace(person.address, line=f"Nhà {word}"))
    visit = replace(clinic(rng, today - timedelta(days=10), "K29.5", follow_up=True), complaint=f"{word} đau thượng vị")
    return Recorder(rng, person, House(profile), today).write([visit])


def _person(profile: HospitalProfile, sketch: Sketch, today: date) -> Person:
    ward = next(ward for ward in WARDS if ward.province == profile.province)
    serial = profile.first_serial // 1000 * 10 + sketch.serial % 10
    line = "27 Lê Lợi" if ward.name.startswith("Phường") else "Ấp 3"
    number = numbers.bhyt(group=sketch.group, province=profile.province, serial=serial)
    return Person(
        record_number=numbers.record_number(profile.record_prefix, sketch.serial),
        name=sketch.name,
        female=sketch.female,
        born=sketch.born,
        ethnicity="01",
        address=Address(line, ward),
        phone=f"09000009{serial % 100:02d}",
        cccd=numbers.cccd(birth_province=f"0{profile.province}", female=sketch.female, born=sketch.born, serial=serial),
        card=Card(number, max(sketch.born, date(today.year, 1, 1)), date(today.year, 12, 31)),
        lasting=sketch.lasting,
        allergies=sketch.allergies,
    )


def _rng(profile: HospitalProfile, seed: int, story: str) -> Random:
    return Random(f"{seed}:{profile.slug}:{story}")
