"""Which vaccinations a made-up patient has had: the national schedule for small children, few for adults."""

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random

from emr_demo.people.chart import Chart, add_immunization

FLU = ("88", "Cúm mùa")
PNEUMOCOCCAL = ("133", "Phế cầu 13 (PCV13)")
_HEPATITIS_B = ("08", "Viêm gan B (sơ sinh)")
_BCG = ("19", "Lao (BCG)")
_FIVE_IN_ONE = ("102", "Bạch hầu - ho gà - uốn ván - viêm gan B - Hib")
_POLIO_DROPS = ("178", "Bại liệt uống (bOPV)")
_POLIO_SHOT = ("10", "Bại liệt tiêm (IPV)")
_MEASLES = ("05", "Sởi đơn")
_MEASLES_RUBELLA = ("04", "Sởi - rubella")
_JAPANESE_ENCEPHALITIS = ("129", "Viêm não Nhật Bản")
_TETANUS = ("112", "Uốn ván")

# Age in months, vaccine, number of the dose. Source: the expanded programme on immunisation as of 2025, abridged.
SCHEDULE: tuple[tuple[float, tuple[str, str], int], ...] = (
    (0.1, _HEPATITIS_B, 1), (0.5, _BCG, 1),
    (2, _FIVE_IN_ONE, 1), (2, _POLIO_DROPS, 1), (3, _FIVE_IN_ONE, 2), (3, _POLIO_DROPS, 2),
    (4, _FIVE_IN_ONE, 3), (4, _POLIO_DROPS, 3), (5, _POLIO_SHOT, 1), (9, _POLIO_SHOT, 2), (9, _MEASLES, 1),
    (12, _JAPANESE_ENCEPHALITIS, 1), (12.5, _JAPANESE_ENCEPHALITIS, 2), (18, _MEASLES_RUBELLA, 1),
    (24, _JAPANESE_ENCEPHALITIS, 3),
)  # fmt: skip
_CHILD_YEARS = 6


def vaccinate(chart: Chart, start: date) -> None:
    """Add what the age and the two years of care make likely."""
    person, rng = chart.person, chart.rng
    if person.age(chart.today) < _CHILD_YEARS:
        for vaccine, day, dose in _childhood(rng, person.born, chart.today):
            add_immunization(chart, vaccine, day, dose)
    elif person.lasting and rng.random() < 0.45:
        for year in (start.year, start.year + 1):
            add_immunization(chart, FLU, date(year, 10, rng.randint(5, 28)), 1)
        if person.age(chart.today) >= 60 and rng.random() < 0.5:
            add_immunization(chart, PNEUMOCOCCAL, start + timedelta(days=rng.randint(30, 600)), 1)


def tetanus(chart: Chart, day: date) -> None:
    """The shot after a wound."""
    add_immunization(chart, _TETANUS, day, 1)


def _childhood(rng: Random, born: date, today: date) -> Iterator[tuple[tuple[str, str], date, int]]:
    """Doses up to today; one in twenty is missed."""
    for months, vaccine, dose in SCHEDULE:
        day = born + timedelta(days=round(months * 30.4375) + rng.randint(0, 9))
        if day < today and rng.random() < 0.95:
            yield vaccine, day, dose
