"""The unit of work: what a use case may touch, and how it ends."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final

import asyncpg

from emr.access.care import AUTHOR, sight_of
from emr.access.permissions import demand
from emr.access.scopes import limits_of
from emr.audit.rows import AuditRow
from emr.audit.trail import Trail
from emr.audit.writer import IN_TRANSACTION
from emr.db.connection import USELESS, Connection
from emr.db.seen import Sight
from emr.identity.principal import Principal
from emr.kernel.clock import Clock
from emr.kernel.errors import Conflict, HospitalMoving, Refusal, Unavailable
from emr.kernel.ids import uuid7
from emr.kernel.tenant import Tenant
from emr.storage.blobs import BlobStore
from emr.work.runtime import Runtime

_GONE: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    *USELESS,
)
"""The server is gone, going, full, or a replica that has not taken over yet."""
_LOST: Final = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.LockNotAvailableError)
"""Somebody else was faster at the same place."""
_NO_JOURNAL: Final = (
    asyncpg.InsufficientPrivilegeError,
    asyncpg.UndefinedTableError,
    asyncpg.IntegrityConstraintViolationError,
)

_JOURNAL: Final = "audit_journal"


@dataclass(frozen=True, slots=True)
class Request:
    """What is known of the request that a unit of work serves. `base_url` ends without a slash."""

    id: str
    base_url: str = ""


@dataclass(frozen=True, slots=True)
class UnitOfWork:
    """One hospital, one principal, one transaction."""

    tenant: Tenant
    principal: Principal
    db: Connection
    blobs: BlobStore
    trail: Trail
    clock: Clock
    request: Request
    runtime: Runtime


@asynccontextmanager
async def unit_of_work(
    runtime: Runtime, tenant: Tenant, principal: Principal, request: Request | None = None, *, to_read: bool = False
) -> AsyncIterator[UnitOfWork]:
    """A transaction as the hospital; what the trail holds is committed before the context ends.

    A unit that wrote puts its audit rows into its own transaction. One that only read gives its connection back and
    then waits for the group that its rows travel in. A refusal rolls back and leaves a row of its own.
    to_read: a transaction that PostgreSQL lets nothing be written in, which costs an exchange less. A hospital's past
    is never opened otherwise, and only to who may look into it.
    """
    request = request or Request(uuid7())
    trail = Trail()
    keyring = await runtime.keyrings.of(tenant)
    try:
        if tenant.past is not None:
            demand(principal, "past:read")
        sight = _sight(runtime, tenant, principal)
        to_read = to_read or tenant.past is not None
        opened = _transaction(runtime, tenant, sight, to_read=to_read)
        async with in_our_words(opened, partial(_has_moved, runtime, tenant)) as connection:
            most = tenant.quotas.storage_gib << 30
            blobs = runtime.stores.blobs(tenant.schema, keyring, connection, most)
            try:
                yield UnitOfWork(tenant, principal, connection, blobs, trail, runtime.clock, request, runtime)
                if trail.wrote and trail.rows:
                    await _journal(connection, trail.rows)
            except BaseException:
                # Not for a COMMIT that fails: it may have happened, and then the rows need their objects.
                await blobs.after_rollback()
                raise
        await blobs.after_commit()
    except Refusal as refusal:
        row = refused(work_of=(tenant, principal, request), refusal=refusal, at=runtime.clock())
        await runtime.audit.record(tenant.cell, [row])
        raise
    if not trail.wrote:
        await runtime.audit.record(tenant.cell, trail.rows)


def _sight(runtime: Runtime, tenant: Tenant, principal: Principal) -> Sight | None:
    """What the transaction is told of who is looking, also of scopes that criteria limit."""
    sight, limits = sight_of(tenant, principal, runtime.clock), limits_of(principal)
    if limits is None or not limits.criteria:
        return sight
    whole = Sight(runtime.clock(), everybody=True, unlabelled=True, own=(AUTHOR + principal.subject,))
    compiler = runtime.sight_compilers.get("criteria")
    nothing = json.dumps({resource_type: [] for resource_type, _ in limits.criteria})
    return replace(sight or whole, criteria=compiler(tenant.index_key, limits.criteria) if compiler else nothing)


@asynccontextmanager
async def as_whole(work: UnitOfWork) -> AsyncIterator[UnitOfWork]:
    """The same unit of work as the hospital itself, whoever is looking: see `Connection.whole`."""
    async with work.db.whole() as own:
        yield work if own is work.db else replace(work, db=own)


@asynccontextmanager
async def attempt(work: UnitOfWork) -> AsyncIterator[None]:
    """A part of the transaction that is undone alone when it is refused, also by PostgreSQL over a lock."""
    try:
        async with work.db.savepoint():
            yield
    except _LOST as error:
        raise _lost() from error


def looked_at(tenant: Tenant | None) -> dict[str, str]:
    """What each row of the trail says of a look into the past: which one, and the moment that was looked at."""
    if tenant is None or tenant.past is None:
        return {}
    return {"past": tenant.past.id, "moment": tenant.past.moment.isoformat()}


def _lost() -> Conflict:
    return Conflict("lock-lost", "Another change was under way at the same place; nothing was stored.")


def refused(*, work_of: tuple[Tenant | None, Principal | None, Request], refusal: Refusal, at: datetime) -> AuditRow:
    """The row that a refusal leaves: its codes and where they apply, never the content that was refused."""
    tenant, principal, request = work_of
    return AuditRow(
        tenant=tenant.schema if tenant else None,
        at=at,
        action="request.refused",
        outcome="refused",
        principal=principal,
        request_id=request.id,
        detail={"kind": type(refusal).__name__, "codes": sorted({issue.code for issue in refusal.issues})[:20]}
        | (principal.marks() if principal else {})
        | looked_at(tenant),
    )


def _transaction(
    runtime: Runtime, tenant: Tenant, sight: Sight | None, *, to_read: bool
) -> AbstractAsyncContextManager[Connection]:
    databases = runtime.databases
    return databases.hospital_to_read(tenant, sight) if to_read else databases.hospital(tenant, sight)


async def _never() -> bool:
    return False


@asynccontextmanager
async def in_our_words(
    transaction: AbstractAsyncContextManager[Connection], has_moved: Callable[[], Awaitable[bool]] = _never
) -> AsyncIterator[Connection]:
    """The hospital's transaction, with PostgreSQL's own refusals in our words."""
    try:
        async with transaction as connection:
            yield connection
    except _LOST as error:
        raise _lost() from error
    except asyncpg.QueryCanceledError as error:
        raise Unavailable("query-too-slow", "The query took too long and was stopped.") from error
    except asyncpg.InFailedSQLTransactionError as error:
        raise Unavailable("not-committed", "The database could not keep this change; nothing was stored.") from error
    except asyncpg.InsufficientPrivilegeError as error:
        if await has_moved():
            raise HospitalMoving from error
        raise
    except _GONE as error:
        raise Unavailable("database-unavailable", "The database does not answer.") from error


async def _has_moved(runtime: Runtime, tenant: Tenant) -> bool:
    """Whether the hospital is on its way to another cell, or there, which this process may not have heard of yet."""
    await runtime.registry.refresh()
    now = runtime.registry.by_schema(tenant.schema)
    return now.moving or now.cell != tenant.cell


@contextmanager
def with_row() -> Iterator[None]:
    """Around a statement that stores something and its audit row. Raises `Unavailable` where the journal takes none."""
    try:
        yield
    except _NO_JOURNAL as error:
        if _JOURNAL in str(error):
            raise _no_journal() from error
        raise


def _no_journal() -> Unavailable:
    return Unavailable("audit-unavailable", "The audit journal takes no rows; nothing was stored.")


async def _journal(connection: Connection, rows: list[AuditRow]) -> None:
    texts = [row.canonical() for row in rows]
    try:
        async with connection.whole() as own:
            await own.execute(IN_TRANSACTION, [row.at for row in rows], texts, name="audit")
    except _NO_JOURNAL as error:
        raise _no_journal() from error
