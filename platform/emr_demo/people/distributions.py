"""What the made-up patients look like in numbers: one place to read, and what the tests check.

All rates describe people who come to a district hospital, not the population. They are plausible, not measured.

Age band  share  female   visits a year come from: chronic follow-up every 84 ± 14 days while any lasting disease is
------------------------  followed, plus independent acute episodes (Poisson, ACUTE, per person-year by band).
 0 -  5    14 %   48 %
 6 - 15    11 %   48 %
16 - 29    15 %   60 %
30 - 44    20 %   56 %
45 - 59    18 %   53 %
60 - 74    15 %   55 %
75 - 94     7 %   60 %
"""

from dataclasses import dataclass

FOLLOW_UP_DAYS = 84
FOLLOW_UP_SPREAD_DAYS = 14
YEARS_OF_CARE = 2


@dataclass(frozen=True)
class AgeBand:
    """Ages in whole years, both included; shares between 0 and 1."""

    youngest: int
    oldest: int
    share: float
    female: float


AGE_BANDS = (
    AgeBand(0, 5, 0.14, 0.48),
    AgeBand(6, 15, 0.11, 0.48),
    AgeBand(16, 29, 0.15, 0.60),
    AgeBand(30, 44, 0.20, 0.56),
    AgeBand(45, 59, 0.18, 0.53),
    AgeBand(60, 74, 0.15, 0.55),
    AgeBand(75, 94, 0.07, 0.60),
)

# Share of patients with a lasting disease, by age band in the order above; ICD-10 code first.
PREVALENCE: dict[str, tuple[float, ...]] = {
    "I10": (0, 0, 0.01, 0.08, 0.30, 0.50, 0.60),
    "E11.9": (0, 0, 0, 0.04, 0.14, 0.24, 0.24),
    "E78.5": (0, 0, 0.01, 0.08, 0.20, 0.26, 0.20),
    "N18.3": (0, 0, 0, 0.01, 0.03, 0.09, 0.16),
    "I25.9": (0, 0, 0, 0.01, 0.05, 0.12, 0.20),
    "J44.9": (0, 0, 0, 0, 0.04, 0.09, 0.14),
    "J45.9": (0.04, 0.05, 0.03, 0.03, 0.03, 0.03, 0.03),
    "K29.5": (0, 0.01, 0.08, 0.14, 0.15, 0.14, 0.12),
    "M17.9": (0, 0, 0, 0.03, 0.14, 0.30, 0.40),
    "B18.1": (0, 0, 0.05, 0.08, 0.08, 0.06, 0.03),
    "N40": (0, 0, 0, 0, 0.04, 0.12, 0.20),
}
# Diseases of one sex: the figure above is for everybody, so the one sex has about twice as much.
MEN_ONLY = frozenset({"N40"})

# Episodes per person and year by age band.
ACUTE: dict[str, tuple[float, ...]] = {
    "J06.9": (1.60, 0.90, 0.40, 0.35, 0.35, 0.30, 0.30),
    "J20.9": (0.35, 0.20, 0.10, 0.10, 0.12, 0.18, 0.20),
    "A09": (0.40, 0.25, 0.15, 0.12, 0.10, 0.12, 0.12),
    "J18.9": (0.12, 0.04, 0.01, 0.02, 0.03, 0.06, 0.12),
    "A90": (0.05, 0.09, 0.07, 0.05, 0.03, 0.02, 0.01),
    "A91": (0.01, 0.03, 0.02, 0.01, 0.01, 0.00, 0.00),
    "B08.4": (0.15, 0.01, 0, 0, 0, 0, 0),
    "N39.0": (0.02, 0.02, 0.08, 0.08, 0.10, 0.12, 0.15),
    "L50.9": (0.06, 0.06, 0.08, 0.08, 0.06, 0.05, 0.05),
    "M54.5": (0, 0, 0.10, 0.22, 0.28, 0.30, 0.25),
    "H10.9": (0.06, 0.08, 0.06, 0.06, 0.05, 0.04, 0.04),
    "S93.4": (0, 0.08, 0.08, 0.06, 0.05, 0.03, 0.02),
    "S61.9": (0.03, 0.06, 0.07, 0.07, 0.06, 0.04, 0.02),
    "K35.8": (0, 0.01, 0.012, 0.01, 0.008, 0.004, 0.002),
    "Z00.0": (0.10, 0.10, 0.20, 0.25, 0.25, 0.20, 0.10),
}

# Weight of each month, January first. What is not here comes evenly through the year.
SEASONS: dict[str, tuple[float, ...]] = {
    "A90": (1, 0.6, 0.5, 0.6, 1.2, 2.4, 3.6, 4.0, 3.8, 3.2, 2.6, 1.6),
    "A91": (1, 0.6, 0.5, 0.6, 1.2, 2.4, 3.6, 4.0, 3.8, 3.2, 2.6, 1.6),
    "B08.4": (0.7, 0.8, 1.4, 1.8, 1.6, 1, 0.8, 1, 2.2, 2.6, 1.8, 0.9),
    "J06.9": (1.2, 1.1, 1.2, 0.9, 0.8, 0.8, 0.9, 1, 1.2, 1.4, 1.4, 1.3),
    "J18.9": (1.2, 1.1, 1.1, 0.9, 0.8, 0.8, 0.9, 1, 1.2, 1.3, 1.3, 1.3),
    "A09": (0.8, 0.8, 1, 1.4, 1.6, 1.5, 1.2, 1, 0.9, 0.8, 0.8, 0.8),
}
RAINY_MONTHS = frozenset(range(6, 12))  # June to November: about 78 % of dengue by the weights above

# Share of episodes that end in a bed.
ADMITTED: dict[str, float] = {"J18.9": 0.55, "A91": 1.0, "A90": 0.15, "K35.8": 1.0, "A09": 0.05, "N39.0": 0.05}
# Share of episodes that come through the emergency door.
EMERGENCY: dict[str, float] = {"S61.9": 0.8, "S93.4": 0.6, "A91": 0.7, "K35.8": 0.9, "L50.9": 0.15, "A09": 0.15}

# Share of patients who have a known allergy, and of those how many are dangerous.
ALLERGY = 0.12
ALLERGY_HIGH = 0.25
# Share of the others who were asked and said that they know of none.
ASKED_AND_NONE = 0.75
# Share of patients with a health insurance card.
INSURED = 0.93
# Share of women of 18 to 40 who are pregnant during part of the two years.
PREGNANT = 0.10


def band_of(age: int) -> int:
    """The index of the age band; the oldest band holds everybody above it too."""
    return next((index for index, band in enumerate(AGE_BANDS) if age <= band.oldest), len(AGE_BANDS) - 1)
