"""Somebody in a hospital before any transaction: for what must ask another system between two units of work."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from emr.identity.principal import Principal
from emr.kernel.tenant import Tenant
from emr.work.runtime import Runtime
from emr.work.unit import Request, UnitOfWork, unit_of_work


@dataclass(frozen=True, slots=True)
class Visit:
    """Who is asking, where. No database connection is held but within `begin`."""

    runtime: Runtime
    tenant: Tenant
    principal: Principal
    request: Request

    def begin(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """One unit of work of this visit; see `unit_of_work`."""
        return unit_of_work(self.runtime, self.tenant, self.principal, self.request)

    def beside(self, tenant: Tenant) -> AbstractAsyncContextManager[UnitOfWork]:
        """The same visit to the hospital of another moment, only to read."""
        return unit_of_work(self.runtime, tenant, self.principal, self.request, to_read=True)
