"""Every door of a hospital, made from the routes, operations and search parameters themselves.

A route whose path has a part that is not known here is refused (`DoorUnknown`), so that none can be added untried.
What is knocked with would store nothing even where a guard is broken: bodies are refused for their form, changes name a
version that never was.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import quote

from starlette.routing import Route

from emr.border.canaries import FHIR
from emr.border.knocking import Knock
from emr.definitions.model import resource_types
from emr.definitions.search import SearchParameter, parameters
from emr.fhir.operations import OPERATIONS

Kind = Literal["fhir", "dicomweb", "page", "console", "console-api"]

PUBLIC: Final = frozenset(
    {
        "/h/{slug}/fhir/metadata", "/h/{slug}/fhir/.well-known/smart-configuration",
        "/h/{slug}/smart/authorize", "/h/{slug}/smart/token", "/h/{slug}/smart/introspect", "/h/{slug}/smart/revoke",
    }
)  # fmt: skip
"""Doors without a lock of ours: nothing of a patient lies behind them, or the app that comes is looked at first."""
NOT_PLANTED: Final = frozenset(
    {
        "/h/{slug}/imaging/studies/{study}",
        "/h/{slug}/imaging/studies/{study}/series/{series}/instances/{instance}/document",
        "/h/{slug}/dicomweb/studies/{study}/series/{series}/instances/{instance}/bulkdata/{tag}",
        "/h/{slug}/fhir/$export/{id}", "/h/{slug}/fhir/$export/{id}/{number}",
        "/h/{slug}/fhir/$import/{id}", "/h/{slug}/fhir/$import/{id}/{number}",
    }
)  # fmt: skip
"""Doors to a kind of thing that no canary is: a study without a patient, a PDF in DICOM, and jobs, which are their
maker's alone.
"""
_FIXED: Final = {
    "type": "Patient", "version": "1", "number": "1", "page": "1", "frame": "1", "numbers": "1", "tag": "7FE00010",
    "code": "8867-4", "operation": "meta", "member": "Observation",
    "session": "0", "subject": "nobody", "review": "nobody", "app": "nobody", "grant": "nobody",
    "proposal": "nobody", "announcement": "nobody", "past": "nobody", "order": "nobody",
    "job": "nobody", "name": "nobody",
}  # fmt: skip
_PLANTED: Final = frozenset({"id", "patient", "encounter", "note", "binary", "document", "study", "series", "instance"})
_CONSOLE: Final = "/ops/"
"""The department's: outsiders of a hospital are outsiders there, too."""
_PART: Final = re.compile(r"\{(\w+)(?::path)?\}")
ACCEPTS: Final[dict[Kind, str]] = {
    "fhir": FHIR, "dicomweb": "*/*", "page": "text/html", "console": "text/html", "console-api": "application/json",
}  # fmt: skip
"""What a client of each kind asks for."""
_CHANGES: Final = frozenset({"POST", "PUT", "PATCH"})
_NEVER: Final = "999999999"
_TOGETHER: Final = 25


class DoorUnknown(Exception):
    """A route has a part for which the border light has nothing to try."""


@dataclass(frozen=True, slots=True)
class Door:
    """One way in: method and path as the route has them, and the query with which it is tried."""

    method: str
    path: str
    query: str = ""

    @property
    def name(self) -> str:
        """How a finding names it."""
        return f"{self.method} {self.path}" + (f"?{self.query}" if self.query else "")

    @property
    def kind(self) -> Kind:
        """How its refusals look."""
        if self.path.startswith(_CONSOLE):
            return "console-api" if self.path.startswith(f"{_CONSOLE}api/") else "console"
        return "fhir" if "/fhir" in self.path else "dicomweb" if "/dicomweb" in self.path else "page"

    @property
    def planted(self) -> bool:
        """Whether its path names something that a canary is."""
        return bool(set(_PART.findall(self.path)) & _PLANTED)

    def knock(self, slug: str, ids: Mapping[str, str], values: Mapping[str, str] | None = None) -> Knock:
        """The request at this hospital's door for the things with these ids; `values` fill the query."""
        path = filled(self.path, slug, ids)
        query = self.query.format_map(values) if values else self.query
        headers = {"Accept": ACCEPTS[self.kind]}
        content, form = None, None
        if self.method in _CHANGES:
            if self.kind in ("page", "console") or path.endswith("_search"):
                form = {"_count": "1"} if path.endswith("_search") else {}
            else:
                content, media_type = _harmless(self, path)
                headers["Content-Type"] = media_type
        if self.method in ("PUT", "PATCH", "DELETE"):
            headers["If-Match"] = f'W/"{_NEVER}"'
        return Knock(self.method, path + (f"?{query}" if query else ""), headers, content, form)


def filled(path: str, slug: str, ids: Mapping[str, str]) -> str:
    """A route's path with its parts filled in. Raises `DoorUnknown`."""
    parts = {"slug": slug} | _FIXED | dict(ids)
    missing = set(_PART.findall(path)) - parts.keys()
    if missing:
        raise DoorUnknown(f"{path}: nothing to try for {', '.join(sorted(missing))}")
    return _PART.sub(lambda found: parts[found[1]], path)


