"""The worker's job that moves old rows of the trails into files; `emr.audit.archiving` says how."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from emr.audit.anchors import AnchorRefused, read_anchor, trusted_of
from emr.audit.archives import Archive, locked_names, moved
from emr.audit.archiving import TrailBroken, due, lingering, prove_removable, remove
from emr.audit.seals import Head
from emr.db.cells import DEFAULT_CELL
from emr.storage.errors import ObjectMissing
from emr.storage.locked import LockedStore
from emr.telemetry.logs import exception_facts, get_logger
from emr.work.archived_trails import ArchivedTrail, DirectoryTrail, HospitalTrail
from emr.work.faults import Reached
from emr.work.leases import Lease, Leases
from emr.work.loop import Job
from emr.work.rounds import go_round
from emr.work.runtime import Runtime

_YEAR: Final = timedelta(days=366)
_LOOK: Final = 60.0
_HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Archiver:
    """Archives the hospitals of one cell; that of the default cell archives the directory's trail too.

    `reached` hears of the points that fault tests name.
    """

    parts: Runtime
    cell: str
    anchors: LockedStore
    reached: Reached

    async def turn(self) -> None:
        """Everything that is due."""
        known = self.parts.registry.all()
        hospitals = [each for each in known if each.cell == self.cell and each.open and not each.moving]
        trails: list[ArchivedTrail] = [HospitalTrail(self.parts, each) for each in hospitals]
        if self.cell == DEFAULT_CELL:
            trails.append(DirectoryTrail(self.parts))
        await go_round("audit-archive", trails, self._archive)

    async def _archive(self, trail: ArchivedTrail) -> None:
        while await self.step(trail):
            pass
        await self._lock_moved(trail)

    async def step(self, trail: ArchivedTrail) -> bool:
        """Bring one file of this trail on. False when nothing is due, or its rows must wait for an anchor."""
        async with trail.reading() as db:
            written = await lingering(db, trail.stream)
            if written is not None:
                blobs = self.parts.stores.blobs(trail.stream, await trail.keyring(), db)
                removable = await prove_removable(db, blobs, written, await self._anchored(trail.stream))
        if written is None:
            return await self._write(trail)
        if not removable:
            return False
        self.reached("archive-read-back")
        await self._lock(trail, written)
        self.reached("archive-locked")
        gone = await remove(trail.remover, written)
        self.reached("archive-removed")
        get_logger().info("trail archived", hospital=trail.slug, rows=gone)
        return True

    async def _write(self, trail: ArchivedTrail) -> bool:
        before = self.parts.clock() - timedelta(days=self.parts.settings.archives.after_days)
        async with trail.reading() as db:
            wanted = await due(db, trail.stream, before)
        if wanted is None:
            return False
        await trail.write(wanted, self.reached)
        self.reached("archive-recorded")
        return True

    async def _lock_moved(self, trail: ArchivedTrail) -> None:
        """Each file that holds rows alone has its locked copy, also one of a time when there was no object lock."""
        async with trail.reading() as db:
            files = await moved(db, trail.stream)
        if files and self.anchors.locks:
            known = {each.name for each in await self.anchors.find(locked_names(trail.stream))}
            for each in files:
                if each.locked_name not in known:
                    await self._lock(trail, each)

    async def _lock(self, trail: ArchivedTrail, archive: Archive) -> None:
        """Keep the file's sealed bytes where nobody can change or remove them for as long as a record is kept.

        Raises `TrailBroken` when something else lies there.
        """
        if not self.anchors.locks:
            return
        try:
            fetched = await self.parts.stores.of(trail.stream).get(archive.blob.key)
        except ObjectMissing as error:
            raise TrailBroken(archive.span, "the file is missing") from error
        body = b"".join([chunk async for chunk in fetched.chunks])
        found = await self.anchors.find(archive.locked_name)
        if not found:
            until = self.parts.clock() + trail.retention_years * _YEAR
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
