"""The FHIRPath of search parameters, resolved against the element tables into plain member names.

Every expression of R4 is a union of paths with `as`, `where(x = 'y')`, `where(resolve() is T)` and, rarely, an index.
Since types are known, each becomes a list of routes: members to follow, conditions on the way, the type at the end.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from emr.definitions import model

_AS = re.compile(r"\((.+) as (\w+)\)(.*)").fullmatch
_STEP = re.compile(
    r"(?P<name>\w+)(?P<index>\[0\])?|where\((?:resolve\(\) is (?P<target>\w+)|(?P<key>\w+) ?= ?'(?P<value>[^']*)')\)"
    r"|(?:as|ofType)\((?P<type>\w+)\)|extension\('(?P<url>[^']+)'\)"
).fullmatch
_DOTS = re.compile(r"\.(?![^(]*\))")
_BASES: Final = frozenset({"Resource", "DomainResource"})
_ROUTES_MOST: Final = 500
"""Of one path: nested choices multiply."""
_ALIKE: Final = frozenset({"uri", "canonical"})
"""Types of one choice whose values look the same, and for which R4 has a parameter each (`ConceptMap.source`)."""


@dataclass(frozen=True, slots=True)
class Equal:
    """Keeps objects whose member `key` is `value`."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Target:
    """Keeps references to resources of one type."""

    type: str


@dataclass(frozen=True, slots=True)
class First:
    """Keeps the first item of a list."""


Step = str | Equal | Target | First


@dataclass(frozen=True, slots=True)
class Route:
    """How to come from a resource to values of one type.

    path: the elements on the way, `Observation.effective`, `Patient.telecom[system=phone]`: without the type of a
    choice, without casts and without what a reference must resolve to. many: whether the way may fork.
    targets: resource types that a reference at the end may point to, empty for any. binding: of a `code` at the end.
    """

    steps: tuple[Step, ...]
    type: str
    path: str
    many: bool = False
    targets: frozenset[str] = frozenset()
    binding: str | None = None


class UnknownPath(ValueError):
    """An expression that is not of this subset of FHIRPath; the message says which part."""


def routes(type_: str, expression: str) -> tuple[Route, ...]:
    """All routes of a union. Raises UnknownPath."""
    start = Route((), type_, type_)
    return tuple(route for part in _parts(expression) for route in _alternative(start, part))


def below(base: Route, expression: str) -> tuple[Route, ...]:
    """All routes of a union that begins at the end of another route. Raises UnknownPath."""
    return tuple(route for part in _parts(expression) for route in _steps(base, _DOTS.split(part)))


def _parts(expression: str) -> list[str]:
    return [part.strip() for part in expression.split(" | ")]


def _alternative(start: Route, expression: str) -> list[Route]:
    cast = _AS(expression)
    path, kind, rest = cast.groups() if cast else (expression, None, "")
    root, *names = _DOTS.split(path)
    if root not in {start.type, *_BASES}:
        raise UnknownPath(f"{root} is not {start.type}")
    found = _steps(start, names)
    if kind is not None:
        found = [route for route in found if _is(route, kind)]
    return [longer for route in found for longer in _steps(route, _DOTS.split(rest)[1:] if rest else [])]


def _steps(start: Route, names: list[str]) -> list[Route]:
    found = [start]
    for name in names:
        found = [longer for route in found for longer in _follow(route, name)]
        if len(found) > _ROUTES_MOST:
            raise UnknownPath(f"more than {_ROUTES_MOST} ways lead to {name}")
    return found


def _follow(route: Route, text: str) -> Iterator[Route]:
    step = _STEP(text)
    if step is None:
        raise UnknownPath(text)
    if step["name"]:
        yield from _member(route, step["name"], step["index"])
    elif step["target"]:
        yield replace(route, steps=(*route.steps, Target(step["target"])), targets=frozenset({step["target"]}))
    elif step["key"]:
        steps = (*route.steps, Equal(step["key"], step["value"]))
        yield replace(route, steps=steps, path=f"{route.path}[{step['key']}={step['value']}]")
    elif step["url"]:
        steps = (*_holder(route), "extension", Equal("url", step["url"]))
        yield Route(steps, "Extension", f"{route.path}.extension[url={step['url']}]", many=True)
    elif _is(route, step["type"]):
        yield route


def _holder(route: Route) -> tuple[Step, ...]:
    """What has the extensions: in JSON that of a primitive element stands beside it (json.html#primitive)."""
    if model.type_of(route.type).kind != "primitive-type":
        return route.steps
    *way, last = route.steps
    if not isinstance(last, str):
        raise UnknownPath(f"{route.path} and then its extensions")
    return (*way, f"_{last}")


def _member(route: Route, name: str, index: str | None) -> Iterator[Route]:
    element = model.type_of(route.type).elements.get(name)
    if element is None:
        raise UnknownPath(f"{route.type} has no {name}")
    path = f"{route.path}.{name}{index or ''}"
    many = route.many or (element.many and not index)
    for key, kind in element.members().items():
        begin = _holder(route) if name == "extension" else route.steps
        steps = (*begin, key, First()) if index else (*begin, key)
        own = f"{path} as {kind}" if element.choice and kind in _ALIKE else path
        yield Route(steps, kind, own, many, element.targets, element.binding)


def _is(route: Route, kind: str) -> bool:
    """`DateTime` in some published expressions is `dateTime`."""
    return route.type.lower() == kind.lower() or (route.type == "SimpleQuantity" and kind == "Quantity")
