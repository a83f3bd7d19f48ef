"""A hospital of a test's own, and what is done to its record there without HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from emr.identity.principal import system_principal
from emr.kernel.tenant import Tenant
from emr.records.create import create_resource
from emr.records.delete import delete
from emr.records.reindexing import Difference, verify
from emr.records.update import update_resource
from emr.work.runtime import Runtime
from emr.work.unit import UnitOfWork, unit_of_work
from tests.house import House


class Ward:
    """One hospital as the platform itself works in it."""

    def __init__(self, standing: House, parts: Runtime, tenant: Tenant) -> None:
        self.standing, self.parts, self.tenant = standing, parts, tenant

    @asynccontextmanager
    async def work(self) -> AsyncIterator[UnitOfWork]:
        principal = system_principal("test", tenant_id=self.tenant.id)
        async with unit_of_work(self.parts, self.tenant, principal) as work:
            yield work

    async def create(self, resource: dict[str, Any]) -> str:
        async with self.work() as work:
            return (await create_resource(work, resource)).id

    async def put(self, resource: dict[str, Any]) -> None:
        async with self.work() as work:
            await update_resource(work, resource)

    async def delete(self, kind: str, key: str) -> None:
        async with self.work() as work:
            await delete(work, kind, key)

    async def differences(self, most: int = 100) -> list[Difference]:
        """What its index rows and its resources do not agree on, compared `most` resources at a time."""
        found: list[Difference] = []
        after = 0
        while True:
            async with self.work() as work:
                compared = await verify(work, after, most)
            if compared.last is None:
                return found
            after = compared.last
            found += compared.differences
