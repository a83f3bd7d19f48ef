"""Units of UCUM: what codes mean, against definitions of the specification and plain arithmetic."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emr.definitions import model
from emr.definitions.units import canonical, unit_of

CODES = (
    "mg/dL",
    "g/L",
    "mmol/L",
    "mm[Hg]",
    "kPa",
    "/min",
    "10*3/uL",
    "%",
    "[iU]/mL",
    "mL/min/{1.73_m2}",
    "kg/m2",
    "U/L",
    "a",
)
VALUES = st.decimals(min_value=-10_000, max_value=10_000, places=6)


class TestCanonical:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (("1", "g/L"), ("100", "mg/dL")),
            (("7.5", "mmol/L"), ("7500", "umol/L")),
            (("1", "kPa"), ("1000", "N.m-2")),
            (("1", "mm[Hg]"), ("133.322", "Pa")),
            (("37", "Cel"), ("310.15", "K")),
            (("98.6", "[degF]"), ("37", "Cel")),
            (("72", "/min"), ("1.2", "s-1")),
            (("5", "%"), ("0.05", "{ratio}")),
            (("3", "k[iU]/L"), ("3", "[iU]/mL")),
            (("90", "mL/min/{1.73_m2}"), ("90", "mL/min")),
            (("1", "mg/(24.h)"), ("1", "mg/d")),
            (("1", "[lb_av]"), ("453.59237", "g")),
            (("1", "U/L"), ("1", "umol/min/L")),
            (("4", "10*3/uL"), ("4", "10*9/L")),
            (("1", "m[H2O]"), ("9.80665", "kPa")),
            (("1", "wk"), ("7", "d")),
        ],
    )
    def test_equal_amounts_are_one_value(self, one: tuple[str, str], other: tuple[str, str]) -> None:
        found = canonical(Decimal(one[0]), one[1])
        assert found is not None
        assert found == canonical(Decimal(other[0]), other[1])

    @pytest.mark.parametrize(
        ("one", "other"), [("mmol/L", "mg/L"), ("[iU]/L", "U/L"), ("m", "s"), ("[CFU]", "1"), ("[iU]", "[USP'U]")]
    )
    def test_what_cannot_be_converted_has_another_name(self, one: str, other: str) -> None:
        first, second = unit_of(one), unit_of(other)
        assert first is not None
        assert second is not None
        assert first.name != second.name

    @pytest.mark.parametrize(
        "code",
        ["", "units", "(score)", "mg//dL", "mg/", "m)", "(m", "{a", "xyz", "[pH]", "B[SPL]", "mCel", "Cel/m", "10*31",
         "m" * 65, "kk", "khour", "m2.s+", "mmHg", "°C", "m²", "0", "/0", "m/00", "0.m"],
    )  # fmt: skip
    def test_what_is_no_factor_of_base_units(self, code: str) -> None:
        assert canonical(Decimal(1), code) is None

    def test_every_unit_of_the_table_can_be_read(self) -> None:
        assert [code for code in model.content("units")["units"] if unit_of(code) is None] == []

    @given(VALUES, st.sampled_from(CODES))
    def test_is_the_exact_product_rounded_once(self, value: Decimal, code: str) -> None:
        unit, found = unit_of(code), canonical(value, code)
        assert unit is not None
        assert found is not None
        exact = Fraction(value) * unit.factor
        assert abs(Fraction(found[0]) - exact) <= abs(exact) * Fraction(1, 10**27)

    @given(VALUES, VALUES, st.sampled_from(CODES))
    def test_keeps_the_order(self, one: Decimal, other: Decimal, code: str) -> None:
        first, second = canonical(one, code), canonical(other, code)
        assert first is not None
        assert second is not None
        assert (one < other) == (first[0] < second[0])

    @given(st.text(max_size=20))
    def test_any_text_is_answered(self, code: str) -> None:
        found = canonical(Decimal("1.5"), code)
        assert found is None or found[0].is_finite()
