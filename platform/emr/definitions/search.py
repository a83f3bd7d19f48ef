"""The registry of R4 search parameters: what may be asked of a type, and what of that the index answers."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, Final, Literal

from emr.definitions import model
from emr.definitions.routes import Route, UnknownPath, below, routes

Kind = Literal["token", "string", "date", "reference", "uri", "number", "quantity", "composite", "special"]

INDEXED: Final[dict[str, frozenset[str]]] = {
    "token": frozenset(
        {"CodeableConcept", "Coding", "ContactPoint", "Identifier", "boolean", "code", "id", "string", "uri"}
    ),
    "string": frozenset({"Address", "HumanName", "markdown", "string"}),
    "date": frozenset({"Period", "Timing", "date", "dateTime", "instant"}),
    "reference": frozenset({"Reference", "canonical", "uri"}),
    "uri": frozenset({"canonical", "uri", "url"}),
    "number": frozenset({"Range", "decimal", "integer", "positiveInt", "unsignedInt"}),
    "quantity": frozenset({"Age", "Duration", "Money", "Quantity", "Range", "SampledData", "SimpleQuantity"}),
}
"""Kind of parameter to the data types whose values are extracted for it."""

COMPUTED: Final = frozenset({("Patient", "deceased")})
"""Parameters whose expression is no path; `extract` computes them."""

WORDS: Final = frozenset({"_text", "_content"})
"""Parameters that have no element of their own: they ask the words of the narrative or of the whole resource."""

_BASES: Final = ("Resource", "DomainResource")
_ROOT: Final = "%resource."


@dataclass(frozen=True, slots=True)
class SearchParameter:
    """One search parameter of one resource type, or one component of a composite.

    targets: resource types that a reference parameter may point to; empty for other kinds and for "any". Parameters
    share the rows of an element, so whoever asks must keep to these types. routes: where the values lie; empty when
    `unsupported` says why the index does not hold them. paths: under which the index holds them, as a rule one.
    composites: of a composite parameter, its alternatives, of which any may fit.
    """

    type: str
    name: str
    kind: Kind
    expression: str
    targets: frozenset[str]
    routes: tuple[Route, ...]
    unsupported: str | None
    paths: tuple[str, ...] = ()
    composites: tuple["Composite", ...] = ()

    @property
    def supported(self) -> bool:
        return self.unsupported is None

    @property
    def number(self) -> int:
        """What says in `resources.present` that a resource has a value for the parameter: 31 bits of its name."""
        return number_of(self.name)


@dataclass(frozen=True, slots=True)
class Composite:
    """One base element of a composite parameter.

    stored: the base element repeats, so that only rows of its own can say which values stand together; then the routes
    of the components begin at the base element, unless they are in `outside`, whose routes begin at the resource.
    Else the composite is the same as all of its components, each asked for itself.
    path: under which such rows stand. base: how to come to the base element.
    """

    path: str
    stored: bool
    base: Route
    components: tuple[SearchParameter, ...]
    outside: frozenset[int] = frozenset()


@functools.cache
def number_of(name: str) -> int:
    """31 bits of a parameter's name, the same at all times."""
    return int.from_bytes(blake2b(name.encode(), digest_size=4).digest(), "big") >> 1


@functools.cache
def parameters(type: str) -> dict[str, SearchParameter]:  # noqa: A002
    """Name to parameter, those of `Resource` and `DomainResource` among them. Empty for an unknown type."""
    if type not in model.resource_types():
        return {}
    return {name: _parameter(type, name, entry) for name, entry in _entries(type).items()}


@functools.cache
def _entries(type_: str) -> dict[str, dict[str, Any]]:
    compiled = model.content("parameters")
    bases = ["Resource"] if model.type_of(type_).base == "Resource" else _BASES
    return {name: entry for each in (*bases, type_) for name, entry in compiled.get(each, {}).items()}


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
    if (type_, name) in COMPUTED:
        return SearchParameter(type_, name, kind, expression, frozenset(), (), None, (f"{type_}.{name}",))
    found: tuple[Route, ...] = ()
    composites: tuple[Composite, ...] = ()
    if name in WORDS:
        reason: str | None = None
    elif not expression:
        reason = "the specification gives no expression"
    elif kind == "composite":
        composites, reason = _composites(type_, expression, entry["components"])
    elif kind in INDEXED:
        found, reason = _resolve(kind, functools.partial(routes, type_, expression))
    else:
        reason = f"parameters of kind {kind} are not indexed"
    targets = allowed_targets(kind, frozenset(entry.get("targets", ())), found)
    return SearchParameter(type_, name, kind, expression, targets, found, reason, _paths(found), composites)


def _resolve(kind: Kind, resolve: Callable[[], tuple[Route, ...]]) -> tuple[tuple[Route, ...], str | None]:
    try:
        every = resolve()
    except UnknownPath as unknown:
        return (), f"the expression is outside the supported FHIRPath: {unknown}"
    usable = tuple(route for route in every if route.type in INDEXED[kind])
    return usable, None if usable else f"{kind} values are not taken from {every[0].type}"


def _paths(found: tuple[Route, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(route.path for route in found))


def _composites(
    type_: str, expression: str, components: list[dict[str, str]]
) -> tuple[tuple[Composite, ...], str | None]:
    try:
        bases = routes(type_, expression)
    except UnknownPath as unknown:
        return (), f"the expression is outside the supported FHIRPath: {unknown}"
    made = tuple(_composite(type_, base, components) for base in bases)
    reasons = [part.unsupported for each in made for part in each.components if part.unsupported]
    return made, reasons[0] if reasons else None


def _composite(type_: str, base: Route, components: list[dict[str, str]]) -> Composite:
    stored = base.many
    start = replace(base, steps=()) if stored else base
    parts = tuple(_component(type_, start, each["code"], each["expression"]) for each in components)
    written = [f"{'|'.join(path.removeprefix(base.path + '.') for path in each.paths)}({each.kind})" for each in parts]
    outside = {number for number, each in enumerate(components) if each["expression"].startswith(_ROOT)}
    return Composite(f"{base.path}:{'$'.join(written)}", stored, base, parts, frozenset(outside))


def _component(type_: str, start: Route, name: str, expression: str) -> SearchParameter:
    known = _entries(type_)[name]
    kind: Kind = known["kind"]
    base = Route((), type_, type_) if expression.startswith(_ROOT) else start
    inner = expression.removeprefix(_ROOT)
    found, reason = _resolve(kind, functools.partial(below, base, inner))
    targets = allowed_targets(kind, frozenset(known.get("targets", ())), found)
    return SearchParameter(type_, name, kind, expression, targets, found, reason, _paths(found))


def allowed_targets(kind: Kind, stated: frozenset[str], found: tuple[Route, ...]) -> frozenset[str]:
    """A shared parameter states the targets of all its types; what the elements of this one allow is narrower."""
    if kind != "reference":
        return frozenset()
    if not found or any(not route.targets for route in found):
        return stated
    allowed = frozenset[str]().union(*(route.targets for route in found))
    return allowed & stated if stated else allowed
