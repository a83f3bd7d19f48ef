"""Store batches of lines: each batch whole or, line by line, refused with its reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final

from emr.kernel import json
from emr.kernel.errors import Conflict, Forbidden, Invalid, Malformed, TooLarge
from emr.records.bulk.attachments import BytesOfLine, nothing
from emr.records.bulk.beside import Pile
from emr.records.bulk.brought import Brought, Name
from emr.records.bulk.desk import APART, Read, Sheet, Terms, Wish, draft_for
from emr.records.bulk.lines import Batch, Line
from emr.records.bulk.turns import Among
from emr.records.draft import draft_of
from emr.records.errors import ReferenceBroken
from emr.records.keys import lock_number
from emr.records.own_parameters import last_known
from emr.records.profiles import demand_profiles, demanded, profiles_matter
from emr.records.store import store, store_rows
from emr.records.stored import Stored
from emr.storage.blobs import Blob
from emr.storage.ports import key_named
from emr.work.unit import UnitOfWork, attempt
from emr.work.use_case import use_case

_UNLIMITED: Final = 1 << 60

_HERE: Final = """
SELECT r.pk, r.type, r.id, r.version, r.updated, r.deleted, r.patients, r.body
  FROM unnest(string_to_array($1, ' '), string_to_array($2, ' ')) AS t (type, id)
  JOIN resources r ON r.type = t.type AND r.id = t.id
 ORDER BY r.pk FOR NO KEY UPDATE OF r
"""
"""Types and ids, which have no space, come as one text each: the driver looks at every element of an array."""
_HOLD: Final = "SELECT pg_advisory_xact_lock(k) FROM unnest(string_to_array($1, ' ')::bigint[]) AS k ORDER BY k"
_TARGETS: Final = """
WITH t AS MATERIALIZED (
  SELECT type, id FROM unnest(string_to_array($1, ' '), string_to_array($2, ' ')) AS named (type, id))
, patients AS (
  SELECT r.type, r.id, r.pk, r.deleted FROM t JOIN resources r ON r.type = 'Patient' AND r.id = t.id
   WHERE t.type = 'Patient'
     FOR KEY SHARE OF r)
SELECT type, id, pk, deleted FROM patients
UNION ALL
SELECT r.type, r.id, r.pk, r.deleted FROM t JOIN resources r ON r.type = t.type AND r.id = t.id
 WHERE t.type <> 'Patient'
