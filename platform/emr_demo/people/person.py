"""Who the made-up patients are: age, sex, name, address, cards, lasting diseases, allergies."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random

from emr_demo.people import numbers
from emr_demo.people.distributions import (
    AGE_BANDS,
    ALLERGY,
    ALLERGY_HIGH,
    ASKED_AND_NONE,
    INSURED,
    MEN_ONLY,
    PREVALENCE,
    band_of,
)
from emr_demo.people.hospital import HospitalProfile
from emr_demo.people.names import Name, draw_name, pick
from emr_demo.people.places import Address, draw_address


@dataclass(frozen=True)
class Card:
    """A health insurance card."""

    number: str
    starts: date
    ends: date


@dataclass(frozen=True)
class Lasting:
    """A lasting disease: ICD-10 code and the day it was found."""

    code: str
    since: date
    remark: str = ""


@dataclass(frozen=True)
class Allergy:
    """A substance by SNOMED CT code and Vietnamese name, the reaction, and whether it is dangerous."""

    substance: tuple[str, str]
    category: str
    reaction: tuple[str, str]
    dangerous: bool
    since: date


@dataclass(frozen=True)
class Person:
    """One made-up patient of one hospital."""

    record_number: str
    name: Name
    female: bool
    born: date
    ethnicity: str
    address: Address
    phone: str
    cccd: str
    card: Card | None = None
    lasting: tuple[Lasting, ...] = ()
    allergies: tuple[Allergy, ...] = ()
    none_known: bool = True
    """Asked about allergies, and knows of none; means nothing where there are some."""

    def age(self, day: date) -> int:
        """Whole years on a day."""
        return day.year - self.born.year - ((day.month, day.day) < (self.born.month, self.born.day))

    def months(self, day: date) -> float:
        """Months on a day."""
        return (day - self.born).days / 30.4375

    def has(self, code: str) -> bool:
        """Whether the lasting disease is known."""
        return any(one.code == code for one in self.lasting)

    def allergic_to_penicillin(self) -> bool:
        """Whether penicillins must not be prescribed."""
        return any(one.substance == PENICILLIN for one in self.allergies)


PENICILLIN = ("764146007", "Penicillin")
_ANAPHYLAXIS = ("39579001", "Phản vệ")
_RASH = ("271807003", "Phát ban")
_HIVES = ("126485001", "Mày đay")
_SUBSTANCES: tuple[tuple[tuple[str, str], str], ...] = (
    (PENICILLIN, "medication"),
    (("387406002", "Sulfonamid"), "medication"),
    (("387207008", "Ibuprofen"), "medication"),
    (("387458008", "Aspirin"), "medication"),
    (("735029006", "Hải sản có vỏ"), "food"),
    (("762952008", "Đậu phộng"), "food"),
)


def draw_bands(rng: Random, count: int) -> list[int]:
    """An age band for each of `count` patients: the stated shares to the nearest person, in mixed order."""
    wanted = [band.share * count for band in AGE_BANDS]
    whole = [int(share) for share in wanted]
    by_rest = sorted(range(len(wanted)), key=lambda index: (whole[index] - wanted[index], index))
    for index in by_rest[: count - sum(whole)]:
        whole[index] += 1
    bands = [index for index, number in enumerate(whole) for _ in range(number)]
    rng.shuffle(bands)
    return bands


def draw_person(rng: Random, profile: HospitalProfile, serial: int, *, band: int, today: date) -> Person:
    """A patient of an age band; `serial` makes the numbers unique in the hospital."""
    ages = AGE_BANDS[band]
    born = _birthday(rng, rng.randint(ages.youngest, ages.oldest), today)
    female = rng.random() < ages.female
    ethnicity = pick(rng, profile.ethnicities)
    birth_province = pick(rng, profile.birth_provinces)
    person = Person(
        record_number=numbers.record_number(profile.record_prefix, serial),
        name=draw_name(rng, female=female, birth_year=born.year, ethnicity=ethnicity),
        female=female,
        born=born,
        ethnicity=ethnicity,
        address=draw_address(rng, profile.province),
        phone=numbers.phone(rng),
        cccd=numbers.cccd(
            birth_province=birth_province, female=female, born=born, serial=profile.first_serial + serial
        ),
    )
    card = _draw_card(rng, person, profile, today) if rng.random() < INSURED else None
    return replace(
        person,
        card=card,
        lasting=_draw_lasting(rng, person, today),
        allergies=_draw_allergies(rng, person, today),
        none_known=rng.random() < ASKED_AND_NONE,
    )


def _birthday(rng: Random, age: int, today: date) -> date:
    """A birth date that makes somebody `age` years old; babies are at least three weeks old."""
    youngest, oldest = 365 * age + age // 4, 365 * (age + 1) + age // 4 - 1
    return today - timedelta(days=max(21, rng.randint(youngest + 1, oldest)))


def _draw_card(rng: Random, person: Person, profile: HospitalProfile, today: date) -> Card:
    group = numbers.insurance_group(rng, age=person.age(today), poor=rng.random() < 0.08)
    serial = profile.first_serial + int(person.record_number.split("-")[1])
    starts = max(person.born, date(today.year, 1, 1))
    return Card(numbers.bhyt(group=group, province=profile.province, serial=serial), starts, date(today.year, 12, 31))


def _draw_lasting(rng: Random, person: Person, today: date) -> tuple[Lasting, ...]:
    band = band_of(person.age(today))
    found: list[Lasting] = []
    for code, shares in PREVALENCE.items():
        share = shares[band]
        if code in MEN_ONLY:
            share = 0.0 if person.female else share / (1 - AGE_BANDS[band].female)
        if rng.random() < share:
            years = rng.uniform(2.2, 3.0) if person.age(today) < 16 else rng.uniform(2.2, 12)
            since = max(today - timedelta(days=int(365 * years)), person.born + timedelta(days=120))
            found.append(Lasting(code, since))
    return tuple(found)


def _draw_allergies(rng: Random, person: Person, today: date) -> tuple[Allergy, ...]:
    if rng.random() >= ALLERGY:
        return ()
    substance, category = rng.choice(_SUBSTANCES)
    dangerous = rng.random() < ALLERGY_HIGH
    reaction = _ANAPHYLAXIS if dangerous else rng.choice((_RASH, _HIVES))
    days = max(1, min((today - person.born).days - 20, rng.randint(200, 4000)))
    return (Allergy(substance, category, reaction, dangerous, today - timedelta(days=days)),)
