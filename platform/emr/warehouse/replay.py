"""Compares a hospital's record with the table, version by version, and sends again what the table lacks."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Final

from emr.db.pools import Databases
from emr.kernel.tenant import Tenant
from emr.warehouse.outbox import DESTINATION
from emr.warehouse.table import Key, Table
from emr.work.leases import Leases

_RECORD: Final = """
SELECT type, id, version FROM resources
UNION ALL SELECT r.type, r.id, v.version FROM resource_versions v JOIN resources r USING (pk)
"""
_ON_THE_WAY: Final = "SELECT type, id, version FROM cell.outbox WHERE tenant = $1 AND error IS NULL"
_SEND_AGAIN: Final = """
WITH missing AS (SELECT DISTINCT * FROM unnest($2::text[], $3::text[], $4::int[]) AS m (type, id, version)),
unreceipted AS (
  DELETE FROM cell.deliveries d USING missing m
  WHERE d.destination = $5 AND d.tenant = $1 AND d.type = m.type AND d.id = m.id AND d.version = m.version),
freed AS (
  DELETE FROM cell.outbox o USING missing m
  WHERE o.error IS NOT NULL AND o.tenant = $1 AND o.type = m.type AND o.id = m.id AND o.version = m.version)
INSERT INTO cell.outbox (tenant, type, id, version)
SELECT $1, type, id, version FROM missing ORDER BY type, id, version
"""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A hospital's record beside the table. `missing` is neither there nor on its way."""

    hospital: str
    versions: int
    on_the_way: int
    missing: list[Key]
    unknown: list[Key]
    doubled: list[Key]

    @property
    def whole(self) -> bool:
        """Whether the table holds each version once and nothing else, but for what is on its way."""
        return not (self.missing or self.unknown or self.doubled)


async def compare(databases: Databases, table: Table, tenant: Tenant) -> Comparison:
    """Read the record first, then the outbox, then the table.

    A version that was on its way at the second look is in the outbox; one that had left it is in the table, which is
    read later. So nothing that is merely late is called missing.
    """
    async with databases.hospital(tenant) as connection:
        record = {tuple(row.values()) for row in await connection.fetch(_RECORD, name="warehouse.record")}
    async with databases.cell(tenant.cell).relay.connection() as connection:
        rows = await connection.fetch(_ON_THE_WAY, tenant.schema, name="warehouse.on_the_way")
    on_the_way = {tuple(row.values()) for row in rows}
    held = await asyncio.to_thread(lambda: Counter(table.keys(tenant.id)))
    async with databases.hospital(tenant) as connection:
        later = {tuple(row.values()) for row in await connection.fetch(_RECORD, name="warehouse.record")}
    return Comparison(
        hospital=tenant.slug,
        versions=len(record),
        on_the_way=len(record & on_the_way),
        missing=sorted(record - on_the_way - held.keys()),
        unknown=sorted(held.keys() - later),
        doubled=sorted(key for key, count in held.items() if count > 1),
    )


async def replay(databases: Databases, table: Table, tenant: Tenant, leases: Leases) -> Comparison:
    """Compare, and put pointers to everything that is missing back into the outbox, without their old receipts.

    One replay of a hospital at a time: a second one finds the lease taken and raises `LeaseLost`.
    """
    async with leases.held(f"warehouse-replay:{tenant.schema}"):
        found = await compare(databases, table, tenant)
        if found.missing:
            columns = [list(column) for column in zip(*found.missing, strict=True)]
            async with databases.cell(tenant.cell).relay.transaction() as connection:
                await connection.execute(_SEND_AGAIN, tenant.schema, *columns, DESTINATION, name="warehouse.send_again")
    return found
