"""From a request to a unit of work: which hospital, who is asking, then one transaction that ends before the answer.

Every route below `/h/{slug}/` takes `Work`; there is no other way to the data.
"""

import functools
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated, Final

from fastapi import Depends, Request, Response

from emr.audit.rows import AuditRow
from emr.identity.errors import NotAMember
from emr.identity.principal import Principal
from emr.kernel.errors import Forbidden, HospitalSuspended, Malformed, NotFound, Refusal, Unavailable
from emr.kernel.tenant import Tenant
from emr.telemetry.activity import note_hospital, request_id
from emr.tenancy.pasts import in_past
from emr.web.body import Share, read_body, share_of
from emr.web.direct import plain
from emr.web.past import past_meant
from emr.web.sign_in import principal_of, runtime_of
from emr.work.runtime import Runtime
from emr.work.unit import Request as Asked
from emr.work.unit import UnitOfWork, refused, unit_of_work
from emr.work.visit import Visit

_NAMES_A_TENANT: Final = re.compile(
    r"tenant|hospital|organi[sz]ation|(^|-)schema($|-)|(^|-)facility($|-)", re.IGNORECASE
)


async def hospital_of(request: Request) -> Tenant:
    """The hospital of the path. Raises `NotFound`, `Malformed` for a header that names one, `Unavailable`.

    What is refused before a hospital is known leaves its row in the directory.
    """
    runtime = runtime_of(request)
    try:
        refuse_tenant_headers(request)
        tenant = runtime.registry.by_slug(request.path_params["slug"])
    except (Malformed, NotFound) as refusal:
        await runtime.audit.record_directory([_row(request, None, None, refusal)])
        raise
    note_hospital(tenant.slug)
    try:
        refuse_closed(tenant, runtime)
        if (past := past_meant(request)) is not None:
            tenant = await in_past(runtime.databases.directory, tenant, past, runtime.clock())
            refuse_closed(tenant, runtime)
    except (NotFound, Unavailable) as refusal:
        await runtime.audit.record(tenant.cell, [_row(request, tenant, None, refusal)])
        raise
    return tenant


def refuse_tenant_headers(request: Request) -> None:
    """Only the path says which hospital: a header that names a tenant is a mistake or an attack."""
    for name in request.headers:
        if _NAMES_A_TENANT.search(name):
            raise Malformed("tenant-header", "Only the address says which hospital; no header may.", location=name[:64])


def refuse_closed(tenant: Tenant, runtime: Runtime) -> None:
    """Raise `Unavailable` for a hospital that is suspended or at a schema revision that this build does not serve."""
    if not tenant.open:
        raise HospitalSuspended(tenant.state_reason)
    if not runtime.knows(tenant):
        raise Unavailable("hospital-being-upgraded", "This hospital's data is being upgraded.")


async def principal_in(request: Request, tenant: Tenant) -> Principal:
    """Who is asking in this hospital; a refusal leaves a row in its journal."""
    try:
        return await principal_of(request, tenant)
    except Forbidden as refusal:
        runtime = runtime_of(request)
        who = refusal.who if isinstance(refusal, NotAMember) else None
        await runtime.audit.record(tenant.cell, [_row(request, tenant, who, refusal)])
        raise


async def _work(request: Request) -> AsyncIterator[UnitOfWork]:
    tenant = await hospital_of(request)
    principal = await principal_in(request, tenant)
    async with unit_of_work(runtime_of(request), tenant, principal, asked(request, tenant)) as work:
        yield work


Work = Annotated[UnitOfWork, Depends(_work, scope="function")]
"""A unit of work that commits after the endpoint and before the answer leaves."""


async def _visit(request: Request) -> Visit:
    tenant = await hospital_of(request)
    principal = await principal_in(request, tenant)
    return Visit(runtime_of(request), tenant, principal, asked(request, tenant))


Visiting = Annotated[Visit, Depends(_visit)]
"""For an endpoint that asks another system between two units of work, which it begins itself."""


async def _work_with_body(request: Request) -> AsyncIterator[UnitOfWork]:
    tenant = await hospital_of(request)
    principal = await principal_in(request, tenant)
    share = share_of(request)
    try:
        request.state.body = await _read(request, share, tenant, principal)
        async with unit_of_work(runtime_of(request), tenant, principal, asked(request, tenant)) as work:
            yield work
    finally:
        share.give_back()


async def _read(request: Request, share: Share, tenant: Tenant, principal: Principal) -> bytes:
    try:
        return await read_body(request, share)
    except Refusal as refusal:
        await runtime_of(request).audit.record(tenant.cell, [_row(request, tenant, principal, refusal)])
        raise


WorkWithBody = Annotated[UnitOfWork, Depends(_work_with_body, scope="function")]
"""The same for a body that is taken whole (`body_of`), and before a connection is: no slow client holds one."""

Endpoint = Callable[[Request, UnitOfWork], Awaitable[Response]]
_Opener = Callable[[Request], AbstractAsyncContextManager[UnitOfWork]]


def in_hospital(endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    """`Work` for a plain route, which costs half as much: nothing is injected but the request and the unit of work."""
    return _plain(endpoint, asynccontextmanager(_work))


def in_hospital_to_read(endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    """The same for an endpoint that writes nothing, not even a lock: an exchange with PostgreSQL less."""

    @plain
    @functools.wraps(endpoint)
    async def run(request: Request) -> Response:
        tenant = await hospital_of(request)
        principal = await principal_in(request, tenant)
        own = asked(request, tenant)
        async with unit_of_work(runtime_of(request), tenant, principal, own, to_read=True) as work:
            answer = await endpoint(request, work)
        # Outside of the unit of work, so that what it read has been audited.
        return answer  # noqa: RET504 - the line above says why

    return run


def in_hospital_with_body(endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    """`WorkWithBody` for a plain route."""
    return _plain(endpoint, asynccontextmanager(_work_with_body))


def _plain(endpoint: Endpoint, opened: _Opener) -> Callable[[Request], Awaitable[Response]]:
    @plain
    @functools.wraps(endpoint)
    async def run(request: Request) -> Response:
        async with opened(request) as work:
            answer = await endpoint(request, work)
        # Outside of the unit of work, so that the commit has happened.
        return answer  # noqa: RET504 - the line above says why

    return run


def asked(request: Request, tenant: Tenant) -> Asked:
    """The request as a use case may know it. `base_url` is the hospital's FHIR endpoint."""
    base = runtime_of(request).settings.http.base_url.rstrip("/")
    return Asked(request_id(), f"{base}/h/{tenant.slug}/fhir")


def _row(request: Request, tenant: Tenant | None, principal: Principal | None, refusal: Refusal) -> AuditRow:
    runtime = runtime_of(request)
    return refused(work_of=(tenant, principal, Asked(request_id())), refusal=refusal, at=runtime.clock())
