"""When the made-up patients come: two years of visits, planned before anything is written about them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from random import Random

from emr_demo.people.diseases import disease
from emr_demo.people.distributions import (
    ACUTE,
    ADMITTED,
    EMERGENCY,
    FOLLOW_UP_DAYS,
    FOLLOW_UP_SPREAD_DAYS,
    SEASONS,
    YEARS_OF_CARE,
    band_of,
)
from emr_demo.people.person import Person

ZONE = timezone(timedelta(hours=7))
_EVEN = (1.0,) * 12
_SATURDAY = 5
_MAIN_FIRST = ("E11.9", "I10", "I25.9", "J44.9", "N18.3", "B18.1", "J45.9", "E78.5", "M17.9", "K29.5", "N40")


@dataclass(frozen=True)
class Visit:
    """One encounter: `AMB`, `EMER` or `IMP`, its main diagnosis, and whether it is a planned follow-up."""

    kind: str
    start: datetime
    end: datetime
    code: str
    follow_up: bool = False
    complaint: str = ""
    ongoing: bool = False

    @property
    def day(self) -> date:
        """The day it began."""
        return self.start.date()


def window(today: date) -> tuple[date, date]:
    """The first and last day of care: two years that end yesterday."""
    return today - timedelta(days=365 * YEARS_OF_CARE), today - timedelta(days=1)


def plan(rng: Random, person: Person, today: date) -> list[Visit]:
    """All visits of the two years, in order; everybody comes at least once."""
    start, end = window(today)
    start = max(start, person.born + timedelta(days=14))
    visits = [*_follow_ups(rng, person, start, end), *_episodes(rng, person, start, end)]
    if not visits:
        day = _weekday(start + timedelta(days=rng.randint(0, max(0, (end - start).days))), end)
        visits.append(clinic(rng, day, "Z00.1" if person.age(day) < 6 else "Z00.0"))
    visits.sort(key=lambda visit: visit.start)
    return _without_overlap(visits)


def clinic(rng: Random, day: date, code: str, *, follow_up: bool = False) -> Visit:
    """A visit to the outpatient clinic in office hours."""
    start = datetime.combine(day, time(rng.choice((7, 8, 8, 9, 9, 10, 13, 14, 15)), rng.randint(0, 59)), ZONE)
    return Visit("AMB", start, start + timedelta(minutes=rng.randint(25, 110)), code, follow_up)


def _follow_ups(rng: Random, person: Person, start: date, end: date) -> Iterator[Visit]:
    followed = [code for code in _MAIN_FIRST if person.has(code)]
    if not followed:
        return
    start = max(start, *(one.since for one in person.lasting))
    day = start + timedelta(days=rng.randint(0, FOLLOW_UP_DAYS))
    while day <= end:
        yield clinic(rng, _weekday(day, end), followed[0], follow_up=True)
        gap = rng.gauss(FOLLOW_UP_DAYS, FOLLOW_UP_SPREAD_DAYS / 2)
        day += timedelta(days=round(min(98, max(70, gap))))


def _episodes(rng: Random, person: Person, start: date, end: date) -> Iterator[Visit]:
    years = (end - start).days / 365
    band = band_of(person.age(end))
    for code, rates in ACUTE.items():
        for _ in range(_poisson(rng, rates[band] * years)):
            yield _episode(rng, code, _day_in_season(rng, code, start, end), end)


def _episode(rng: Random, code: str, day: date, end: date) -> Visit:
    shortest, longest = disease(code).bed_days
    length = rng.randint(shortest, longest)
    # Nobody still lies in a bed by chance: whoever does is one of the hand-made patients.
    admitted = rng.random() < ADMITTED.get(code, 0.0) and day + timedelta(days=length) <= end
    emergency = rng.random() < EMERGENCY.get(code, 0.0)
    if admitted or emergency:
        start = datetime.combine(day, time(rng.randint(0, 23), rng.randint(0, 59)), ZONE)
        if admitted:
            leaving = datetime.combine(day + timedelta(days=length), time(10, rng.randint(0, 59)), ZONE)
            return Visit("IMP", start, leaving, code)
        return Visit("EMER", start, start + timedelta(minutes=rng.randint(60, 300)), code)
    return clinic(rng, _weekday(day, end), code)


def _day_in_season(rng: Random, code: str, start: date, end: date) -> date:
    """A day drawn evenly and kept with its month's weight."""
    weights = SEASONS.get(code, _EVEN)
    span, highest = (end - start).days, max(weights)
    while True:
        day = start + timedelta(days=rng.randint(0, max(0, span)))
        if rng.random() * highest <= weights[day.month - 1] or span < 60:
            return day


def _poisson(rng: Random, mean: float) -> int:
    """Knuth's method; the means here are small."""
    limit, count, product = math.exp(-mean), 0, rng.random()
    while product > limit:
        count += 1
        product *= rng.random()
    return count


def _weekday(day: date, end: date) -> date:
    """The clinic is closed on Saturday and Sunday: the Monday after, or the Friday before the end."""
    if day.weekday() < _SATURDAY:
        return day
    monday = day + timedelta(days=7 - day.weekday())
    return monday if monday <= end else day - timedelta(days=day.weekday() - 4)


def _without_overlap(visits: list[Visit]) -> list[Visit]:
    """Nobody is in two places at once: a visit that begins before the last one ended is left out."""
    kept: list[Visit] = []
    for visit in visits:
        if not kept or visit.start > kept[-1].end:
            kept.append(visit)
    return kept
