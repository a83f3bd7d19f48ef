"""Membership in a compartment as a criterion (FHIR R4, compartmentdefinition.html)."""

from collections.abc import Sequence
from functools import cache

from emr.definitions import model
from emr.definitions.search import parameter
from emr.records.errors import SearchRefused
from emr.records.search.question import Compartment
from emr.records.stored import is_id


@cache
def compartments() -> frozenset[str]:
    """The types that have a compartment."""
    return frozenset(model.content("compartments"))


def compartment_of(
    compartment: tuple[str, str], resource_type: str, types: Sequence[str]
) -> tuple[tuple[str, ...], Compartment]:
    """The types to search and what makes a resource of them a member. `resource_type`: one, or `*` for `types`.

    Raises `SearchRefused`.
    """
    kind, key = compartment
    if kind not in compartments() or not is_id(key):
        raise SearchRefused("compartment-unknown", f"There is no compartment of {kind[:64]}.", "compartment")
    wanted = types if resource_type == "*" else (resource_type,)
    members = tuple(each for each in wanted if is_member(kind, each))
    if not members:
        rule = f"{resource_type[:64]} is not part of the {kind} compartment."
        raise SearchRefused("compartment-type", rule, "compartment")
    return members, Compartment(kind, key, tuple(path for each in members for path in paths(kind, each)))


def is_member(kind: str, resource_type: str) -> bool:
    """Whether resources of a type can be in a compartment; its own resource always is."""
    return resource_type == kind or bool(paths(kind, resource_type))


@cache
def paths(kind: str, resource_type: str) -> tuple[str, ...]:
    """The references by which a resource of a type becomes a member."""
    names = model.content("compartments")[kind].get(resource_type, ())
    known = [parameter(resource_type, name) for name in names if not name.startswith("{")]
    return tuple(dict.fromkeys(path for each in known if each is not None for path in each.paths))
