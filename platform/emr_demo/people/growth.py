"""How children grow: medians by age and sex near the WHO standards (2006) and reference (2007), rounded."""

from bisect import bisect_right
from itertools import pairwise

_MONTHS = (0, 1, 2, 3, 4, 6, 9, 12, 18, 24, 36, 48, 60)
_BOY = {
    "weight": (3.3, 4.5, 5.6, 6.4, 7.0, 7.9, 8.9, 9.6, 10.9, 12.2, 14.3, 16.3, 18.3),
    "height": (49.9, 54.7, 58.4, 61.4, 63.9, 67.6, 72.0, 75.7, 82.3, 87.1, 96.1, 103.3, 110.0),
    "head": (34.5, 37.3, 39.1, 40.5, 41.6, 43.3, 45.0, 46.1, 47.4, 48.3, 49.5, 50.2, 50.7),
}
_GIRL = {
    "weight": (3.2, 4.2, 5.1, 5.8, 6.4, 7.3, 8.2, 8.9, 10.2, 11.5, 13.9, 16.1, 18.2),
    "height": (49.1, 53.7, 57.1, 59.8, 62.1, 65.7, 70.1, 74.0, 80.7, 85.7, 95.1, 102.7, 109.4),
    "head": (33.9, 36.5, 38.3, 39.5, 40.6, 42.2, 43.8, 44.9, 46.2, 47.2, 48.5, 49.3, 49.9),
}
_YEARS = (5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18)
_OLDER = {
    (False, "height"): (110.0, 116.0, 121.7, 127.3, 132.6, 137.8, 143.1, 149.1, 156.0, 163.2, 169.0, 172.9, 176.0),
    (True, "height"): (109.4, 115.1, 120.8, 126.6, 132.5, 138.6, 145.0, 151.2, 156.4, 159.8, 161.7, 162.5, 163.0),
    (False, "bmi"): (15.2, 15.3, 15.5, 15.7, 16.0, 16.4, 16.9, 17.5, 18.2, 19.0, 19.8, 20.5, 21.5),
    (True, "bmi"): (15.2, 15.3, 15.4, 15.7, 16.1, 16.6, 17.2, 18.0, 18.8, 19.6, 20.2, 20.7, 21.2),
}


def median(measure: str, *, female: bool, months: float) -> float:
    """The median weight (kg), height (cm) or head circumference (cm) at an age in months, up to 18 years."""
    if months < 60 or measure == "head":
        return _between(_MONTHS, (_GIRL if female else _BOY)[measure], months)
    years = months / 12
    height = _between(_YEARS, _OLDER[female, "height"], years)
    if measure == "height":
        return height
    return _between(_YEARS, _OLDER[female, "bmi"], years) * (height / 100) ** 2


def _between(ages: tuple[int, ...], values: tuple[float, ...], age: float) -> float:
    """Linear between two neighbours; the last value stays."""
    if age >= ages[-1]:
        return values[-1]
    index = bisect_right(ages, age) - 1
    (left, right), (low, high) = list(pairwise(ages))[index], list(pairwise(values))[index]
    return low + (high - low) * (age - left) / (right - left)
