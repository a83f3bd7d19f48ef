"""Numbers of identity cards, insurance cards and telephones: right in form, wrong on purpose in substance.

CCCD: three digits for the province of birth, one for century and sex (0/1: 1900s man/woman, 2/3: 2000s), two for the
year of birth, six that are random in life. Here those six always begin with 99, which the demo reserves for itself.
BHYT card: two letters for the group, a digit for the benefit, two digits for the province, ten for the insurance
number; here those ten always begin with province and 99. There is no published check digit for either.
"""

from datetime import date
from random import Random

TEST_BLOCK = "99"

# Group and benefit by age: children under six, pupils, workers and households, pensioners, the oldest, poor households.
_CHILD, _PUPIL, _STUDENT, _WORKER, _HOUSEHOLD, _PENSIONER, _POOR = "TE1", "HS4", "SV4", "DN4", "GD4", "HT3", "HN2"


def cccd(*, birth_province: str, female: bool, born: date, serial: int) -> str:
    """Twelve digits; `serial` below 10,000 keeps people of one year and province apart."""
    century = (born.year - 1900) // 100 * 2 + (1 if female else 0)
    return f"{birth_province}{century}{born:%y}{TEST_BLOCK}{serial:04d}"


def insurance_group(rng: Random, *, age: int, poor: bool) -> str:
    """Two letters and the benefit digit."""
    if age < 6:
        return _CHILD
    if poor:
        return _POOR
    if age < 18:
        return _PUPIL
    if age < 23:
        return rng.choice((_STUDENT, _WORKER))
    if age < 58:
        return rng.choices((_WORKER, _HOUSEHOLD), (55, 45))[0]
    return rng.choices((_PENSIONER, _HOUSEHOLD), (45, 55))[0]


def bhyt(*, group: str, province: str, serial: int) -> str:
    """Fifteen characters."""
    return f"{group}{province}{province}{TEST_BLOCK}{serial:06d}"


def phone(rng: Random) -> str:
    """A mobile number in a prefix that no operator uses (0900 000 …)."""
    return f"0900000{rng.randint(0, 999):03d}"


def record_number(prefix: str, serial: int) -> str:
    """The hospital's own number of the patient."""
    return f"{prefix}-{serial:06d}"
