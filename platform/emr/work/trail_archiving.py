"""The worker's job that moves old rows of the trails into files; `emr.audit.archiving` says how."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from emr.audit.anchors import AnchorRefused, read_anchor, trusted_of
from emr.audit.archive_file import LARGEST
from emr.audit.archives import MEDIA_TYPE, RETENTION, Archive, locked_names, moved
from emr.audit.archiving import Due, TrailBroken, due, keep, lingering, packed_rows, prove_removable, remove, rows_of
from emr.audit.seals import Head
from emr.identity.principal import system_principal
from emr.kernel.tenant import Tenant
from emr.storage.errors import ObjectMissing
from emr.storage.locked import LockedStore
from emr.telemetry.logs import exception_facts, get_logger
from emr.work.faults import Reached
from emr.work.leases import Lease, Leases
from emr.work.loop import Job
from emr.work.rounds import go_round
from emr.work.runtime import Runtime
from emr.work.unit import UnitOfWork, unit_of_work
from emr.work.use_case import use_case

_YEAR: Final = timedelta(days=366)
_LOOK: Final = 60.0
_HOUR: Final = 3600.0


@use_case("audit:archive", "audit.archived")
async def archive_batches(work: UnitOfWork, wanted: Due, reached: Reached) -> None:
    """Write the rows of these batches into a file of the hospital; they stay in the table until it was read back."""
    events = await rows_of(work.db, wanted)
    data = await packed_rows(wanted, events)
    blob = await work.blobs.put(_once(data), media_type=MEDIA_TYPE, limit=LARGEST, retention_class=RETENTION)
    reached("archive-stored")
    await keep(work.db, wanted, events, (blob, work.clock()))
    work.trail.note(first=wanted.span.first, last=wanted.span.last, batch=wanted.span.last_batch, bytes=len(data))
    work.trail.wrote = True


@dataclass(frozen=True, slots=True)
class Archiver:
    """Archives the hospitals of one cell. `reached` hears of the points that fault tests name."""

    parts: Runtime
    cell: str
    anchors: LockedStore
    reached: Reached

    async def turn(self) -> None:
        """Everything that is due."""
        known = self.parts.registry.all()
        hospitals = [each for each in known if each.cell == self.cell and each.open and not each.moving]
        await go_round("audit-archive", hospitals, self._archive)

    async def _archive(self, tenant: Tenant) -> None:
        while await self.step(tenant):
            pass
        await self._lock_moved(tenant)

    async def step(self, tenant: Tenant) -> bool:
        """Bring one file of this hospital on. False when nothing is due, or its rows must wait for an anchor."""
        databases = self.parts.databases
        async with databases.hospital_to_read(tenant) as db:
            written = await lingering(db, tenant.schema)
            if written is not None:
                blobs = self.parts.stores.blobs(tenant.schema, await self.parts.keyrings.of(tenant), db)
                removable = await prove_removable(db, blobs, written, await self._anchored(tenant.schema))
        if written is None:
            return await self._write(tenant)
        if not removable:
            return False
        self.reached("archive-read-back")
        await self._lock(tenant, written)
        self.reached("archive-locked")
        gone = await remove(databases.cell(self.cell).archive, written)
        self.reached("archive-removed")
        get_logger().info("trail archived", hospital=tenant.slug, rows=gone)
        return True

    async def _write(self, tenant: Tenant) -> bool:
        before = self.parts.clock() - timedelta(days=self.parts.settings.archives.after_days)
        async with self.parts.databases.hospital_to_read(tenant) as db:
            wanted = await due(db, tenant.schema, before)
        if wanted is None:
            return False
        principal = system_principal("archive", tenant_id=tenant.id)
        async with unit_of_work(self.parts, tenant, principal) as work:
            await archive_batches(work, wanted, self.reached)
        self.reached("archive-recorded")
        return True

    async def _lock_moved(self, tenant: Tenant) -> None:
        """Each file that holds rows alone has its locked copy, also one of a time when there was no object lock."""
        async with self.parts.databases.hospital_to_read(tenant) as db:
            files = await moved(db, tenant.schema)
        if files and self.anchors.locks:
            known = {each.name for each in await self.anchors.find(locked_names(tenant.schema))}
            for each in files:
                if each.locked_name not in known:
                    await self._lock(tenant, each)

    async def _lock(self, tenant: Tenant, archive: Archive) -> None:
        """Keep the file's sealed bytes where nobody can change or remove them for as long as a record is kept.

        Raises `TrailBroken` when something else lies there.
        """
        if not self.anchors.locks:
            return
        try:
            fetched = await self.parts.stores.of(tenant.schema).get(archive.blob.key)
        except ObjectMissing as error:
            raise TrailBroken(archive.span, "the file is missing") from error
        body = b"".join([chunk async for chunk in fetched.chunks])
        found = await self.anchors.find(archive.locked_name)
        if not found:
            until = self.parts.clock() + tenant.retention_years * _YEAR
            await self.anchors.put(archive.locked_name, body, until)
        elif await self.anchors.get(found[0]) != body:
            raise TrailBroken(archive.span, "its locked copy is another file")

    async def _anchored(self, stream: str) -> Head | None:
        """Where this stream ended when the newest anchor was written."""
        name = await self.anchors.newest(f"{self.cell}/")
        if name is None:
            return None
        found = [each for each in await self.anchors.find(name.rpartition("/")[0] + "/") if each.name == name]
        try:
            anchor = read_anchor(name, await self.anchors.get(found[0]), trusted_of(self.parts.settings))
        except AnchorRefused as refused:
            get_logger().error("anchor not believed", target=name, **exception_facts(refused))
            return None
        return anchor.heads.get(stream)


def archive_jobs(parts: Runtime, leases: dict[str, Leases], anchors: LockedStore, reached: Reached) -> list[Job]:
    """For each cell one, which looks every hour whether something has grown old enough."""
    return [_job(Archiver(parts, cell, anchors, reached), own) for cell, own in leases.items()]


def _job(archiver: Archiver, leases: Leases) -> Job:
    async def turn(lease: Lease | None) -> bool:
        if lease is not None and await leases.due(lease, _HOUR):
            await archiver.turn()
        return False

    return Job(f"archives:{archiver.cell}", _LOOK, turn, leases)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