@dataclass(frozen=True, slots=True)
class Doors:
    """What is tried: `routes` and `operations` at the hospital's own address and, for its things, at others'; `images`:
    queries for images, `searches`: for everything else.
    """

    routes: Sequence[Door] = ()
    operations: Sequence[Door] = ()
    images: Sequence[Door] = ()
    searches: Sequence[Door] = ()

    @property
    def knocked_at(self) -> Sequence[Door]:
        """At which outsiders knock."""
        return [*self.routes, *self.operations, *self.images]

    @property
    def naming(self) -> Sequence[Door]:
        """Those that ask for something by its id."""
        return [each for each in (*self.routes, *self.operations) if each.method == "GET" and each.planted]


def every_door(routers: Iterable[Any]) -> Doors:
    """All of an application's."""
    return Doors(routes(routers), operations(), images(), searches())


def routes(routers: Iterable[Any]) -> list[Door]:
    """A door for each method of each route below a hospital, and of the department's console."""
    found = dict.fromkeys(each for router in routers for each in _walk(router))
    return [
        Door(*each) for each in found if each[1].startswith(("/h/{slug}/", _CONSOLE)) and "{rest:path}" not in each[1]
    ]


def _walk(router: Any) -> Iterator[tuple[str, str]]:
    for route in router.routes:
        if isinstance(route, Route):
            yield from ((method, route.path) for method in sorted(set(route.methods or ()) - {"HEAD"}))
        elif inner := getattr(route, "original_router", None):
            prefix = route.include_context.prefix
            yield from ((method, prefix + path) for method, path in _walk(inner))


def operations() -> list[Door]:
    """A door for each operation at each of its levels, asked for the canary."""
    return [
        Door(method, path)
        for each in OPERATIONS
        for method in sorted(each.methods)
        for level in sorted(each.levels)
        for path in _operation_paths(level, each.name, sorted(each.types))
    ]


def _operation_paths(level: str, name: str, types: Sequence[str]) -> list[str]:
    base = "/h/{slug}/fhir"
    kind = "Patient" if not types or "Patient" in types else types[0]
    return {
        "system": [f"{base}/${name}"],
        "type": [f"{base}/{kind}/${name}"],
        "instance": [f"{base}/{kind}/{{id}}/${name}"],
        "version": [f"{base}/{kind}/{{id}}/_history/{{version}}/${name}"],
    }[level]


def searches() -> list[Door]:
    """A door for each search parameter of each type, asked by what the canary has."""
    found = []
    for type_ in sorted(resource_types()):
        for name, parameter in sorted(parameters(type_).items()):
            value = _asked(parameter)
            if value and not parameter.unsupported:
                found.append(Door("GET", f"/h/{{slug}}/fhir/{type_}", f"{name}={value}&_count=5"))
    return found


def parted(asked: Sequence[Door]) -> tuple[list[Door], list[list[Door]]]:
    """Searches that are asked each for itself, one of each type, and the others by what one batch asks."""
    alone = list({door.path: door for door in reversed(asked)}.values())
    others = [door for door in asked if door not in set(alone)]
    return alone, [others[begin : begin + _TOGETHER] for begin in range(0, len(others), _TOGETHER)]


def together(slug: str, asked: Sequence[Door], values: Mapping[str, str]) -> Knock:
    """Searches as a batch, which answers them in their order (R4 3.1.0.11.2)."""
    base = f"/h/{slug}/fhir"
    sent = [f"{door.path.rpartition('/')[2]}?{door.query.format_map(values)}" for door in asked]
    entries = [{"request": {"method": "GET", "url": each}} for each in sent]
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": entries}
    return Knock("POST", base, {"Accept": FHIR, "Content-Type": FHIR}, json.dumps(bundle).encode())


def _asked(parameter: SearchParameter) -> str:
    """The place of the canary's value in a query; empty for kinds that ask by nothing it has."""
    return {
        "token": "{word}", "string": "{word}", "uri": "{word}", "reference": "{reference}", "special": "{word}",
        "date": "2001-02-03", "number": "72", "quantity": "72",
    }.get(parameter.kind, "")  # fmt: skip


def images() -> list[Door]:
    """A door for each level and attribute by which images are asked for (PS3.18 section 10.6)."""
    keys = ("StudyInstanceUID={study}", "SeriesInstanceUID={series}", "PatientID={word}", "PatientName={word}*")
    levels = ("studies", "series", "instances")
    return [Door("GET", f"/h/{{slug}}/dicomweb/{level}", key) for level in levels for key in keys]


def queried(ids: Mapping[str, str], word: str) -> dict[str, str]:
    """What fills the places of a query."""
    found = {name: quote(value) for name, value in ids.items()}
    return found | {"word": quote(word), "reference": f"Patient/{quote(ids['patient'])}"}


def _harmless(door: Door, path: str) -> tuple[bytes, str]:
    """A body that is refused for its form by whoever looks at it."""
    if door.kind == "dicomweb":
        return b"x", "application/dicom"
    if door.kind == "console-api":
        return b'{"borderLight":true}', "application/json"
    if door.method == "PATCH":
        return b'[{"op":"test","path":"/id","value":"border light"}]', "application/json-patch+json"
    kind = "Bundle" if path.rstrip("/").endswith("/fhir") else "Patient"
    return json.dumps({"resourceType": kind, "borderLight": True}).encode(), FHIR
