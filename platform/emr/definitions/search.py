"""The registry of R4 search parameters: what may be asked of a type, and what of that the index answers."""

import functools
from dataclasses import dataclass
from typing import Any, Final, Literal

from emr.definitions import model
from emr.definitions.routes import Route, UnknownPath, routes

Kind = Literal["token", "string", "date", "reference", "uri", "number", "quantity", "composite", "special"]

INDEXED: Final[dict[str, frozenset[str]]] = {
    "token": frozenset(
        {"CodeableConcept", "Coding", "ContactPoint", "Identifier", "boolean", "code", "id", "string", "uri"}
    ),
    "string": frozenset({"Address", "HumanName", "markdown", "string"}),
    "date": frozenset({"Period", "Timing", "date", "dateTime", "instant"}),
    "reference": frozenset({"Reference", "canonical", "uri"}),
    "uri": frozenset({"canonical", "uri", "url"}),
}
"""Kind of parameter to the data types whose values are extracted for it."""

COMPUTED: Final = frozenset({("Patient", "deceased")})
"""Parameters whose expression is no path; `extract` computes them."""

NOT_AS_SPECIFIED: Final = {"phonetic": "names are not matched by sound"}
"""Parameters whose values could be indexed, but not in the way that the specification describes."""

_BASES: Final = ("Resource", "DomainResource")


@dataclass(frozen=True, slots=True)
class SearchParameter:
    """One search parameter of one resource type.

    targets: resource types that a reference parameter may point to; empty for other kinds and for "any".
    routes: where the values lie; empty when `unsupported` says why the index does not hold them.
    """

    type: str
    name: str
    kind: Kind
    expression: str
    targets: frozenset[str]
    routes: tuple[Route, ...]
    unsupported: str | None

    @property
    def supported(self) -> bool:
        return self.unsupported is None


@functools.cache
def parameters(type: str) -> dict[str, SearchParameter]:  # noqa: A002
    """Name to parameter, those of `Resource` and `DomainResource` among them. Empty for an unknown type."""
    if type not in model.resource_types():
        return {}
    compiled = model.content("parameters")
    bases = ["Resource"] if model.type_of(type).base == "Resource" else _BASES
    entries = {name: entry for each in (*bases, type) for name, entry in compiled.get(each, {}).items()}
    return {name: _parameter(type, name, entry) for name, entry in entries.items()}


def parameter(type: str, name: str) -> SearchParameter | None:  # noqa: A002
    """A parameter by its code, without modifier. None if R4 does not define it for this type."""
    return parameters(type).get(name)


@functools.cache
def unsupported() -> dict[tuple[str, str], str]:
    """(type, name) of each R4 parameter that is not indexed, with the reason; a search by it is refused."""
    return {
        (name, each.name): each.unsupported
        for name in sorted(model.resource_types())
        for each in parameters(name).values()
        if each.unsupported
    }


def _parameter(type_: str, name: str, entry: dict[str, Any]) -> SearchParameter:
    kind: Kind = entry["kind"]
    expression: str = entry.get("expression", "")
    found: tuple[Route, ...] = ()
    reason = None
    if (type_, name) in COMPUTED:
        pass
    elif name in NOT_AS_SPECIFIED:
        reason = NOT_AS_SPECIFIED[name]
    elif kind not in INDEXED:
        reason = f"parameters of kind {kind} are not indexed"
    elif not expression:
        reason = "the specification gives no expression"
    else:
        found, reason = _resolve(type_, kind, expression)
    targets = _targets(kind, frozenset(entry.get("targets", ())), found)
    return SearchParameter(type_, name, kind, expression, targets, found, reason)


def _resolve(type_: str, kind: Kind, expression: str) -> tuple[tuple[Route, ...], str | None]:
    try:
        every = routes(type_, expression)
    except UnknownPath as unknown:
        return (), f"the expression is outside the supported FHIRPath: {unknown}"
    usable = tuple(route for route in every if route.type in INDEXED[kind])
    return usable, None if usable else f"{kind} values are not taken from {every[0].type}"


def _targets(kind: Kind, stated: frozenset[str], found: tuple[Route, ...]) -> frozenset[str]:
    """A shared parameter states the targets of all its types; what the elements of this one allow is narrower."""
    if kind != "reference":
        return frozenset()
    if not found or any(not route.targets for route in found):
        return stated
    allowed = frozenset[str]().union(*(route.targets for route in found))
    return allowed & stated if stated else allowed
