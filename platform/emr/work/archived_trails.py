"""Whose old rows move into files: a hospital's, under its own key and role, and the directory's own."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, Protocol

from emr.audit.archive_file import LARGEST
from emr.audit.archives import MEDIA_TYPE, RETENTION
from emr.audit.archiving import Due, keep, packed_rows, rows_of
from emr.audit.stored import DIRECTORY
from emr.db.connection import Connection
from emr.db.pools import RolePool
from emr.identity.principal import Principal, system_principal
from emr.kernel.clock import Clock
from emr.kernel.ids import uuid7
from emr.kernel.tenant import Tenant
from emr.storage.blobs import BlobStore
from emr.storage.keys import Keyring
from emr.storage.rowless import Rowless
from emr.work.department import DepartmentWork, department_use_case, department_work
from emr.work.faults import Reached
from emr.work.runtime import Runtime
from emr.work.unit import Request, UnitOfWork, unit_of_work
from emr.work.use_case import use_case

_WHO: Final = "archive"


class ArchivedTrail(Protocol):
    """What the archiver has to know of a trail. `slug`: how it is called where hospitals are told apart."""

    @property
    def slug(self) -> str: ...

    @property
    def stream(self) -> str: ...

    @property
    def retention_years(self) -> int:
        """How long a locked copy of a file is kept."""
        ...

    @property
    def remover(self) -> RolePool:
        """The role that may take rows out of the table."""
        ...

    def reading(self) -> AbstractAsyncContextManager[Connection]:
        """A connection that sees its tables."""
        ...

    async def keyring(self) -> Keyring:
        """What its files are sealed with."""
        ...

    async def write(self, wanted: Due, reached: Reached) -> None:
        """Write a file of these batches, and down that it is there, in one transaction."""
        ...


@use_case("audit:archive", "audit.archived")
async def archive_batches(work: UnitOfWork, wanted: Due, reached: Reached) -> None:
    """Write the rows of these batches into a file of the hospital; they stay in the table until it was read back."""
    size = await _filed(work.db, work.blobs, wanted, (work.clock, reached))
    work.trail.note(**_facts(wanted, size))
    work.trail.wrote = True


@department_use_case("audit:archive", "audit.archived")
async def archive_batches_of_directory(work: DepartmentWork, blobs: BlobStore, wanted: Due, reached: Reached) -> None:
    """The same for batches of the directory's own trail."""
    work.note(**_facts(wanted, await _filed(work.db, blobs, wanted, (work.clock, reached))))


@dataclass(frozen=True, slots=True)
class HospitalTrail:
    """A hospital's."""

    parts: Runtime
    tenant: Tenant

    @property
    def slug(self) -> str:
        return self.tenant.slug

    @property
    def stream(self) -> str:
        return self.tenant.schema

    @property
    def retention_years(self) -> int:
        return self.tenant.retention_years

    @property
    def remover(self) -> RolePool:
        return self.parts.databases.cell(self.tenant.cell).archive

    def reading(self) -> AbstractAsyncContextManager[Connection]:
        return self.parts.databases.hospital_to_read(self.tenant)

    async def keyring(self) -> Keyring:
        return await self.parts.keyrings.of(self.tenant)

    async def write(self, wanted: Due, reached: Reached) -> None:
        async with unit_of_work(self.parts, self.tenant, _archivist(self.tenant.id)) as work:
            await archive_batches(work, wanted, reached)


@dataclass(frozen=True, slots=True)
class DirectoryTrail:
    """What belongs to no hospital. Its files are named by `audit_archives` alone; it has no table of blobs."""

    parts: Runtime
    slug: str = DIRECTORY
    stream: str = DIRECTORY

    @property
    def retention_years(self) -> int:
        """As long as the hospital keeps its record that keeps it longest."""
        own = self.parts.settings.anchors.retention_years
        return max([own, *(tenant.retention_years for tenant in self.parts.registry.all())])

    @property
    def remover(self) -> RolePool:
        return self.parts.databases.directory_archive

    def reading(self) -> AbstractAsyncContextManager[Connection]:
        return self.parts.databases.directory.transaction()

    async def keyring(self) -> Keyring:
        return await self.parts.keyrings.made_for_directory()

    async def write(self, wanted: Due, reached: Reached) -> None:
        blobs = self.parts.stores.blobs(DIRECTORY, await self.keyring(), Rowless())
        try:
            async with department_work(self.parts, _archivist(), Request(uuid7())) as work:
                await archive_batches_of_directory(work, blobs, wanted, reached)
        except BaseException:
            await blobs.after_rollback()
            raise


def _archivist(tenant_id: str | None = None) -> Principal:
    return system_principal(_WHO, tenant_id=tenant_id)


def _facts(wanted: Due, size: int) -> dict[str, int]:
    span = wanted.span
    return {"first": span.first, "last": span.last, "batch": span.last_batch, "bytes": size}


async def _filed(db: Connection, blobs: BlobStore, wanted: Due, how: tuple[Clock, Reached]) -> int:
    """Bytes of the file."""
    clock, reached = how
    events = await rows_of(db, wanted)
    data = await packed_rows(wanted, events)
    blob = await blobs.put(_once(data), media_type=MEDIA_TYPE, limit=LARGEST, retention_class=RETENTION)
    reached("archive-stored")
    await keep(db, wanted, events, (blob, clock()))
    return len(data)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
