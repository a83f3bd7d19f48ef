"""Search parameters that a hospital has of its own, beside those of R4 (FHIR R4, searchparameter.html).

They are made from SearchParameter resources. Each is indexed under paths of its own, which name the members as JSON
has them (`Patient.extension[url=…].valueCoding`), so that two parameters share rows only where they ask the same.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

from emr.definitions.model import resource_types
from emr.definitions.routes import Equal, First, Route, Target, UnknownPath, routes
from emr.definitions.search import INDEXED, Kind, SearchParameter, allowed_targets, number_of, parameter, parameters
from emr.kernel.errors import Issue, Unavailable

Json = dict[str, Any]

_CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}", re.ASCII).fullmatch
_LONGEST: Final = 2_000
_ROOT: Final = re.compile(r"\(?(\w+)").match
_BASES: Final = frozenset({"Resource", "DomainResource"})
_RESERVED: Final = frozenset({"identifier"})
"""What the index keeps in a form of its own, for the parameters of R4."""


@dataclass(frozen=True, slots=True, eq=False)
class Own:
    """What one hospital has of its own. by_type: type and name to parameter.

    mark: differs whenever anything does; None where there is nothing. building: names of parameters whose index does
    not hold the whole record yet; they are written, and not asked.
    """

    mark: str | None = None
    by_type: Mapping[str, Mapping[str, SearchParameter]] = field(default_factory=dict)
    building: frozenset[tuple[str, str]] = frozenset()

    def parameter(self, type: str, name: str) -> SearchParameter | None:  # noqa: A002
        """A parameter of R4 or of the hospital. Raises `Unavailable` for one whose index is being built."""
        known = parameter(type, name)
        if known is not None:
            return known
        return self._ready(self.by_type.get(type, {}).get(name))

    def references(self, type: str) -> list[SearchParameter]:  # noqa: A002
        """Of kind reference. Raises `Unavailable` where one is being built: what it leads to would be left out."""
        own = [each for each in self.by_type.get(type, {}).values() if each.kind == "reference"]
        for each in own:
            self._ready(each)
        known = [each for each in parameters(type).values() if each.kind == "reference"]
        return [each for each in (*known, *own) if not each.unsupported]

    def usable(self, type: str) -> list[SearchParameter]:  # noqa: A002
        """The hospital's own that can be asked now."""
        return [each for each in self.by_type.get(type, {}).values() if (type, each.name) not in self.building]

    def _ready(self, own: SearchParameter | None) -> SearchParameter | None:
        if own is not None and (own.type, own.name) in self.building:
            rule = f"The index of the parameter {own.name} of {own.type} is being built; try again later."
            raise Unavailable("index-being-built", rule, location=own.name)
        return own


NONE: Final = Own()
"""R4 alone."""


class OwnUnread(Exception):
    """What was asked depends on whether the hospital has parameters of its own, which nobody has looked up yet."""


class Unread:
    """R4's parameters for as long as they are enough to go by."""

    def parameter(self, type: str, name: str) -> SearchParameter | None:  # noqa: A002
        """A parameter of R4. Raises `OwnUnread` when it has none of this name."""
        known = parameter(type, name)
        if known is None:
            raise OwnUnread(type)
        return known

    def references(self, type: str) -> list[SearchParameter]:  # noqa: A002
        """Raises `OwnUnread`."""
        raise OwnUnread(type)


Known = Own | Unread
"""The parameters that a search may name."""


def faults(resource: Json) -> list[Issue]:
    """Why an active SearchParameter that is valid cannot be used, each with its FHIRPath; empty when it can."""
    return [*_named(resource), *_limited(resource)] or _expressed(resource)


def compiled(resource: Json) -> dict[str, SearchParameter]:
    """Type to parameter, for a SearchParameter without faults; one that has faults is there and unsupported."""
    return {base: _parameter(resource, base) for base in resource["base"]}


