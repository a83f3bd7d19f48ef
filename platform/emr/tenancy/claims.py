"""What no two hospitals may both have, and who has it: one place of the rules, whoever says it."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol


class Stands(Protocol):
    """A hospital of the directory."""

    @property
    def slug(self) -> str:
        """Its slug."""
        ...

    @property
    def definition(self) -> Mapping[str, Any]:
        """What its file or the console says, as JSON."""
        ...

    @property
    def managed_by(self) -> str:
        """`file` or `console`."""
        ...


def claims(definition: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What a definition claims for its hospital alone: kind, value, and the field that says it."""
    yield "facility_code", definition["facility_code"], "facility_code"
    if definition.get("dicom"):
        yield "dicom.ae_title", definition["dicom"]["ae_title"], "dicom.ae_title"
    identity = definition["identity"]
    yield "identity.organization", identity["organization"], "identity.organization"
    for number, domain in enumerate(identity["domains"]):
        yield "identity.domains", domain, f"identity.domains.{number}"


Owners = Mapping[tuple[str, str], str]


def owners_of(world: Mapping[str, Stands]) -> Owners:
    """Whose each kind and value is, by slug."""
    return {(kind, value): each.slug for each in world.values() for kind, value, _ in claims(each.definition)}


def clashes(wanted: Mapping[str, Any], world: Mapping[str, Stands], owners: Owners) -> list[tuple[str, str]]:
    """What a definition claims and another hospital has: field and rule. `world`: by slug; owners: of `owners_of`.

    What the hospital itself had before, it may go on saying.
    """
    slug, row = wanted["slug"], world.get(wanted["slug"])
    if row is not None and row.managed_by != wanted["managed_by"]:
        return [("slug", f"{slug} is managed by {row.managed_by}; what says so may change it")]
    if row is not None and row.definition["facility_code"] != wanted["facility_code"]:
        return [("slug", f"{slug} is that of {row.definition['name']} ({row.definition['facility_code']}) already")]
    kept = {(kind, value) for kind, value, _ in claims(row.definition)} if row is not None else set()
    return [
        (field, f"{value} is already that of {owners[kind, value]}")
        for kind, value, field in claims(wanted)
        if owners.get((kind, value), slug) != slug and (kind, value) not in kept
    ]
