"""The typed shapes say what the tables say."""

from typing import Required, get_origin, get_type_hints

import pytest

from emr.definitions import model, types
from emr.definitions.types import datatypes


class TestShapes:
    @pytest.mark.parametrize("name", types.__all__)
    def test_a_resource_has_each_member_and_no_other(self, name: str) -> None:
        keys = set[str]().union(*(each.members() for each in model.type_of(name).elements.values()))
        assert set(get_type_hints(getattr(types, name))) == keys | {"resourceType"}

    @pytest.mark.parametrize(
        "name", ["HumanName", "Extension", "Dosage", "Age", "Quantity", "Reference", "Identifier", "Timing"]
    )
    def test_a_data_type_too(self, name: str) -> None:
        keys = set[str]().union(*(each.members() for each in model.type_of(name).elements.values()))
        assert set(get_type_hints(getattr(datatypes, name))) == keys

    def test_what_must_be_there_is_required(self) -> None:
        hints = get_type_hints(types.Observation, include_extras=True)
        assert {key for key, hint in hints.items() if get_origin(hint) is Required} == {
            "resourceType",
            "status",
            "code",
        }
