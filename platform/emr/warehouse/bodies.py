"""Reads the versions that pointers name, each as the role of its hospital."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import asyncpg
import zstandard

from emr.db.connection import Row
from emr.db.pools import Databases
from emr.kernel.errors import NotFound
from emr.kernel.tenant import Tenant
from emr.records.codec import unpack
from emr.tenancy.registry import Registry
from emr.warehouse.outbox import Pointer
from emr.warehouse.table import Source, Version

LIMIT_BYTES: Final = 4 * 1024 * 1024
"""The most that the compressed bodies of one batch weigh; one body alone may weigh more."""

_FOUND: Final = """
FROM unnest($1::text[], $2::text[], $3::int[]) WITH ORDINALITY AS p (type, id, version, place)
JOIN resources r ON r.type = p.type AND r.id = p.id
JOIN LATERAL (
  SELECT r.updated, r.deleted, r.body WHERE r.version = p.version
  UNION ALL
  SELECT v.updated, v.deleted, v.body FROM resource_versions v WHERE v.pk = r.pk AND v.version = p.version
) AS found ON true
"""
_SIZES: Final = "SELECT p.place, octet_length(found.body) AS size" + _FOUND
_MOMENTS: Final = "SELECT p.place, found.updated" + _FOUND
_BODIES: Final = "SELECT p.place, found.updated, found.deleted, found.body" + _FOUND

_GONE: Final = (
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedObjectError,
    asyncpg.InvalidSchemaNameError,
    asyncpg.InvalidParameterValueError,
    asyncpg.InsufficientPrivilegeError,
)


@dataclass(slots=True)
class Reading:
    """What a batch turned out to hold: rows for the table, pointers for a later batch, pointers that are broken."""

    versions: list[Version] = field(default_factory=list)
    later: list[Pointer] = field(default_factory=list)
    broken: list[tuple[Pointer, str]] = field(default_factory=list)


class Bodies:
    """The hospitals, each at its own place."""

    def __init__(self, databases: Databases, registry: Registry) -> None:
        self._databases, self._registry = databases, registry

    async def read(self, pointers: Sequence[Pointer]) -> Reading:
        """The versions of as many pointers, from the first on, as weigh no more than `LIMIT_BYTES` together."""
        reading = Reading()
        chosen = await self._affordable(pointers, reading)
        found: dict[int, Version] = {}
        for schema, group in _by_hospital(chosen).items():
            found |= await self._versions(schema, group, reading)
        reading.versions = [found[pointer.seq] for pointer in chosen if pointer.seq in found]
        return reading

    async def moments(self, pointers: Sequence[Pointer]) -> list[tuple[Pointer, datetime, str]]:
        """When each version was written, and its hospital's id; without those that cannot be found."""
        found: list[tuple[Pointer, datetime, str]] = []
        for schema, group in _by_hospital(pointers).items():
            tenant = self._tenant(schema)
            if tenant is not None:
                rows = await self._rows(_MOMENTS, schema, group) or ()
                found += [(group[row["place"] - 1], row["updated"], tenant.id) for row in rows]
        return found

    async def _affordable(self, pointers: Sequence[Pointer], reading: Reading) -> Sequence[Pointer]:
        sizes: dict[int, int] = {}
        for schema, group in _by_hospital(pointers).items():
            rows = await self._rows(_SIZES, schema, group)
            if rows is None:
                reading.broken += [(pointer, "hospital-gone") for pointer in group]
                continue
            known = {group[row["place"] - 1].seq: row["size"] for row in rows}
            reading.broken += [(pointer, "version-missing") for pointer in group if pointer.seq not in known]
            sizes |= known
        readable = [pointer for pointer in pointers if pointer.seq in sizes]
        total = 0
        for place, pointer in enumerate(readable):
            total += sizes[pointer.seq]
            if total > LIMIT_BYTES and place > 0:
                reading.later = readable[place:]
                return readable[:place]
        return readable

    async def _versions(self, schema: str, group: Sequence[Pointer], reading: Reading) -> Mapping[int, Version]:
        tenant = self._registry.by_schema(schema)
        source = Source(tenant.slug, tenant.facility_code, tenant.id)
        versions: dict[int, Version] = {}
        for row in await self._rows(_BODIES, schema, group) or ():
            pointer = group[row["place"] - 1]
            try:
                body = unpack(row["body"])
                body.decode("utf-8")
            except (zstandard.ZstdError, UnicodeDecodeError):
                reading.broken.append((pointer, "body-unreadable"))
                continue
            versions[pointer.seq] = Version(
                source, pointer.type, pointer.id, pointer.version, row["updated"], row["deleted"], body
            )
        return versions

    async def _rows(self, statement: str, schema: str, group: Sequence[Pointer]) -> Sequence[Row] | None:
        """None when this hospital is not here any more."""
        tenant = self._tenant(schema)
        if tenant is None:
            return None
        columns = [[each.type for each in group], [each.id for each in group], [each.version for each in group]]
        try:
            async with self._databases.hospital(tenant) as connection:
                return await connection.fetch(statement, *columns, name="warehouse.read")
        except _GONE:
            return None

    def _tenant(self, schema: str) -> Tenant | None:
        try:
            return self._registry.by_schema(schema)
        except NotFound:
            return None


def _by_hospital(pointers: Sequence[Pointer]) -> dict[str, list[Pointer]]:
    groups: dict[str, list[Pointer]] = {}
    for pointer in pointers:
        groups.setdefault(pointer.tenant, []).append(pointer)
    return groups
