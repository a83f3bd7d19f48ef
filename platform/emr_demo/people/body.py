"""What is measured on a made-up patient: vital signs and laboratory values that hang together over time."""

import math
from dataclasses import dataclass
from datetime import date
from random import Random

from emr_demo.people.analytes import ANALYTES, PANELS
from emr_demo.people.growth import median
from emr_demo.people.person import Person

_ADULT = 18


@dataclass(frozen=True)
class Vitals:
    """mmHg, beats and breaths per minute, °C, %, kg, cm; the head only of small children."""

    systolic: int | None
    diastolic: int | None
    pulse: int
    breaths: int
    temperature: float
    saturation: int
    weight: float
    height: float
    head: float | None


@dataclass(frozen=True)
class Illness:
    """What the present illness does to the measurements."""

    code: str = ""
    fever: bool = False
    day: int = 1
    """Day of illness; dengue's platelets are lowest on the sixth."""


class Body:
    """A patient's constants, drawn once, and what they give on a day."""

    def __init__(self, rng: Random, person: Person, *, start: date, end: date) -> None:
        self._rng = rng
        self._person = person
        self._start, self._span = start, max(1, (end - start).days)
        self._height = rng.gauss(156 if person.female else 167, 5.5)
        heavier = 1.6 if person.has("E11.9") or person.has("I10") else 0.0
        self._bmi = min(34.0, max(17.0, rng.gauss(22.4 + heavier, 2.4)))
        self._stature, self._mass, self._skull = (math.exp(rng.gauss(-0.01, cv)) for cv in (0.032, 0.09, 0.02))
        self._pressure = rng.gauss(142 if person.has("I10") else 117, 8)
        self._pressure_slope = rng.gauss(-5, 6) if person.has("I10") else rng.gauss(0, 2)
        self._sugar = rng.uniform(6.6, 8.6) if person.has("E11.9") else rng.uniform(4.9, 5.5)
        self._sugar_slope = rng.gauss(0, 0.5) if person.has("E11.9") else rng.gauss(0, 0.1)
        self._filtration = rng.uniform(38, 58) if person.has("N18.3") else _filtration(rng, person.age(end))
        self._filtration_slope = -rng.uniform(1, 5) if person.has("N18.3") else -1.0
        self._fat = rng.gauss(5.9 if person.has("E78.5") else 4.7, 0.4)
        self._liver = rng.uniform(1.0, 2.2) if person.has("B18.1") else rng.uniform(0.5, 0.95)
        self._blood = rng.gauss(0, 1)

    def vitals(self, day: date, illness: Illness) -> Vitals:
        """Vital signs on a day. Children under six have no blood pressure taken."""
        rng, person = self._rng, self._person
        age = person.age(day)
        small = age < _ADULT
        height = self._child("height", day) * self._stature if small else self._height
        weight = self._child("weight", day) * self._mass if small else self._bmi * (self._height / 100) ** 2
        weight *= 1 + rng.gauss(0, 0.004) + (0.012 * self._part(day) if not small else 0)
        temperature = rng.uniform(38.2, 39.8) if illness.fever else rng.gauss(36.8, 0.2)
        lungs = illness.code in {"J18.9", "J44.9"}
        systolic = None if age < 6 else round(self._systolic(day, age) + rng.gauss(0, 5))
        resting = 128 - 4.5 * age if age < 12 else 76
        return Vitals(
            systolic=systolic,
            diastolic=None if systolic is None else round(systolic * 0.58 + rng.gauss(6, 4)),
            pulse=round(rng.gauss(resting, 6) + (temperature - 36.8) * 9),
            breaths=round(rng.gauss(max(17, 34 - 1.6 * age), 1.5) + (5 if lungs else 0)),
            temperature=round(temperature, 1),
            saturation=rng.randint(90, 94) if lungs else rng.randint(96, 99),
            weight=round(weight, 1 if weight >= 10 else 2),
            height=round(height, 1),
            head=round(self._child("head", day) * self._skull, 1) if person.months(day) < 36 else None,
        )

    def results(self, panel: str, day: date, illness: Illness) -> dict[str, float]:
        """Values of a panel's tests, rounded as the laboratory prints them."""
        return {
            name: round(self._value(name, day, illness), ANALYTES[name].decimals) for name in PANELS[panel].analytes
        }

    def _value(self, name: str, day: date, illness: Illness) -> float:
        values = self._chemistry(day) if name not in _BLOOD else self._haematology(illness)
        return max(0.1, values[name])

    def _chemistry(self, day: date) -> dict[str, float]:
        rng, part = self._rng, self._part(day)
        hba1c = self._sugar + self._sugar_slope * part
        filtration = min(118.0, max(15.0, self._filtration + self._filtration_slope * part))
        creatinine = creatinine_for(filtration, female=self._person.female, age=self._person.age(day))
        creatinine *= 1 + rng.gauss(0, 0.01)
        return {
            "hba1c": hba1c + rng.gauss(0, 0.05),
            "glucose": 1.25 * hba1c - 1.4 + rng.gauss(0, 0.3),
            "creatinine": creatinine,
            "egfr": filtration,
            "urea": 5.0 * (90 / filtration) ** 0.7 + rng.gauss(0, 0.4),
            "potassium": rng.gauss(4.2 if filtration > 60 else 4.6, 0.25),
            "sodium": rng.gauss(139, 1.8),
            "cholesterol": self._fat + rng.gauss(0, 0.15),
            "ldl": self._fat * 0.6 + rng.gauss(0, 0.15),
            "hdl": rng.gauss(1.35 if self._person.female else 1.15, 0.12),
            "triglyceride": self._fat * 0.32 + rng.gauss(0, 0.2),
            "ast": 32 * self._liver * rng.uniform(0.9, 1.1),
            "alt": 34 * self._liver * rng.uniform(0.9, 1.1),
        }

    def _haematology(self, illness: Illness) -> dict[str, float]:
        rng, female = self._rng, self._person.female
        dengue = illness.code in {"A90", "A91"}
        bacterial = illness.code in {"J18.9", "K35.8"}
        lowest = 38 if illness.code == "A91" else 105
        platelets = lowest + 22 * abs(illness.day - 6) + rng.gauss(0, 6) if dengue else rng.gauss(255, 45)
        haemoglobin = (132 if female else 148) + 5 * self._blood + (8 if dengue else 0)
        return {
            "wbc": rng.gauss(3.4, 0.5) if dengue else rng.gauss(14.5, 2) if bacterial else rng.gauss(7.2, 1.3),
            "hemoglobin": haemoglobin,
            "hematocrit": haemoglobin * 0.3 + (2 if illness.code == "A91" else 0) + rng.gauss(0, 0.4),
            "platelets": platelets,
            "crp": rng.uniform(40, 140) if bacterial else rng.uniform(0.5, 4.5),
        }

    def _systolic(self, day: date, age: int) -> float:
        if age < _ADULT:
            return 92 + 1.6 * age
        return self._pressure + 0.15 * (age - 50) + self._pressure_slope * self._part(day)

    def _child(self, measure: str, day: date) -> float:
        return median(measure, female=self._person.female, months=self._person.months(day))

    def _part(self, day: date) -> float:
        """How much of the time of care has gone: 0 at its start, 1 today."""
        return (day - self._start).days / self._span


_BLOOD = frozenset({"wbc", "hemoglobin", "hematocrit", "platelets", "crp"})


def _filtration(rng: Random, age: int) -> float:
    """Healthy kidneys lose about six tenths of a millilitre a minute with each year after twenty."""
    return max(66.0, rng.gauss(118 - 0.6 * max(0, age - 20), 7))


def egfr(creatinine: float, *, female: bool, age: int) -> float:
    """CKD-EPI 2021 in mL/min/1.73 m², from serum creatinine in µmol/L."""
    kappa, alpha = (0.7, -0.241) if female else (0.9, -0.302)
    ratio = creatinine / 88.4 / kappa
    rate: float = 142 * min(ratio, 1.0) ** alpha * max(ratio, 1.0) ** -1.2 * 0.9938**age
    return rate * 1.012 if female else rate


def creatinine_for(filtration: float, *, female: bool, age: int) -> float:
    """The creatinine that gives this eGFR, found by halving; between 20 and 800 µmol/L."""
    low, high = 20.0, 800.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if egfr(middle, female=female, age=age) > filtration else (low, middle)
    return (low + high) / 2
