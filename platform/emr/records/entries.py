"""Entries of a transaction, read: what each asks for, and whether they can be asked for together."""

import base64
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from emr.definitions.findings import Path, location
from emr.kernel.errors import Malformed, Refusal, TooLarge
from emr.records.condition import Condition
from emr.records.draft import Draft
from emr.records.patch import Patch, json_patch, path_patch
from emr.records.stored import Stored

ENTRIES_MOST: Final = 5_000
ORDER: Final = {"DELETE": 0, "POST": 1, "PUT": 2, "PATCH": 3}
"""The verbs that change something, in the order in which they are done (http.html#trules)."""
_READS: Final = frozenset({"GET", "HEAD"})
_URL: Final = re.compile(r"([A-Z][A-Za-z]{1,63})(?:/([^/?$]{1,200}))?(?:\?(.*))?", re.DOTALL)
_ETAG: Final = re.compile(r'W/"(\d{1,9})"')
_MEANT_FOR: Final = {
    "ifNoneExist": frozenset({"POST"}),
    "ifMatch": frozenset({"PUT", "PATCH", "DELETE"}),
    "ifNoneMatch": _READS,
    "ifModifiedSince": _READS,
}
"""Which verbs a condition of a request says anything to (bundle.html, Bundle.entry.request)."""


@dataclass(slots=True)
class Entry:
    """One entry on its way through: what is asked, and then what came of it."""

    number: int
    method: str
    url: str
    type: str = ""
    id: str = ""
    full_url: str | None = None
    request: dict[str, Any] = field(default_factory=dict, repr=False)
    resource: dict[str, Any] = field(default_factory=dict, repr=False)
    referring: list[tuple[Path, dict[str, Any]]] = field(default_factory=list, repr=False)
    """The References in it, with their places; their texts change when names are replaced."""
    condition: Condition | None = None
    if_match: int | None = None
    patch: Patch | None = None
    draft: Draft | None = None
    found: Stored | None = None
    twin: "Entry | None" = None
    """An earlier entry of the same Bundle that makes what this one's condition asks for."""

    @property
    def writes(self) -> bool:
        """Whether it asks for a change."""
        return self.method in ORDER

    @property
    def settled(self) -> bool:
        """Whether what this entry would make is there already, or is made by another entry."""
        return self.twin is not None or (self.method == "POST" and self.found is not None)

    @property
    def makes(self) -> bool:
        """Whether a version with a body comes of it."""
        return self.writes and self.method != "DELETE" and not self.settled

    def result(self) -> Stored | None:
        """The version that the entry answers with; None for a deletion of nothing."""
        if self.twin is not None and self.twin.draft is not None:
            return self.twin.draft.stored()
        return self.draft.stored() if self.draft is not None else self.found if self.settled else None

    @property
    def location(self) -> str:
        """Where a refusal says that it applies."""
        return f"Bundle.entry[{self.number}]"


def entries_of(bundle: dict[str, Any]) -> list[Entry]:
    """The entries of a valid transaction. Raises `Malformed`, `SearchRefused`, `TooLarge`."""
    given = bundle.get("entry", [])
    if len(given) > ENTRIES_MOST:
        raise TooLarge("too-many-entries", f"A Bundle has at most {ENTRIES_MOST} entries.", location="Bundle.entry")
    return [entry_of(number, entry) for number, entry in enumerate(given)]


def entry_of(number: int, given: dict[str, Any]) -> Entry:
    """One entry of a valid transaction. Raises `Malformed`, `SearchRefused`."""
    asked = given["request"]
    entry = Entry(
        number,
        asked["method"],
        asked["url"].removeprefix("/"),
        full_url=given.get("fullUrl"),
        request=asked,
        resource=given.get("resource", {}),
    )
    for name, methods in _MEANT_FOR.items():
        if name in asked and entry.method not in methods:
            rule = f"{name} says nothing to {entry.method}."
            raise Malformed("entry-condition", rule, location=f"{entry.location}.request.{name}")
    if entry.writes:
        with located(entry):
            _read_change(entry)
    elif entry.method not in _READS:
        raise Malformed("entry-method", f"{entry.method} is not supported here.", location=entry.location)
    return entry


def _read_change(entry: Entry) -> None:
    _read_address(entry)
    if (etag := entry.request.get("ifMatch")) is not None:
        matched = _ETAG.fullmatch(etag)
        if matched is None:
            raise Malformed("etag-form", 'ifMatch is W/"version".', location=f"{entry.location}.request.ifMatch")
        entry.if_match = int(matched[1])
    if entry.method == "PATCH":
        entry.patch = patch_of(entry.resource)
    elif entry.method != "DELETE" and entry.resource.get("resourceType") != entry.type:
        raise Malformed("wrong-type", f"A {entry.type} is expected here.", location=f"{entry.location}.resource")


def _read_address(entry: Entry) -> None:
    where = f"{entry.location}.request.url"
    found = _URL.fullmatch(entry.url)
    if found is None:
        rule = "The url of a change is Type, Type/id or Type?criteria; operations are called alone or in a batch."
        raise Malformed("entry-url", rule, location=where)
    entry.type, entry.id, query = found[1], found[2] or "", found[3] or ""
    if entry.method == "POST":
        if entry.id or query:
            raise Malformed("entry-url", "POST names a type.", location=where)
        if (criteria := entry.request.get("ifNoneExist")) is not None:
            entry.condition = Condition(entry.type, criteria, f"{entry.location}.request.ifNoneExist")
    elif bool(entry.id) == bool(query):
        rule = "PUT, PATCH and DELETE name one resource by its id or by criteria."
        raise Malformed("entry-url", rule, location=where)
    elif query:
        entry.condition = Condition(entry.type, query, where)


def patch_of(resource: dict[str, Any]) -> Patch:
    """A patch in an entry: Parameters, or a Binary that holds a JSON Patch (http.html#patch). Raises `Malformed`."""
    if resource.get("resourceType") == "Parameters":
        return path_patch(resource)
    kind, data = resource.get("contentType"), resource.get("data")
    if resource.get("resourceType") != "Binary" or kind != "application/json-patch+json" or not isinstance(data, str):
        rule = "A patch is a Parameters, or a Binary of application/json-patch+json."
        raise Malformed("patch-form", rule)
    return json_patch(base64.b64decode(data))


def refuse_twice(entries: Sequence[Entry]) -> None:
    """A transaction changes a resource once and names each entry once. Raises `Malformed`."""
    seen: set[tuple[str, str]] = set()
    urls: set[str] = set()
    for entry in entries:
        if entry.writes and entry.id and not entry.settled:
            if (entry.type, entry.id) in seen:
                raise Malformed("entry-twice", "A transaction changes a resource once.", location=entry.location)
            seen.add((entry.type, entry.id))
        if entry.full_url in urls:
            raise Malformed("entry-full-url", "A fullUrl stands once.", location=f"{entry.location}.fullUrl")
        if entry.full_url:
            urls.add(entry.full_url)


def inside(entry: Entry, place: Path) -> str:
    """A place in the resource of an entry as a FHIRPath of the Bundle."""
    return f"{entry.location}.resource.{location(place).partition('.')[2]}"


@contextmanager
def located(entry: Entry) -> Iterator[None]:
    """What is refused inside says which entry it is about; where in it, it says in words."""
    try:
        yield
    except Refusal as refusal:
        refusal.issues = tuple(
            issue
            if (issue.location or "").startswith("Bundle.")
            else issue._replace(
                message=f"{issue.message} ({issue.location})" if issue.location else issue.message,
                location=entry.location,
            )
            for issue in refusal.issues
        )
        raise
