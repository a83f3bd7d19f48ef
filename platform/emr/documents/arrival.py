"""An upload on its way through HTTP: who sends it, the file under its limit, then one transaction.

The transaction begins when the file is here, so that a slow sender holds no connection of the database; and a refusal
leaves its one row in the journal, whether it comes before the transaction or inside it.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request

from emr.access.permissions import demand
from emr.documents.errors import DocumentTooLarge
from emr.documents.intake import Received, received
from emr.documents.upload import UploadForm, file_of
from emr.identity.principal import Principal
from emr.kernel.errors import Refusal
from emr.kernel.tenant import Tenant
from emr.web.answers import CSRF_FIELD, identity_of
from emr.web.sign_in import runtime_of
from emr.web.work import asked, hospital_of, principal_in
from emr.work.runtime import Runtime
from emr.work.unit import UnitOfWork, refused, unit_of_work

_MIB: Final = 1 << 20
FORM_BYTES: Final = 1 << 20
"""What a form may add to its file: fields and boundaries."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who sends, to which hospital."""

    request: Request
    tenant: Tenant
    principal: Principal

    @property
    def runtime(self) -> Runtime:
        """What the process is made of."""
        return runtime_of(self.request)

    @property
    def limit(self) -> int:
        """Bytes that one upload may have."""
        return self.runtime.settings.storage.upload_limit_mib * _MIB

    @asynccontextmanager
    async def work(self) -> AsyncIterator[UnitOfWork]:
        """A unit of work for this visitor."""
        asked_ = asked(self.request, self.tenant)
        async with unit_of_work(self.runtime, self.tenant, self.principal, asked_) as work:
            yield work


async def _visitor(request: Request) -> Visitor:
    tenant = await hospital_of(request)
    return Visitor(request, tenant, await principal_in(request, tenant))


Arriving = Annotated[Visitor, Depends(_visitor)]


@asynccontextmanager
async def form_file(visitor: Visitor, form: UploadForm) -> AsyncIterator[Received]:
    """The file of a submitted form, and in `form` its fields.

    Raises `Forbidden` for a role that may not or a form of another session, `DocumentTooLarge`, `Malformed`.
    """
    async with AsyncExitStack() as stack:
        async with journalled(visitor):
            demand(visitor.principal, "document:write")
            stream = file_of(_body(visitor), visitor.request.headers.get("content-type", ""), form)
            file = await stack.enter_async_context(received(stream, visitor.limit))
            identity_of(visitor.request).check_form(visitor.principal, form.fields.pop(CSRF_FIELD, None))
        yield file


@asynccontextmanager
async def journalled(visitor: Visitor) -> AsyncIterator[None]:
    """A refusal outside a unit of work leaves the row that one inside would."""
    try:
        yield
    except Refusal as refusal:
        work_of = (visitor.tenant, visitor.principal, asked(visitor.request, visitor.tenant))
        row = refused(work_of=work_of, refusal=refusal, at=visitor.runtime.clock())
        await visitor.runtime.audit.record(visitor.tenant.cell, [row])
        raise


async def _body(visitor: Visitor) -> AsyncIterator[bytes]:
    stated = visitor.request.headers.get("content-length", "")
    if stated.isdigit() and int(stated) > visitor.limit + FORM_BYTES:
        raise DocumentTooLarge(visitor.limit)
    async for chunk in visitor.request.stream():
        yield chunk
