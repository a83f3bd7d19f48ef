"""Index values of numbers, quantities and of what stands together in one element."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emr.definitions.extract import extract
from emr.definitions.search import number_of
from emr.definitions.values import Amount, Together
from emr.kernel import json
from tests.definitions.samples import Json, observation

UCUM = "http://unitsofmeasure.org"
BELOW, ABOVE = Decimal("-Infinity"), Decimal("Infinity")


def amounts(**value: Any) -> dict[str, tuple[Decimal, Decimal]]:
    """Unit to range, of the value of an observation."""
    found = extract("Observation", observation(**value)).values
    return {each.unit: (each.low, each.high) for each in found if isinstance(each, Amount)}


def quantity(value: Any = 5, **more: Any) -> dict[str, tuple[Decimal, Decimal]]:
    return amounts(valueQuantity={"value": value, **more})


def point(value: int | str) -> tuple[Decimal, Decimal]:
    return Decimal(value), Decimal(value)


class TestQuantities:
    def test_a_code_of_ucum_as_written_and_in_base_units(self) -> None:
        assert quantity(system=UCUM, code="mg/dL", unit="mg/dL") == {"": point(5), "=g.m-3": point(50)}

    def test_the_text_of_the_unit_where_it_differs(self) -> None:
        assert quantity(system=UCUM, code="mm[Hg]", unit="mmHg")["|mmHg"] == point(5)

    def test_a_code_of_another_system(self) -> None:
        found = quantity(system="urn:units", code="X", unit="thing")
        assert found == {"": point(5), "urn:units|X": point(5), "|X": point(5), "|thing": point(5)}

    def test_a_unit_alone(self) -> None:
        assert quantity(unit="viên") == {"": point(5), "|viên": point(5)}

    def test_a_code_that_ucum_does_not_know(self) -> None:
        assert quantity(system=UCUM, code="units") == {"": point(5), f"{UCUM}|units": point(5), "|units": point(5)}

    @pytest.mark.parametrize(
        ("comparator", "low", "high"),
        [("<", BELOW, 5), ("<=", BELOW, 5), (">", 5, ABOVE), (">=", 5, ABOVE)],
    )
    def test_a_comparator_opens_one_end(self, comparator: str, low: Decimal, high: Decimal) -> None:
        assert quantity(comparator=comparator) == {"": (low, high)}

    def test_without_a_value_there_is_none(self) -> None:
        assert amounts(valueQuantity={"unit": "mg"}) == {}

    @pytest.mark.parametrize("value", ["1e400", "1E-400", "9" * 300])
    def test_numbers_beyond_measure_are_left_out(self, value: str) -> None:
        assert quantity(json.Number(value)) == {}

    def test_sampled_data_reach_from_the_least_to_the_greatest(self) -> None:
        data = {"origin": {"value": 10, "unit": "mV"}, "period": 1, "factor": 2, "dimensions": 1, "data": "1 E -3.5 2"}
        assert amounts(valueSampledData=data) == {"": (3, 14), "|mV": (3, 14)}

    def test_samples_beyond_the_limits_of_detection(self) -> None:
        data = {"origin": {"value": 0}, "period": 1, "dimensions": 1, "lowerLimit": -9, "data": "L 1 U"}
        assert amounts(valueSampledData=data) == {"": (-9, ABOVE)}

    @given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9))
    def test_a_point_is_as_exact_as_it_was_written(self, value: Decimal) -> None:
        assert quantity(json.Number(f"{value:f}")) == {"": (value, value)}


class TestRanges:
    def ranged(self, value: Json) -> dict[str, tuple[Decimal, Decimal]]:
        resource = {"resourceType": "Condition", "subject": {"reference": "Patient/1"}, "onsetRange": value}
        found = extract("Condition", resource).values
        return {each.unit: (each.low, each.high) for each in found if isinstance(each, Amount)}

    def test_between_two_bounds(self) -> None:
        year = {"system": UCUM, "code": "a"}
        found = self.ranged({"low": {"value": 1, **year}, "high": {"value": 2, **year}})
        assert found == {"": (1, 2), "=s": (31_557_600, 63_115_200)}

    def test_open_at_one_end(self) -> None:
        assert self.ranged({"low": {"value": 1}}) == {"": (1, ABOVE)}
        assert self.ranged({"high": {"value": 1}}) == {"": (BELOW, 1)}

    def test_bounds_in_two_units_have_no_value_as_written(self) -> None:
        low, high = {"value": 1, "system": UCUM, "code": "wk"}, {"value": 14, "system": UCUM, "code": "d"}
        assert self.ranged({"low": low, "high": high}) == {"=s": (604_800, 1_209_600)}


class TestOthers:
    def test_money_by_its_currency(self) -> None:
        resource = {"resourceType": "Invoice", "status": "issued", "totalNet": {"value": 90000, "currency": "VND"}}
        found = {each.unit: each.low for each in extract("Invoice", resource).values if isinstance(each, Amount)}
        assert found == {"": 90_000, "urn:iso:std:iso:4217|VND": 90_000, "|VND": 90_000}

    def test_a_number_has_no_unit(self) -> None:
        resource = {
            "resourceType": "RiskAssessment",
            "status": "final",
            "subject": {"reference": "Patient/1"},
            "prediction": [{"probabilityDecimal": json.Number("0.80")}],
        }
        found = [each for each in extract("RiskAssessment", resource).values if isinstance(each, Amount)]
        assert found == [Amount("RiskAssessment.prediction.probability", Decimal("0.8"), Decimal("0.8"), "")]


def component(code: str, **value: Any) -> Json:
    return {"code": {"coding": [{"system": "urn:c", "code": code}]}, **value}


class TestTogether:
    def together(self, resource: Json) -> list[tuple[Any, ...]]:
        found = extract(resource["resourceType"], resource).values
        return [tuple(each)[1:] for each in found if isinstance(each, Together)]

    def test_values_of_one_component_and_not_of_two(self) -> None:
        parts = [component("sys", valueQuantity={"value": 120}), component("dia", valueQuantity={"value": 80})]
        assert self.together(observation(component=parts)) == [
            (("sys",), "", 120, 120, None),
            (("urn:c|sys",), "", 120, 120, None),
            (("dia",), "", 80, 80, None),
            (("urn:c|dia",), "", 80, 80, None),
        ]

    def test_two_codes(self) -> None:
        resource = observation(component=[component("a", valueCodeableConcept={"coding": [{"code": "b"}]})])
        assert [parts for parts, *_ in self.together(resource)] == [
            ("a", "b"), ("a", "|b"), ("urn:c|a", "b"), ("urn:c|a", "|b"),
        ]  # fmt: skip

    def test_a_component_without_a_value_has_none(self) -> None:
        assert self.together(observation(component=[component("sys")])) == []

    def test_a_code_and_a_target(self) -> None:
        resource = {
            "resourceType": "DocumentReference",
            "status": "current",
            "content": [{"attachment": {}}],
            "relatesTo": [{"code": "replaces", "target": {"reference": "DocumentReference/1"}}],
        }
        assert ("DocumentReference/1", "replaces") in [parts for parts, *_ in self.together(resource)]

    def test_two_numbers_beside_a_code_of_the_resource(self) -> None:
        resource = {
            "resourceType": "MolecularSequence",
            "coordinateSystem": 0,
            "referenceSeq": {"chromosome": {"coding": [{"code": "1"}]}, "windowStart": 1, "windowEnd": 9},
            "variant": [{"start": 3, "end": 5}, {"start": 6, "end": 7}],
        }
        assert (("1",), "", 3, 5, None) in self.together(resource)
        assert (("1",), "", 3, 7, None) not in self.together(resource)

    def test_what_is_in_the_resource_itself_is_present_and_has_no_row(self) -> None:
        resource = observation(valueQuantity={"value": 5})
        assert self.together(resource) == []
        present = extract("Observation", resource).present
        assert {number_of("code-value-quantity"), number_of("combo-code-value-quantity")} <= present
        assert number_of("component-code-value-quantity") not in present
        assert number_of("code-value-quantity") not in extract("Observation", observation()).present