"""


@dataclass(frozen=True, slots=True, eq=False)
class Ready:
    """A line that has been read and checked by itself. `place`: on its pile."""

    place: int
    line: Line
    read: Read
    name: Name


@dataclass(frozen=True, slots=True)
class Lot:
    """The lines of a batch that are valid by themselves, and the pile that they lie on."""

    terms: Terms
    batch: Batch
    pile: Pile
    ready: Sequence[Ready]


async def read_lines(terms: Terms, batch: Batch, pile: Pile, brought: Brought) -> Lot:
    """The lines that are valid by themselves; the others are refused into `brought`."""
    long = isinstance(batch.long, BytesOfLine)
    if batch.long is not None and not long:
        rule = "A line has at most 16 MiB, but for a Binary with its data at the end."
        brought.refuse(batch.lines[0].number, TooLarge("line-too-long", rule).issues)
        return Lot(terms, batch, pile, [])
    read = await pile.read(terms, [Sheet(line.text, long=long) for line in batch.lines])
    ready: list[Ready] = []
    for place, (line, each) in enumerate(zip(batch.lines, read, strict=True)):
        if each.issues or each.name is None:
            brought.refuse(line.number, each.issues, each.name)
        else:
            ready.append(Ready(place, line, each, each.name))
    return Lot(terms, batch, pile, ready)


@use_case("record:import", "record.lines-imported")
async def store_lines(work: UnitOfWork, lot: Lot, among: Among, brought: Brought) -> None:
    """Store what is new or changed. A line that comes twice is stored twice, the later one as the later version."""
    if among.before is not None:
        await among.before.locked.wait()
        among.before.demand()
    waiting = list(lot.ready)
    while waiting:
        wave = {ready.name: ready for ready in reversed(waiting)}
        waiting = [ready for ready in waiting if wave[ready.name] is not ready]
        await _store_wave(work, replace(lot, ready=list(wave.values())[::-1]), among, brought)
    among.own.locked.set()
    work.trail.note(stored=brought.stored, found=brought.found, refused=len(brought.refused))


async def _store_wave(work: UnitOfWork, lot: Lot, among: Among, brought: Brought) -> None:
    here = await _held(work, [ready.name for ready in lot.ready])
    among.own.locked.set()
    wave = await _keeping_profiles(work, lot.ready, among, brought)
    known = await _known(work, wave, among)
    wave = await _with_targets(replace(lot, ready=wave), known, among, brought)
    wave = [ready for ready in wave if await _keep_bytes(work, lot, ready, brought)]
    wishes = {ready: _wish(ready, here, known) for ready in wave}
    together = [wish for ready, wish in wishes.items() if ready.name[0] not in APART]
    terms = replace(lot.terms, own=last_known(work))
    made = await lot.pile.make(terms, together, known, work.clock())
    brought.found += len(made.found)
    for rows in made.rows:
        await store_rows(work, rows)
        brought.stored += len(rows.written)
    for ready, wish in wishes.items():
        if ready.name[0] in APART:
            await _store_apart(work, (ready, wish), known, brought)
    among.refused.update(each.name for each in brought.refused if each.name is not None)


def _wish(ready: Ready, here: Mapping[Name, Stored], known: Mapping[Name, int]) -> Wish:
    before = here.get(ready.name)
    return Wish(ready.place, known[ready.name] if before is None else before.pk, before)


async def _store_apart(
    work: UnitOfWork, asked: tuple[Ready, Wish], known: Mapping[Name, int], brought: Brought
) -> None:
    """As a client would store it: who has a say in its type may refuse this line, and no other."""
    ready, wish = asked
    draft = draft_for(work.clock(), json.parse(ready.line.text), wish)
    if draft is None:
        brought.found += 1
        return
    try:
        async with attempt(work):
            await store(work, [draft], known)
    except (Invalid, Forbidden, TooLarge) as refusal:
        brought.refuse(ready.line.number, refusal.issues, ready.name)
    else:
        brought.stored += 1


async def _keeping_profiles(work: UnitOfWork, wave: Sequence[Ready], among: Among, brought: Brought) -> list[Ready]:
    """Lines that keep the profiles that they claim and that the hospital demands."""
    concerned = {ready for ready in wave if ready.read.profiled or demanded(work, ready.name[0])}
    if not concerned or not await profiles_matter(work):
        return list(wave)
    kept: list[Ready] = []
    for ready in wave:
        try:
            if ready in concerned:
                await demand_profiles(work, [("", _value(work, ready))])
        except Invalid as refusal:
            brought.refuse(ready.line.number, refusal.issues, ready.name)
            among.refused.add(ready.name)
        else:
            kept.append(ready)
    return kept


def _value(work: UnitOfWork, ready: Ready) -> dict[str, Any]:
    document = _document(ready)
    return draft_of(work.clock(), document, resource_type=ready.name[0], resource_id=ready.name[1]).value


def _document(ready: Ready) -> json.Document:
    bytes_of = BytesOfLine.cut(ready.line.text, nothing()) if ready.read.bytes_of else None
    return json.parse(bytes_of.head if bytes_of else ready.line.text)


async def _held(work: UnitOfWork, names: Sequence[Name]) -> dict[Name, Stored]:
    """What is here under these names, held until the transaction ends; names under which nothing is are held too."""
    found = await _here(work, names)
    missing = [name for name in names if name not in found]
    if missing:
        numbers = sorted({lock_number(work.tenant.schema, *name) for name in missing})
        await work.db.execute(_HOLD, " ".join(map(str, numbers)), name="bulk.hold")
        found |= await _here(work, missing)
    return found


async def _here(work: UnitOfWork, names: Sequence[Name]) -> dict[Name, Stored]:
    rows = await work.db.fetch(_HERE, *_columns(names), name="bulk.here")
    return {(row["type"], row["id"]): Stored.of(row["type"], row) for row in rows}


async def _known(work: UnitOfWork, wave: Sequence[Ready], among: Among) -> dict[Name, int]:
    """The pk of whatever these lines refer to and of what they bring: that which is here, or that which is reserved."""
    wanted = sorted({name for ready in wave for name in (*ready.read.targets, ready.name)})
    rows = await work.db.fetch(_TARGETS, *_columns(wanted), name="bulk.targets")
    here = {(row["type"], row["id"]): row for row in rows}
    own = {ready.name for ready in wave}
    known: dict[Name, int] = {}
    for name in wanted:
        # Another line of the same name may have been refused; this one is not.
        row, reserved = here.get(name), among.expected.pk(name) if name in own else among.pk(name)
        if row is not None and (not row["deleted"] or reserved is not None):
            known[name] = row["pk"]
        elif row is None and reserved is not None:
            known[name] = reserved
    return known


async def _with_targets(lot: Lot, known: dict[Name, int], among: Among, brought: Brought) -> list[Ready]:
    """Lines all of whose references lead somewhere; who refers to a refused one is refused too."""
    left = list(lot.ready)
    while True:
        missing = {ready: target for ready in left if (target := _missing(ready, known)) is not None}
        if not missing:
            return left
        for ready, target in missing.items():
            place = await lot.pile.where(ready.place, lot.terms.base_url, target)
            brought.refuse(ready.line.number, ReferenceBroken("/".join(target), place).issues, ready.name)
            among.refused.add(ready.name)
            known.pop(ready.name, None)
        left = [ready for ready in left if ready not in missing]


def _missing(ready: Ready, known: Mapping[Name, int]) -> Name | None:
    return next((name for name in ready.read.targets if name not in known and name != ready.name), None)


async def _keep_bytes(work: UnitOfWork, lot: Lot, ready: Ready, brought: Brought) -> bool:
    """Put the bytes of a Binary where its id says that they are; False, and refused, when other bytes are there."""
    key = key_named(ready.name[1])
    if not ready.read.bytes_of or key is None:
        return True
    sent = lot.batch.long if isinstance(lot.batch.long, BytesOfLine) else BytesOfLine.cut(ready.line.text, nothing())
    assert sent is not None
    try:
        blob = (await work.blobs.find_many([key])).get(key)
        if blob is None:
            media_type = str(_document(ready).value.get("contentType", "application/octet-stream"))
            await work.blobs.put(sent.chunks(), media_type=media_type, limit=_UNLIMITED, key=key)
        else:
            await _demand_same(sent, blob)
    except (Malformed, Conflict) as refusal:
        brought.refuse(ready.line.number, refusal.issues, ready.name)
        return False
    return True


async def _demand_same(sent: BytesOfLine, blob: Blob) -> None:
    digest = sha256()
    async for chunk in sent.chunks():
        digest.update(chunk)
    if digest.hexdigest() != blob.digest:
        raise Conflict("binary-differs", "Other bytes are here under this id.")


def _columns(names: Sequence[Name]) -> tuple[str, str]:
    return " ".join(name[0] for name in names), " ".join(name[1] for name in names)
