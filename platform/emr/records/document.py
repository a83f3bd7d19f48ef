"""A document put together from a Composition (composition-operation-document.html, documents.html).

It has the Composition first and then whatever that refers to, directly or through others, so that it can be read where
this record is not. It is whole or refused: a reference to something that is not here is named.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from emr.access.permissions import demand_sight, sight
from emr.definitions.compartment import references
from emr.kernel import json
from emr.kernel.errors import Invalid, Issue, TooLarge
from emr.kernel.ids import uuid7
from emr.kernel.json import instant
from emr.records.create import create
from emr.records.read import read
from emr.records.stored import Stored
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

ENTRIES_MOST: Final = 2_000
_NAMED_MOST: Final = 100
_LOCAL: Final = re.compile(r"([A-Z][A-Za-z]{1,63})/([A-Za-z0-9.-]{1,64})(?:/_history/([0-9]{1,9}))?", re.ASCII)
_NAMED: Final = """
SELECT r.type, r.pk, r.id, v.version, v.updated, v.deleted, r.patients, v.body, t.version AS asked
  FROM unnest($1::text[], $2::text[], $3::int[]) AS t (type, id, version)
  JOIN resources r ON r.type = t.type AND r.id = t.id
  CROSS JOIN LATERAL (
    SELECT r.version, r.updated, r.deleted, r.body WHERE t.version = 0 OR r.version = t.version
    UNION ALL
    SELECT o.version, o.updated, o.deleted, o.body FROM resource_versions o
     WHERE o.pk = r.pk AND o.version = t.version) v
 WHERE NOT v.deleted AND ($4::text[] IS NULL OR r.type = ANY ($4))
"""

Name = tuple[str, str, int]
"""Type, id and version; version 0 is the current one."""


@dataclass(slots=True)
class _Gathering:
    """What has been found so far, in order, and what was looked for in vain: the place that names it, and the text."""

    patients: frozenset[str]
    found: dict[Name, Stored] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """The Bundle's text, and where it has been stored (None: it has not)."""

    body: bytes = field(repr=False)
    stored: Stored | None


@use_case("record:read", "record.document")
async def make_document(work: UnitOfWork, composition_id: str, *, persist: bool) -> Document:
    """The document of a Composition; with `persist` it is stored as a Bundle, as a create would.

    Raises `ResourceNotFound`, `ResourceGone`, `Invalid` naming each reference that leads to nothing here, `TooLarge`,
    `Forbidden`.
    """
    composition = await read(work, "Composition", composition_id)
    demand_sight(work.principal, "Composition", "r")
    gathered = _Gathering(frozenset(composition.patients), {("Composition", composition.id, 0): composition})
    level: Sequence[Stored] = [composition]
    while level:
        level = await _next_level(work, gathered, level, direct=level[0] is composition)
    if gathered.missing:
        raise _unresolved(gathered.missing)
    for each in gathered.found.values():
        work.trail.concerns(*each.patients)
    work.trail.note(entries=len(gathered.found))
    body = _bundle(work, gathered.found.values())
    if not persist:
        return Document(body, None)
    stored = await create(work, "Bundle", body)
    return Document(stored.body, stored)


async def _next_level(
    work: UnitOfWork, gathered: _Gathering, level: Sequence[Stored], *, direct: bool
) -> Sequence[Stored]:
    """What a level refers to and has not been found before. Only the Composition itself may name another patient's."""
    wanted: dict[Name, str] = {}
    for each in level:
        for path, text in references(each.resource()):
            _want(gathered, wanted, (f"{each.type}/{each.id}: {path}", text), direct=direct)
    if not wanted:
        return []
    rows = await work.db.fetch(
        _NAMED,
        [name[0] for name in wanted],
        [name[1] for name in wanted],
        [name[2] for name in wanted],
        sight(work.principal),
        name="document",
    )
    here = {(row["type"], row["id"], row["asked"]): Stored.of(row["type"], row) for row in rows}
    gathered.missing.update({place: _text(name) for name, place in wanted.items() if name not in here})
    known = [(name, here[name]) for name in wanted if name in here]
    own = [(name, each) for name, each in known if direct or _belongs(each, gathered.patients)]
    gathered.found.update(own)
    if len(gathered.found) > ENTRIES_MOST:
        raise TooLarge("document-too-large", f"A document has at most {ENTRIES_MOST} entries.")
    return [each for _, each in own]


def _want(gathered: _Gathering, wanted: dict[Name, str], named: tuple[str, str], *, direct: bool) -> None:
    """What lies elsewhere is missing when the Composition itself names it; others may go on referring to it."""
    place, text = named
    local = _LOCAL.fullmatch(text)
    if local is not None:
        name = (local[1], local[2], int(local[3] or 0))
        if name not in gathered.found:
            wanted.setdefault(name, place)
    elif direct and not text.startswith("#"):
        gathered.missing[place] = text


def _belongs(each: Stored, patients: frozenset[str]) -> bool:
    return not each.patients or not patients.isdisjoint(each.patients)


def _text(name: Name) -> str:
    return f"{name[0]}/{name[1]}/_history/{name[2]}" if name[2] else f"{name[0]}/{name[1]}"


def _unresolved(missing: Mapping[str, str]) -> Invalid:
    issues = tuple(
        Issue("reference-broken", f"It refers to {text}, which is not here.", place.partition(": ")[2])
        for place, text in list(missing.items())[:_NAMED_MOST]
    )
    return Invalid(issues[0].code, issues[0].message, location=issues[0].location, issues=issues)


def _bundle(work: UnitOfWork, found: Iterable[Stored]) -> bytes:
    """Bodies stand in it as they are stored (bundle.html, bdl-9 to bdl-11)."""
    head: dict[str, Any] = {
        "resourceType": "Bundle",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{uuid7()}"},
        "type": "document",
        "timestamp": instant(work.clock()),
    }
    opening = json.dumps(head)[:-1]
    return b"".join((opening, b',"entry":[', b",".join(_entry(work, each) for each in found), b"]}"))


def _entry(work: UnitOfWork, each: Stored) -> bytes:
    address = f'{{"fullUrl":"{work.request.base_url}/{each.type}/{each.id}","resource":'
    return address.encode() + each.body + b"}"
