"""The rows of `directory.border_checks`: added and read, never changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from emr.db.connection import Connection, Row

_INSERT: Final = """
INSERT INTO directory.border_checks (tenant_id, number, ended_at, result, signature, key_id)
VALUES ($1, $2, $3, $4, $5, $6)
"""
_NEXT: Final = """
SELECT coalesce(max(number), 0) + 1 FROM directory.border_checks
WHERE tenant_id = $1 AND pg_advisory_xact_lock(hashtextextended('emr.border.' || $1, 0)) IS NOT NULL
"""
_NEWEST: Final = """
SELECT number, result, signature, key_id FROM directory.border_checks
WHERE tenant_id = $1 ORDER BY number DESC LIMIT $2
"""
_OF_EACH: Final = """
SELECT t.id, t.created_at, c.number, c.result, c.signature, c.key_id FROM directory.tenants t LEFT JOIN LATERAL (
  SELECT number, result, signature, key_id FROM directory.border_checks WHERE tenant_id = t.id
  ORDER BY number DESC LIMIT 1) c ON true
"""


@dataclass(frozen=True, slots=True)
class Signed:
    """A result as it is kept: its number, its text, and the signature over the text's UTF-8 by the key of that id."""

    number: int
    text: str
    signature: bytes
    key_id: str


async def next_number(connection: Connection, tenant_id: str) -> int:
    """The number of the hospital's next result; others who ask wait until this transaction ends."""
    return int(await connection.fetchval(_NEXT, tenant_id, name="border.next"))


async def add(connection: Connection, tenant_id: str, signed: Signed, *, ended_at: datetime) -> None:
    """Keep a result."""
    await connection.execute(
        _INSERT, tenant_id, signed.number, ended_at, signed.text, signed.signature, signed.key_id, name="border.add"
    )


async def newest(connection: Connection, tenant_id: str, most: int) -> Sequence[Signed]:
    """The hospital's last results, newest first."""
    rows = await connection.fetch(_NEWEST, tenant_id, most, name="border.newest")
    return [_signed(row) for row in rows]


async def newest_of_each(connection: Connection) -> Mapping[str, tuple[datetime, Signed | None]]:
    """When each hospital was made, and its last result if it has one, by the hospital's id."""
    rows = await connection.fetch(_OF_EACH, name="border.of-each")
    return {row["id"]: (row["created_at"], None if row["number"] is None else _signed(row)) for row in rows}


def _signed(row: Row) -> Signed:
    return Signed(row["number"], row["result"], row["signature"], row["key_id"])
