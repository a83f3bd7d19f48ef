"""Definitions that are valid and say less than one would think: a value may be missing where its extension stands."""

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

import pytest

from emr.definitions.validate import validate
from emr.kernel.errors import Refusal
from emr.records.terminology.concepts import LookUp, look_up, subsumes
from emr.records.terminology.expand import Wish, expand
from emr.records.terminology.translate import Towards, translate
from emr.records.terminology.verdict import Coded, Terms, validate_in_code_system, validate_in_value_set
from emr.records.terminology.which import Which
from emr.work.runtime import Runtime
from emr.work.unit import UnitOfWork, unit_of_work
from tests.house import HOA_SEN, House
from tests.records.terminology.samples import code_list, concept_map, value_set

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
BARE = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}
GENDER = "http://hl7.org/fhir/administrative-gender"

SYSTEM = code_list(
    "x",
    supplements="urn:test:other",
    property=[{"code": "size", "uri": "urn:size", "type": "integer"}],
    concept=[
        {
            "code": "A",
            "display": "Khoa Nội",
            "definition": "Nội",
            "designation": [{"language": "en", "use": {"system": "urn:use", "code": "u"}, "value": "Medicine"}],
            "property": [{"code": "size", "valueInteger": 5}, {"code": "parent", "valueCode": "B"}],
            "concept": [{"code": "A1"}],
        },
        {"code": "B"},
    ],
)
SET = value_set(
    "x",
    {
        "system": GENDER,
        "version": "4.0.1",
        "concept": [{"code": "male", "display": "Nam", "designation": [{"language": "vi", "value": "Nam"}]}],
    },
    {"system": GENDER, "filter": [{"property": "concept", "op": "regex", "value": "m.*"}]},
    {"valueSet": ["http://hl7.org/fhir/ValueSet/administrative-gender"]},
    version="1",
    compose={"inactive": False, "exclude": [{"system": GENDER, "concept": [{"code": "other"}]}]},
)
MAP = concept_map(
    "x",
    version="1",
    sourceCanonical="urn:a",
    group=[
        {
            "source": "urn:s",
            "sourceVersion": "1",
            "target": "urn:t",
            "element": [
                {
                    "code": "a",
                    "target": [
                        {
                            "code": "b",
                            "equivalence": "wider",
                            "dependsOn": [{"property": "urn:p", "value": "v"}],
                            "product": [{"property": "urn:q", "system": "urn:r", "value": "w"}],
                        }
                    ],
                }
            ],
            "unmapped": {"mode": "fixed", "code": "f", "display": "F"},
        }
    ],
)


def thinned(resource: Json) -> Iterator[tuple[str, Json]]:
    """The resource without the value, and without the whole, of each element in turn."""
    for path in list(paths(resource, ())):
        for companion in (True, False):
            changed = copy.deepcopy(resource)
            at: Any = changed
            for step in path[:-1]:
                at = at[step]
            if isinstance(at, list):
                at[path[-1]] = None if companion else {}
                continue
            value = at.pop(path[-1])
            if companion:
                at[f"_{path[-1]}"] = [BARE] * len(value) if isinstance(value, list) else BARE
            yield ".".join(map(str, path)), changed


def paths(value: Any, above: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in members:
        if name != "resourceType":
            yield (*above, name)
            yield from paths(each, (*above, name))


async def ask(work: UnitOfWork, resource: Json) -> None:
    """Every question that there is about a definition of this type."""
    which, wish = Which(resource=resource), Wish(filter="n", with_designations=True, with_definition=True, nested=True)
    questions: dict[str, list[Any]] = {
        "CodeSystem": [
            lambda: look_up(work, which, "A", LookUp(language="vi")),
            lambda: subsumes(work, which, "A", "A1"),
            lambda: validate_in_code_system(work, which, [Coded("A", display="Medicine")], Terms()),
        ],
        "ValueSet": [
            lambda: expand(work, which, wish),
            lambda: expand(work, which, Wish(nested=True)),
            lambda: validate_in_value_set(work, which, [Coded("male", GENDER, display="Nam")], Terms()),
        ],
        "ConceptMap": [
            lambda: translate(work, which, [Coded("a", "urn:s")], Towards(dependencies={"urn:p": "v"})),
            lambda: translate(work, which, [Coded("z", "urn:s")], Towards()),
            lambda: translate(work, which, [Coded("b", "urn:t")], Towards(reverse=True, dependencies={"urn:q": "w"})),
        ],
    }
    for question in questions[resource["resourceType"]]:
        with contextlib.suppress(Refusal):
            await question()


class TestThinned:
    @pytest.mark.parametrize("resource", [SYSTEM, SET, MAP], ids=lambda each: each["resourceType"])
    async def test_is_answered_or_refused(self, standing: House, parts: Runtime, resource: Json) -> None:
        assert not validate(resource, expected_type=resource["resourceType"])
        asked = 0
        async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal()) as work:
            for _, changed in thinned(resource):
                if not validate(changed, expected_type=resource["resourceType"]):
                    asked += 1
                    await ask(work, changed)
        assert asked > 15