def _named(resource: Json) -> Iterable[Issue]:
    code = resource["code"]
    if not _CODE(code) or code in _RESERVED:
        rule = "The code is a letter, then up to 63 letters, digits and dashes, and not identifier."
        yield Issue("parameter-code", rule, "SearchParameter.code")
        return
    for place, base in enumerate(resource["base"]):
        if base not in resource_types():
            rule = f"{base} is no type of resource that is stored; name the types."
            yield Issue("parameter-base", rule, f"SearchParameter.base[{place}]")
        elif any(code == each.name or number_of(code) == each.number for each in parameters(base).values()):
            rule = f"{base} has a search parameter {code} in R4."
            yield Issue("parameter-taken", rule, "SearchParameter.code")


def _limited(resource: Json) -> Iterable[Issue]:
    kind = resource["type"]
    if kind not in INDEXED:
        yield Issue("parameter-kind", f"Parameters of kind {kind} are R4's alone.", "SearchParameter.type")
    if not resource.get("expression"):
        yield Issue("parameter-expression", "It has no expression to index by.", "SearchParameter.expression")
    elif len(resource["expression"]) > _LONGEST:
        rule = f"The expression has more than {_LONGEST} characters."
        yield Issue("parameter-expression", rule, "SearchParameter.expression")
    if resource.get("xpathUsage", "normal") != "normal":
        rule = "Values are compared as they are; xpathUsage is normal."
        yield Issue("parameter-usage", rule, "SearchParameter.xpathUsage")
    for place, target in enumerate(resource.get("target", ())):
        if target not in resource_types():
            rule = f"{target} is no type of resource that is stored; leave target out for any."
            yield Issue("parameter-target", rule, f"SearchParameter.target[{place}]")


def _expressed(resource: Json) -> list[Issue]:
    """The expression of each base leads to elements, and those hold values of the kind."""
    for base in resource["base"]:
        try:
            found = _routes(resource, base)
        except UnknownPath as unknown:
            rule = f"The expression is outside the supported FHIRPath: {unknown}."
            return [Issue("parameter-expression", rule, "SearchParameter.expression")]
        if not found:
            rule = f"No part of the expression is about {base}."
            return [Issue("parameter-expression", rule, "SearchParameter.expression")]
        if not _usable(resource["type"], found):
            types = ", ".join(sorted({route.type for route in found})[:5])
            rule = f"{resource['type']} values are not taken from {types}."
            return [Issue("parameter-kind", rule, "SearchParameter.type")]
    return []


def _parameter(resource: Json, base: str) -> SearchParameter:
    kind = cast(Kind, resource["type"])
    issues = faults(resource)
    found = () if issues else _usable(kind, _routes(resource, base))
    exact = tuple(replace(route, path=_path(route, base)) for route in found)
    targets = allowed_targets(kind, frozenset(resource.get("target", ())), exact)
    reason = issues[0].message if issues else None
    paths = tuple(dict.fromkeys(route.path for route in exact))
    return SearchParameter(base, resource["code"], kind, resource.get("expression", ""), targets, exact, reason, paths)


def _routes(resource: Json, base: str) -> tuple[Route, ...]:
    """The alternatives that are about one of the bases, or about all resources. Raises UnknownPath."""
    found: list[Route] = []
    for part in resource["expression"].split(" | "):
        root = _ROOT(part.strip())
        if root is None or root[1] not in {*resource["base"], *_BASES}:
            raise UnknownPath(f"{part.strip()[:100]} does not begin with one of its bases")
        if root[1] in {base, *_BASES}:
            found.extend(routes(base, part.strip()))
    return tuple(found)


def _usable(kind: str, found: Iterable[Route]) -> tuple[Route, ...]:
    """Routes to values of the kind; only of references is asked what they lead to."""
    typed = [route for route in found if route.type in INDEXED[kind]]
    return tuple(route for route in typed if route.type == "Reference" or not isinstance(route.steps[-1], Target))


def _path(route: Route, base: str) -> str:
    """By the members as JSON has them; what a reference must lead to is asked of its target."""
    written = base
    for step in route.steps:
        match step:
            case Equal(key, value):
                written += f"[{key}={value}]"
            case First():
                written += "[0]"
            case Target():
                pass
            case _:
                written += f".{step}"
    return written
