"""What of a hospital goes along: its tables, and its rows in those tables of the cell that are kept for long.

Of each table: which columns, and by which key its rows are told apart. Columns that name a transaction do not go along:
a transaction's number means something in one server alone. What was written before the move has, on the other side, the
number of the transaction that copied it, which is before every one that follows there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from psycopg import sql
from sqlalchemy import BigInteger, Column, Table
from sqlalchemy.dialects.postgresql import TSVECTOR

from emr.db.tables import cell, tenant
from emr.db.tables.tenant import Xid8

_OF_RESOURCE: Final = "pk"
_IN_CELL: Final = (cell.deliveries, cell.events)


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one table. schema: that of the table. key: what tells its groups of rows apart; numbered: it is a number.

    columns: that are copied. hashed: the same as an expression each that can be hashed. where: which rows.
    """

    name: str
    schema: str
    table: str
    key: sql.Composable
    numbered: bool
    columns: tuple[str, ...]
    hashed: tuple[sql.Composable, ...]
    where: sql.SQL

    @property
    def place(self) -> sql.Identifier:
        """Schema and table."""
        return sql.Identifier(self.schema, self.table)


@cache
def parts_of(schema: str) -> Sequence[Part]:
    """Every part of the hospital with this schema, the large ones first."""
    own = [_part(table, schema, sql.SQL("%(tenant)s::text IS NOT NULL")) for table in tenant.metadata.sorted_tables]
    shared = [_part(table, "cell", sql.SQL("tenant = %(tenant)s")) for table in _IN_CELL]
    return (*own, *shared)


def _part(table: Table, schema: str, where: sql.SQL) -> Part:
    columns = [column for column in table.columns if not isinstance(column.type, Xid8)]
    key, numbered = _key(table)
    return Part(
        table.name, schema, table.name, key, numbered, tuple(each.name for each in columns),
        tuple(_hashed(each) for each in columns), where,
    )  # fmt: skip


def _key(table: Table) -> tuple[sql.Composable, bool]:
    """A resource's rows belong together, wherever they are; others are told apart by their primary key."""
    if _OF_RESOURCE in table.columns:
        return sql.Identifier(_OF_RESOURCE), True
    keys = [each for each in table.primary_key.columns if each.name not in ("destination", "tenant")]
    if len(keys) == 1:
        return sql.Identifier(keys[0].name), isinstance(keys[0].type, BigInteger)
    named = sql.SQL(", ").join(sql.Identifier(each.name) for each in keys)
    return sql.SQL("concat_ws(' ', {})").format(named), False


def _hashed(column: "Column[object]") -> sql.Composable:
    """PostgreSQL hashes every type that a table here has but one."""
    name = sql.Identifier(column.name)
    return sql.SQL("{}::text").format(name) if isinstance(column.type, TSVECTOR) else name
