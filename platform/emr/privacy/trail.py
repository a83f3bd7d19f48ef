"""Searching the hospital's own trail. What was done in the last seconds may not be sealed yet and is not found.

After what is in the table comes what lies in files: a page opens four of them at most.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from emr.access.permissions import sight
from emr.audit import archives
from emr.audit.archives import Stored
from emr.audit.reading import Wanted, row, rows
from emr.audit.rows import Event
from emr.kernel.errors import NotFound
from emr.records.current import current, refuse_deleted
from emr.records.errors import ResourceGone, ResourceNotFound
from emr.records.people import patients_of
from emr.web.patient import called
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

MOST: Final = 200
NAMED: Final = 3
"""So many patients of an entry stand in its row by name; of more it says how many."""
_PIECE: Final = 500
_LOOKED_THROUGH: Final = 10_000
_FILES: Final = 4


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: its number, and what its text says (see platform/docs/audit-format.md)."""

    number: int
    text: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Named:
    """As much of a Patient as a report needs: the name and the date of birth, "" where there is none."""

    name: str
    born: str


Fits = Callable[[Entry], bool]
"""What no column tells, asked of each row."""


@dataclass(frozen=True, slots=True)
class Found:
    """Entries, the newest first. `before` is where the next page begins; None when there is nothing older.

    A page may be short, or empty, and have a next one: at most 10,000 rows are looked through for one page, and four
    files opened. stored: what of the time that was asked for lies in files.
    """

    entries: tuple[Entry, ...]
    before: int | None
    stored: Stored | None = None


@use_case("audit:read", "audit.searched")
async def search_trail(work: UnitOfWork, wanted: Wanted, *, count: int = 50, fits: Fits | None = None) -> Found:
    """A page of the hospital's trail. Whose data the rows tell of is in this search's own row."""
    found = await _page(work, wanted, min(max(count, 1), MOST), fits)
    _told(work, found)
    return found


@use_case("audit:read", "audit.patient-reported")
async def report_on_patient(work: UnitOfWork, patient: str, wanted: Wanted, *, count: int = MOST) -> Found:
    """Who looked at or changed this patient's data: a page of every row that concerns them, the newest first."""
    found = await _page(work, replace(wanted, patient=patient), min(max(count, 1), MOST), None)
    work.trail.concerns(patient)
    work.trail.note(shown=len(found.entries))
    return found


async def named(work: UnitOfWork, patient: str) -> Named | None:
    """Whom a report is about, as far as the officer's role sees the Patient. It is no look at a chart: the report's own
    row says whom it was about.
    """
    sees = sight(work.principal, "r")
    if sees is not None and "Patient" not in sees:
        return None
    try:
        stored = refuse_deleted(await current(work, "Patient", patient))
    except (ResourceNotFound, ResourceGone):
        return None
    resource = stored.resource()
    name: dict[str, Any] = next(iter(resource.get("name", ())), {})
    said = str(name.get("text") or " ".join([name.get("family", ""), *name.get("given", ())]).strip())
    return Named(said, str(resource.get("birthDate", "")))


async def names_in(work: UnitOfWork, found: Found) -> Mapping[str, str]:
    """By id, of whom these entries tell, as far as the officer's role sees the Patient (see `named`)."""
    whose = {each for entry in found.entries for each in entry.text["patients"][:NAMED]}
    people = await patients_of(work, whose)
    return {key: said for key, stored in people.items() if (said := called(stored.resource()))}


@use_case("audit:read", "audit.read")
async def read_entry(work: UnitOfWork, number: int) -> Entry:
    """One row. Raises `NotFound`."""
    found = await row(work.db, number) or await _filed(work, number)
    if found is None:
        raise NotFound("not-found", "There is no such entry in the trail.")
    entry = _entry(found)
    _told(work, Found((entry,), None))
    return entry


async def _page(work: UnitOfWork, wanted: Wanted, count: int, fits: Fits | None) -> Found:
    """Piece after piece, for what no column tells can only be asked of the rows themselves; then the files."""
    stored, entries = await archives.stored(work.db, wanted), list[Entry]()
    looked = 0
    while looked < _LOOKED_THROUGH:
        most = _PIECE if fits else count + 1
        piece = await rows(work.db, wanted, most)
        for each in piece:
            if len(entries) == count:
                return Found(tuple(entries), entries[-1].number, stored)
            entry = _entry(each)
            if fits is None or fits(entry):
                entries.append(entry)
        if len(piece) < most:
            before = await _from_files(work, wanted, (count, fits), entries) if stored else None
            return Found(tuple(entries), before, stored)
        looked += len(piece)
        wanted = replace(wanted, before=piece[-1][0])
    return Found(tuple(entries), wanted.before, stored)


async def _from_files(
    work: UnitOfWork, wanted: Wanted, asked: tuple[int, Fits | None], entries: list[Entry]
) -> int | None:
    """Add what files have, up to so many entries in all; where the next page begins."""
    count, fits = asked
    files = await archives.fitting(work.db, work.tenant.schema, wanted, _FILES + 1)
    for archive in files[:_FILES]:
        left = count - len(entries)
        more = await archives.matching(work.blobs, archive, wanted, left + 1, _asked_of(fits))
        entries += [_entry(each) for each in more[:left]]
        if len(more) > left:
            return entries[-1].number
    return files[_FILES].span.last + 1 if len(files) > _FILES else None


async def _filed(work: UnitOfWork, number: int) -> Event | None:
    """A row that lies in a file."""
    archive = await archives.after(work.db, work.tenant.schema, number)
    if archive is None or number < archive.span.first:
        return None
    return (await archives.matching(work.blobs, archive, Wanted(before=number + 1), 1))[0]


def _asked_of(fits: Fits | None) -> Callable[[Event], bool] | None:
    return None if fits is None else lambda event: fits(_entry(event))


def _entry(event: Event) -> Entry:
    return Entry(event[0], json.loads(event[5]))


def _told(work: UnitOfWork, found: Found) -> None:
    for entry in found.entries:
        work.trail.concerns(*entry.text["patients"])
    work.trail.note(shown=len(found.entries))
