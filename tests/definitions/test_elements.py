"""Every element of every type, held against an independent reading of R4: the classes of `fhirclient` (made from 4.0.1)."""

import importlib
import inspect
import pkgutil
from typing import Any

import fhirclient.models
import pytest
from fhirclient.models.fhirabstractbase import FHIRAbstractBase

from emr.definitions import model
from emr.definitions.validate import validate
from tests.definitions.samples import patient

NOT_THERE = {"MoneyQuantity", "SimpleQuantity", "SubstanceSpecification.code"}
"""Two profiles of Quantity, and a class that another one of the same name hides."""


def classes() -> dict[str, Any]:
    modules = [
        importlib.import_module(f"fhirclient.models.{each.name}")
        for each in pkgutil.iter_modules(fhirclient.models.__path__)
    ]
    return {
        name: found
        for module in modules
        for name, found in inspect.getmembers(module, inspect.isclass)
        if issubclass(found, FHIRAbstractBase) and found.__module__ == module.__name__
    }


def title(path: str) -> str:
    return "".join(part[0].upper() + part[1:] for part in path.split("."))


@pytest.fixture(scope="module")
def theirs() -> dict[str, dict[str, tuple[bool, bool]]]:
    """Class to member to whether it is a list and whether it, or another type of its choice, must be there."""
    return {
        name: {each[1]: (each[3], each[5]) for each in found().elementProperties()} for name, found in classes().items()
    }


class TestAgainstFhirclient:
    def test_each_type_has_the_same_members_lists_and_demands(
        self, theirs: dict[str, dict[str, tuple[bool, bool]]]
    ) -> None:
        names = [each for each in model.types() if model.type_of(each).kind != "primitive-type"]
        ours = {
            name: {
                key: (each.many, bool(each.least))
                for each in model.type_of(name).elements.values()
                for key in each.members()
            }
            for name in names
        }
        assert {name for name in names if title(name) not in theirs} == NOT_THERE
        assert {
            name: members for name, members in ours.items() if name not in NOT_THERE and members != theirs[title(name)]
        } == {}

    @pytest.mark.parametrize("name", ["project", "author", "account", "compartment"])
    def test_what_another_server_adds_is_unknown(self, name: str) -> None:
        found = validate(patient(meta={name: {"reference": "Project/1"}}))
        assert [(each.code, each.location) for each in found] == [("unknown-element", f"Patient.meta.{name}")]

    def test_a_currency_has_three_capital_letters(self) -> None:
        def fee(currency: str) -> dict[str, Any]:
            return {
                "resourceType": "Basic",
                "code": {"text": "x"},
                "extension": [{"url": "urn:x", "valueMoney": {"value": 1, "currency": currency}}],
            }

        assert validate(fee("VND")) == []
        assert [each.code for each in validate(fee("đồng"))] == ["code"]
