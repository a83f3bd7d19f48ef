"""Anything may be sent: validation always answers, and what it lets through can be indexed."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emr.definitions import model
from emr.definitions.compartment import patients_of, references
from emr.definitions.extract import extract, identifiers
from emr.definitions.placeholders import replace_placeholders
from emr.definitions.validate import validate
from emr.kernel import json
from tests.definitions.samples import Json, bundles

RUBBISH: list[Any] = [
    None, True, 0, -1, 10**30, 1.5, json.Number("1.10"), "", " ", "x", "2026", "2026-02-30", "0000", "9999-12-31", "0001-01-01",
    "Patient/p1", "#x", "urn:uuid:x", "http://a b", "\u0007", "🏠", [], {}, [None], [[]], [{}], [3], {"x": 1}, {"id": "a"},
    {"reference": 3}, {"extension": []}, {"extension": [{"url": "http://a", "valueString": "x"}]}, {"coding": "x"}, {"start": []},
]  # fmt: skip


@pytest.fixture(scope="module")
def samples() -> list[Json]:
    """The first resource of each type."""
    found: dict[str, Json] = {}
    for _, bundle in bundles():
        for entry in bundle["entry"]:
            found.setdefault(entry["resource"]["resourceType"], entry["resource"])
        if len(found) == 16:
            break
    return list(found.values())


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (holder, key) below a value."""
    inner = list(value.items()) if type(value) is dict else list(enumerate(value)) if type(value) is list else []
    return [pair for key, item in inner for pair in ((value, key), *places(item))]


def use(resource: Json) -> None:
    """What the store does with a valid resource."""
    extract(resource["resourceType"], resource)
    identifiers(resource)
    patients_of(resource["resourceType"], resource)
    known = {text: "Patient/x" for _, text in references(resource)}
    replace_placeholders(resource, known)
    json.dumps(resource)


class TestMutations:
    @settings(max_examples=500, deadline=None)
    @given(data=st.data())
    def test_one_place_of_a_good_resource_is_spoilt(self, samples: list[Json], data: st.DataObject) -> None:
        resource = copy.deepcopy(data.draw(st.sampled_from(samples), label="sample"))
        holder, key = data.draw(st.sampled_from(places(resource)), label="place")
        holder[key] = copy.deepcopy(data.draw(st.sampled_from(RUBBISH), label="rubbish"))
        if not validate(resource):
            use(resource)

    @settings(max_examples=500, deadline=None)
    @given(data=st.data())
    def test_any_elements_of_any_type(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(model.resource_types())))
        keys = [key for each in model.type_of(name).elements.values() for key, _ in each.members().items()]
        resource = data.draw(
            st.dictionaries(st.sampled_from(keys + [f"_{key}" for key in keys]), st.sampled_from(RUBBISH), max_size=4)
        )
        resource = {**copy.deepcopy(resource), "resourceType": name}
        if not validate(resource):
            use(resource)
