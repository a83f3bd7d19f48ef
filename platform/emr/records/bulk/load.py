"""Store batches of lines: each batch whole or, line by line, refused with its reason."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from emr.access.permissions import demand_change
from emr.definitions.model import resource_types
from emr.definitions.validate import demand_valid
from emr.identity.principal import Principal
from emr.kernel import json
from emr.kernel.errors import Conflict, Malformed, Refusal, TooLarge
from emr.records.bulk.attachments import BytesOfLine, nothing
from emr.records.bulk.lines import Batch, Line
from emr.records.bulk.names import Expected
from emr.records.draft import checked_id, draft_after, draft_of
from emr.records.errors import ReferenceBroken
from emr.records.keys import lock_number
from emr.records.references import local_references
from emr.records.store import Draft, store
from emr.records.stored import Stored
from emr.storage.blobs import Blob
from emr.storage.ports import key_named
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

Name = tuple[str, str]
_YIELD: Final = 20
"""Lines after which others have their turn: the batch before is on its way to the database meanwhile."""
_UNLIMITED: Final = 1 << 60

_HERE: Final = """
SELECT r.pk, r.type, r.id, r.version, r.updated, r.deleted, r.patients, r.body
  FROM unnest($1::text[], $2::text[]) AS t (type, id) JOIN resources r ON r.type = t.type AND r.id = t.id
 ORDER BY r.pk FOR NO KEY UPDATE OF r
"""
_HOLD: Final = "SELECT pg_advisory_xact_lock(k) FROM unnest($1::bigint[]) AS k ORDER BY k"
_TARGETS: Final = """
WITH patients AS (
  SELECT r.type, r.id, r.pk, r.deleted FROM unnest($1::text[], $2::text[]) AS t (type, id)
    JOIN resources r ON r.type = 'Patient' AND r.id = t.id WHERE t.type = 'Patient'
     FOR KEY SHARE OF r)
SELECT type, id, pk, deleted FROM patients
UNION ALL
SELECT r.type, r.id, r.pk, r.deleted FROM unnest($1::text[], $2::text[]) AS t (type, id)
  JOIN resources r ON r.type = t.type AND r.id = t.id WHERE t.type <> 'Patient'
"""


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that was not stored, and why. `name`: of the resource that it would have brought, when it says one."""

    file: str
    number: int
    refusal: Refusal
    name: Name | None = None

    def outcome(self) -> dict[str, Any]:
        """As an OperationOutcome that names file and line."""
        issues = []
        for issue in self.refusal.issues[:20]:
            said: dict[str, Any] = {
                "severity": "error",
                "code": "processing",
                "details": {"coding": [{"system": "urn:emr:issue", "code": issue.code}], "text": issue.message},
                "diagnostics": f"{self.file}, line {self.number}: {issue.message}",
            }
            issues.append(said | ({"expression": [issue.location]} if issue.location else {}))
        return {"resourceType": "OperationOutcome", "issue": issues}


@dataclass(slots=True)
class Ready:
    """A line that has been read and checked by itself."""

    number: int
    document: json.Document
    name: Name
    bytes_of: BytesOfLine | None = None
    targets: dict[Name, str] = field(default_factory=dict)


@dataclass(slots=True)
class Brought:
    """What a batch came to: resources stored, found unchanged, and lines refused."""

    file: str
    stored: int = 0
    found: int = 0
    refused: list[Refused] = field(default_factory=list)

    def refuse(self, ready: Ready, refusal: Refusal) -> None:
        """Count a line as refused."""
        self.refused.append(Refused(self.file, ready.number, refusal, ready.name))


@dataclass(slots=True)
class Turn:
    """Batches compute at the same time, lock in their order and commit in their order."""

    locked: asyncio.Event = field(default_factory=asyncio.Event)
    committed: asyncio.Event = field(default_factory=asyncio.Event)
    failed: bool = False

    def end(self, *, failed: bool) -> None:
        """Let the next batch go on, or stop it too."""
        self.failed = failed
        self.locked.set()
        self.committed.set()

    def demand(self) -> None:
        """Raise `Conflict` when the batch before has failed."""
        if self.failed:
            raise Conflict("batch-before", "The batch before was not stored.")


