"""The stated distributions hold: many people of one fixed seed, compared by chi-square or by standard errors."""

import math
from collections import Counter
from datetime import date
from functools import cache
from random import Random

import pytest

from emr_demo.people.care import Visit, plan
from emr_demo.people.distributions import (
    ACUTE,
    AGE_BANDS,
    ALLERGY,
    ASKED_AND_NONE,
    FOLLOW_UP_DAYS,
    INSURED,
    PREVALENCE,
    RAINY_MONTHS,
    SEASONS,
    band_of,
)
from emr_demo.people.generate import people
from emr_demo.people.hospital import HOA_SEN
from emr_demo.people.person import Person

TODAY = date(2026, 11, 22)
COUNT = 4000
# Four standard errors: with some hundred comparisons of a fixed seed, none should be further away.
FAR = 4.0


@cache
def crowd() -> list[Person]:
    return [person for _, person in people(HOA_SEN, seed=7, count=COUNT, today=TODAY)]


@cache
def care() -> list[tuple[Person, list[Visit]]]:
    return [(person, plan(Random(person.cccd), person, TODAY)) for person in crowd()]


def band(index: int) -> list[Person]:
    return [person for person in crowd() if band_of(person.age(TODAY)) == index]


def errors_away(found: float, stated: float, count: int) -> float:
    return abs(found - stated) / math.sqrt(stated * (1 - stated) / count)


class TestPeople:
    @pytest.mark.parametrize("index", range(len(AGE_BANDS)))
    def test_age_bands_have_their_shares(self, index: int) -> None:
        # A birthday is drawn by days, so that a few stand one year beside their band.
        assert abs(len(band(index)) / COUNT - AGE_BANDS[index].share) < 0.005

    @pytest.mark.parametrize("index", range(len(AGE_BANDS)))
    def test_women_have_their_share(self, index: int) -> None:
        members = band(index)
        share = sum(person.female for person in members) / len(members)
        assert errors_away(share, AGE_BANDS[index].female, len(members)) < FAR

    @pytest.mark.parametrize("code", PREVALENCE)
    def test_lasting_diseases_follow_age(self, code: str) -> None:
        for index, stated in enumerate(PREVALENCE[code]):
            members = band(index)
            share = sum(person.has(code) for person in members) / len(members)
            assert errors_away(share, max(stated, 1e-9), len(members)) < FAR or share == stated == 0

    def test_insurance_and_allergies_have_their_shares(self) -> None:
        insured = sum(person.card is not None for person in crowd()) / COUNT
        allergic = sum(bool(person.allergies) for person in crowd()) / COUNT
        assert errors_away(insured, INSURED, COUNT) < FAR
        assert errors_away(allergic, ALLERGY, COUNT) < FAR

    def test_most_of_the_others_were_asked_about_allergies(self) -> None:
        others = [person for person in crowd() if not person.allergies]
        asked = sum(person.none_known for person in others) / len(others)
        assert errors_away(asked, ASKED_AND_NONE, len(others)) < FAR

    def test_nguyen_is_the_commonest_name(self) -> None:
        families = Counter(person.name.family for person in crowd())
        share = families["Nguyễn"] / COUNT
        assert families.most_common(1)[0][0] == "Nguyễn"
        assert 0.30 < share < 0.42

    def test_nobody_old_has_a_disease_before_birth(self) -> None:
        assert all(lasting.since > person.born for person in crowd() for lasting in person.lasting)


class TestVisits:
    def test_everybody_comes(self) -> None:
        assert all(visits for _, visits in care())

    def test_nobody_comes_before_birth_or_after_today(self) -> None:
        assert all(person.born < visit.day < TODAY for person, visits in care() for visit in visits)

    def test_lasting_diseases_are_followed_every_twelve_weeks(self) -> None:
        gaps = [
            (second.day - first.day).days
            for _, visits in care()
            for first, second in zip(planned(visits), planned(visits)[1:], strict=False)
        ]
        assert abs(sum(gaps) / len(gaps) - FOLLOW_UP_DAYS) < 3

    @pytest.mark.parametrize("code", ["J06.9", "A09", "A90", "M54.5", "N39.0"])
    def test_episodes_come_as_often_as_stated(self, code: str) -> None:
        for index in range(1, len(AGE_BANDS)):
            groups = [visits for person, visits in care() if band_of(person.age(TODAY)) == index]
            found = sum(visit.code == code for visits in groups for visit in visits)
            expected = ACUTE[code][index] * 2 * len(groups)
            # A visit that overlaps another one is left out, which costs a few in a hundred.
            assert abs(found - expected) <= FAR * math.sqrt(expected) + 0.03 * expected

    def test_dengue_comes_with_the_rain(self) -> None:
        months = [visit.start.month for _, visits in care() for visit in visits if visit.code in {"A90", "A91"}]
        stated = sum(SEASONS["A90"][month - 1] for month in RAINY_MONTHS) / sum(SEASONS["A90"])
        rainy = sum(month in RAINY_MONTHS for month in months) / len(months)
        assert errors_away(rainy, stated, len(months)) < FAR

    def test_the_clinic_is_closed_at_the_weekend(self) -> None:
        assert all(visit.day.weekday() < 5 for _, visits in care() for visit in visits if visit.kind == "AMB")


def planned(visits: list[Visit]) -> list[Visit]:
    return [visit for visit in visits if visit.follow_up]
