"""Every search parameter of every type of R4, each asked of a valid resource that was made to have a value for it."""

import asyncio
from dataclasses import dataclass, replace
from typing import Any

import pytest

from emr.definitions import model
from emr.definitions.routes import Target
from emr.definitions.search import SearchParameter, parameters
from emr.definitions.validate import validate
from emr.kernel import json
from emr.kernel.errors import Refusal
from tests.conformance.reference import values
from tests.conformance.reference.evaluator import Name, Reference
from tests.conformance.reference.history import put
from tests.conformance.reference.hospital import Hospital, opened
from tests.conformance.reference.minimal import minimal, place, plant, together
from tests.conformance.reference.path import Node, evaluate
from tests.conformance.reference.questions import Query
from tests.house import House

TYPES = sorted(model.resource_types())
NOWHERE = "urn:nowhere|nothing"


@dataclass(frozen=True)
class Made:
    """A resource for a parameter, what must find it and what must not."""

    key: Name
    parameter: SearchParameter
    hit: str
    miss: str


def asked() -> list[tuple[str, SearchParameter]]:
    """Each parameter that belongs to a type and that the record answers."""
    return [
        (type_, each)
        for type_ in TYPES
        for each in parameters(type_).values()
        if not each.name.startswith("_") and each.unsupported is None
    ]


def resource_for(type_: str, parameter: SearchParameter) -> dict[str, Any]:
    """The first of its routes that a valid resource can have a value at."""
    if parameter.composites:
        return checked(together(type_, parameter.composites[0]))
    made = minimal(type_)
    for route in parameter.routes:
        made = minimal(type_)
        leads = (Target(min(parameter.targets)),) if parameter.targets and route.type == "Reference" else ()
        plant(made, type_, replace(route, steps=(*route.steps, *leads)))
        if not validate(json.loads(json.dumps(made))):
            break
    return checked(made)


def checked(made: dict[str, Any]) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(json.dumps(made))
    assert not validate(parsed), (parsed, validate(parsed))
    return parsed


def question(kind: str, node: Node) -> tuple[str, str]:
    """What finds a value and what does not."""
    if kind == "token":
        system, code = values.codes(node)[0]
        return (f"{system}|{code}" if system else code), NOWHERE
    if kind == "string":
        return next(iter(values.strings(node))), "không có"
    if kind == "date":
        return "2020-05", "2019-05"
    if kind in ("number", "quantity"):
        return "ge3", "lt2"
    if kind == "uri" or isinstance(node.value, str):
        return node.value, node.value + "/x"
    target: str = node.value["reference"]
    return target, target.partition("/")[0] + "/nobody"


def made_of(type_: str, parameter: SearchParameter, reference: Reference) -> Made:
    key = (type_, parameter.name)
    if not parameter.composites:
        node = reference.nodes(key, parameter.name)[0]
        return Made(key, parameter, *question(parameter.kind, node))
    root = Node(type_, reference.held[key].resource)
    for base in evaluate(parameter.expression, root, root):
        components = parameter.composites[0].components
        nodes = [(each.kind, evaluate(each.expression, base, root)) for each in components]
        if all(found for _, found in nodes):
            hits, misses = zip(*(question(kind, found[0]) for kind, found in nodes), strict=True)
            return Made(key, parameter, "$".join(hits), "$".join([*hits[:-1], misses[-1]]))
    raise AssertionError(key)


async def faults(hospital: Hospital) -> list[str]:
    """What was refused, not found or found wrongly."""
    everything = asked()
    targets = [{**checked(minimal(each)), "id": place(each).partition("/")[2]} for each in TYPES]
    made = [{**resource_for(*each), "id": each[1].name} for each in everything]
    reference = await hospital.store([put(each) for each in (*targets, *made)])
    found = []
    for type_, parameter in everything:
        each = made_of(type_, parameter, reference)
        for text, there in ((each.hit, True), (each.miss, False)):
            query = Query((type_,), ((parameter.name, text), ("_id", parameter.name)))
            try:
                page = await hospital.page(query, list(query.criteria))
            except Refusal as refusal:
                found.append(f"{query}: {refusal.issues}")
                continue
            if bool(page.matches) != there:
                found.append(f"{query}: {'not found' if there else 'found'}; {reference.held[each.key].resource}")
    return found


async def unguarded(_work: Any, _draft: Any) -> None:
    """Whether somebody may subscribe is not what this is about."""


class TestEveryParameter:
    @pytest.mark.timeout(600)
    def test_finds_what_has_its_value_and_nothing_else(self, standing: House) -> None:
        async def run() -> list[str]:
            async with opened(standing, "every-parameter") as hospital:
                hospital.parts.guards["Subscription"] = unguarded
                return await faults(hospital)

        found = asyncio.run(run())
        assert not found, "\n".join(found)

    def test_there_are_as_many_as_r4_has(self) -> None:
        assert len(asked()) > 1_300