@dataclass(frozen=True, slots=True)
class Among:
    """What is known while a file is stored: names still to come, names that were refused, the turn before and own."""

    expected: Expected
    refused: set[Name]
    before: Turn | None
    own: Turn

    def pk(self, name: Name) -> int | None:
        """The pk that a name will have when its line comes."""
        return None if name in self.refused else self.expected.pk(name)


async def read_lines(principal: Principal, batch: Batch, brought: Brought) -> list[Ready]:
    """The lines that are valid by themselves; the others are refused into `brought`."""
    ready: list[Ready] = []
    for place, line in enumerate(batch.lines):
        if place % _YIELD == 0:
            await asyncio.sleep(0)
        name = None
        try:
            given = _ready(line, batch)
            name = given.name
            _check(principal, given)
        except Refusal as refusal:
            brought.refused.append(Refused(brought.file, line.number, refusal, name))
        else:
            ready.append(given)
    return ready


def _ready(line: Line, batch: Batch) -> Ready:
    if batch.long is not None and not isinstance(batch.long, BytesOfLine):
        rule = "A line has at most 16 MiB, but for a Binary with its data at the end."
        raise TooLarge("line-too-long", rule)
    bytes_of = batch.long if isinstance(batch.long, BytesOfLine) else BytesOfLine.cut(line.text, nothing())
    document = json.parse(bytes_of.head if bytes_of else line.text)
    if bytes_of is not None and key_named(str(document.value.get("id"))) is None:
        bytes_of, document = None, json.parse(line.text)
    resource_type, resource_id = document.value.get("resourceType"), document.value.get("id")
    if not isinstance(resource_type, str) or not isinstance(resource_id, str):
        raise Malformed("ndjson-line", "A line of NDJSON is a resource with an id.")
    return Ready(line.number, document, (resource_type, resource_id), bytes_of)


def _check(principal: Principal, ready: Ready) -> None:
    resource_type, resource_id = ready.name
    if resource_type not in resource_types():
        raise Malformed("type-unknown", "There is no resource type of this name in R4.", location="resourceType")
    checked_id(resource_id)
    demand_change(principal, resource_type)
    demand_valid(ready.document.value, expected_type=resource_type)


@use_case("record:import", "record.lines-imported")
async def store_lines(work: UnitOfWork, lines: Sequence[Ready], among: Among, brought: Brought) -> None:
    """Store what is new or changed. A line that comes twice is stored twice, the later one as the later version."""
    if among.before is not None:
        await among.before.locked.wait()
        among.before.demand()
    waiting = list(lines)
    while waiting:
        wave = {ready.name: ready for ready in reversed(waiting)}
        waiting = [ready for ready in waiting if wave[ready.name] is not ready]
        await _store_wave(work, list(wave.values())[::-1], among, brought)
    among.own.locked.set()
    work.trail.note(stored=brought.stored, found=brought.found, refused=len(brought.refused))


async def _store_wave(work: UnitOfWork, wave: Sequence[Ready], among: Among, brought: Brought) -> None:
    here = await _held(work, [ready.name for ready in wave])
    among.own.locked.set()
    wave = list(_well_formed(work, wave, brought))
    known = await _known(work, wave, among)
    wave = _with_targets(wave, known, among, brought)
    drafts: list[Draft] = []
    for ready in wave:
        draft = _draft(work, ready, here.get(ready.name))
        if draft is None:
            brought.found += 1
        elif await _keep_bytes(work, ready, brought):
            draft.pk = draft.pk or known[ready.name]
            drafts.append(draft)
    if drafts:
        await store(work, drafts, known)
    brought.stored += len(drafts)


async def _held(work: UnitOfWork, names: Sequence[Name]) -> dict[Name, Stored]:
    """What is here under these names, held until the transaction ends; names under which nothing is are held too."""
    found = await _here(work, names)
    missing = [name for name in names if name not in found]
    if missing:
        numbers = sorted({lock_number(work.tenant.schema, *name) for name in missing})
        await work.db.execute(_HOLD, numbers, name="bulk.hold")
        found |= await _here(work, missing)
    return found


