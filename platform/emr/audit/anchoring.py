"""Writes down where the streams of a cell end, out of the database's reach, and reads it again for who verifies."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg

from emr.audit.anchors import Anchor, AnchorRefused, moment_of, read_anchor, signed
from emr.audit.sealing import directory_head, head_of
from emr.audit.seals import Head
from emr.audit.signing import Signer
from emr.audit.stored import DIRECTORY
from emr.db.cells import DEFAULT_CELL
from emr.db.pools import Databases
from emr.kernel.clock import Clock
from emr.kernel.errors import Refusal
from emr.kernel.tenant import Tenant
from emr.storage.locked import Locked, LockedStore
from emr.telemetry.logs import exception_facts, get_logger

_YEAR: Final = timedelta(days=366)
_EVERY_FOR: Final = timedelta(days=7)
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Anchorer:
    """Anchors the hospitals of one cell; that of the default cell anchors the directory too."""

    cell: str
    databases: Databases
    hospitals: Callable[[], Iterable[Tenant]]
    store: LockedStore
    signer: Signer
    clock: Clock
    period: timedelta
    retention_years: int
    newest_at: datetime = _NEVER
    """When the newest anchor that this process knows of was written."""
    _opened: bool = field(default=False)

    async def turn(self) -> bool:
        """Write an anchor when one is due. Raises `StoreUnavailable`."""
        await self.look()
        if self.clock() - self.newest_at >= self.period:
            await self.anchor()
        return False

    async def look(self) -> datetime:
        """Ask the store for the newest anchor and give its moment; long ago when there is none."""
        if not self._opened:
            await self.store.open()
            self._opened = True
        name = await self.store.newest(f"{self.cell}/")
        self.newest_at = moment_of(name) if name else _NEVER
        return self.newest_at

    async def anchor(self) -> Anchor:
        """Write down every head now, those too that have not moved."""
        tenants = [tenant for tenant in self.hospitals() if tenant.cell == self.cell]
        heads = {tenant.schema: head for tenant in tenants if (head := await self._head(tenant)) is not None}
        if self.cell == DEFAULT_CELL:
            heads[DIRECTORY] = await directory_head(self.databases.directory_audit)
        anchor = Anchor(self.cell, self.clock().astimezone(UTC), heads)
        years = max([self.retention_years, *(tenant.retention_years for tenant in tenants)])
        await self.store.put(anchor.name, signed(anchor, self.signer), anchor.at + years * _YEAR)
        self.newest_at = anchor.at
        return anchor

    async def _head(self, tenant: Tenant) -> Head | None:
        """A hospital whose database does not answer holds up no other; verification finds that it was left out."""
        try:
            async with self.databases.hospital_to_read(tenant) as connection:
                return await head_of(connection)
        except (asyncpg.PostgresError, Refusal, OSError) as error:
            get_logger().error("hospital not anchored", hospital=tenant.slug, **exception_facts(error))
            return None


@dataclass(slots=True)
class Written:
    """What the anchors of a cell say: by stream the heads in the order of batches, and what is wrong with anchors."""

    heads: dict[str, list[Head]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    newest_at: datetime | None = None
    read: int = 0


async def written(store: LockedStore, cell: str, trusted: Mapping[str, bytes], *, every: bool = False) -> Written:
    """Read a cell's anchors: all of the last seven days before the newest and the last of each day before, or `every`.

    Raises `StoreUnavailable`.
    """
    found, known = Written(), dict[str, set[Head]]()
    names = await store.find(f"{cell}/")
    found.faults += [f"anchor {each.name} was written over or hidden" for each in names if each.disturbed]
    for each in names if every else thinned(names):
        try:
            anchor = read_anchor(each.name, await store.get(each), trusted)
        except AnchorRefused as refused:
            found.faults.append(f"anchor {each.name}: {refused}")
            continue
        found.read, found.newest_at = found.read + 1, anchor.at
        for stream, head in anchor.heads.items():
            known.setdefault(stream, set()).add(head)
    found.heads = {stream: sorted(heads, key=lambda head: head.batch) for stream, heads in known.items()}
    return found


def thinned(names: list[Locked]) -> list[Locked]:
    """Of anchors by name: all of the last seven days before the newest, and the last of each day before."""
    if not names:
        return []
    since = moment_of(names[-1].name) - _EVERY_FOR
    last_of_day = {each.name.rpartition("/")[0]: each for each in names}
    return [
        each for each in names if moment_of(each.name) >= since or last_of_day[each.name.rpartition("/")[0]] is each
    ]