async def _here(work: UnitOfWork, names: Sequence[Name]) -> dict[Name, Stored]:
    rows = await work.db.fetch(_HERE, *_columns(names), name="bulk.here")
    return {(row["type"], row["id"]): Stored.of(row["type"], row) for row in rows}


def _well_formed(work: UnitOfWork, wave: Iterable[Ready], brought: Brought) -> Iterator[Ready]:
    """Lines whose references have a form that is allowed here."""
    for ready in wave:
        try:
            ready.targets = local_references(work, ready.document.value)
        except Refusal as refusal:
            brought.refuse(ready, refusal)
        else:
            yield ready


async def _known(work: UnitOfWork, wave: Sequence[Ready], among: Among) -> dict[Name, int]:
    """The pk of whatever these lines refer to and of what they bring: that which is here, or that which is reserved."""
    wanted = sorted({name for ready in wave for name in (*ready.targets, ready.name)})
    rows = await work.db.fetch(_TARGETS, *_columns(wanted), name="bulk.targets")
    here = {(row["type"], row["id"]): row for row in rows}
    known: dict[Name, int] = {}
    for name in wanted:
        row, reserved = here.get(name), among.pk(name)
        if row is not None and (not row["deleted"] or reserved is not None):
            known[name] = row["pk"]
        elif row is None and reserved is not None:
            known[name] = reserved
    return known


def _with_targets(wave: Sequence[Ready], known: dict[Name, int], among: Among, brought: Brought) -> list[Ready]:
    """Lines all of whose references lead somewhere; who refers to a refused one is refused too."""
    left = list(wave)
    while True:
        missing = {ready.name: _missing(ready, known) for ready in left}
        broken = [ready for ready in left if missing[ready.name] is not None]
        if not broken:
            return left
        for ready in broken:
            target, path = missing[ready.name] or ("", "")
            brought.refuse(ready, ReferenceBroken(target, path))
            among.refused.add(ready.name)
            known.pop(ready.name, None)
        left = [ready for ready in left if missing[ready.name] is None]


def _missing(ready: Ready, known: Mapping[Name, int]) -> tuple[str, str] | None:
    for name, path in ready.targets.items():
        if name not in known and name != ready.name:
            return f"{name[0]}/{name[1]}", path
    return None


def _draft(work: UnitOfWork, ready: Ready, before: Stored | None) -> Draft | None:
    """The version to be stored, or None when it says the same, byte for byte, as the one that is here."""
    document, (resource_type, resource_id) = ready.document, ready.name
    if before is None:
        return draft_of(work, document, resource_type=resource_type, resource_id=resource_id)
    if not before.deleted:
        as_before = json.splice(
            document,
            type=resource_type,
            id=resource_id,
            version=before.version,
            last_updated=before.last_updated,
        )
        if as_before == before.body:
            return None
    return draft_after(work, document, before)


async def _keep_bytes(work: UnitOfWork, ready: Ready, brought: Brought) -> bool:
    """Put the bytes of a Binary where its id says that they are; False, and refused, when other bytes are there."""
    key = key_named(ready.name[1])
    if ready.bytes_of is None or key is None:
        return True
    try:
        blob = (await work.blobs.find_many([key])).get(key)
        if blob is None:
            media_type = str(ready.document.value.get("contentType", "application/octet-stream"))
            await work.blobs.put(ready.bytes_of.chunks(), media_type=media_type, limit=_UNLIMITED, key=key)
        else:
            await _demand_same(ready.bytes_of, blob)
    except (Malformed, Conflict) as refusal:
        brought.refuse(ready, refusal)
        return False
    return True


async def _demand_same(sent: BytesOfLine, blob: Blob) -> None:
    digest = sha256()
    async for chunk in sent.chunks():
        digest.update(chunk)
    if digest.hexdigest() != blob.digest:
        raise Conflict("binary-differs", "Other bytes are here under this id.")


def _columns(names: Sequence[Name]) -> tuple[list[str], list[str]]:
    return [name[0] for name in names], [name[1] for name in names]
