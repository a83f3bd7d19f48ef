"""Statements that all hospitals share, word for word: the pool alone decides whose rows they find."""

from collections.abc import Awaitable, Callable
from typing import Final

from emr.db.connection import Connection, Row
from emr.records.stored import Stored
from tests.isolation.leaks.asking import Asked, bodies
from tests.isolation.leaks.hospitals import PEOPLE

_ROW: Final = "SELECT * FROM resources WHERE id = $1"
_ROWS: Final = "SELECT * FROM resources WHERE type = 'Observation' AND id = ANY ($1)"
_LATEST: Final = "SELECT * FROM resources WHERE type = 'Patient' ORDER BY updated DESC, pk DESC LIMIT 2"
_EARLIER: Final = """
SELECT r.type, r.id, v.version, v.updated, v.deleted, r.patients, r.pk, v.body
  FROM resources r JOIN resource_versions v ON v.pk = r.pk WHERE r.id = $1 AND v.version = 1
"""
_COUNT: Final = "SELECT count(*) FROM resources WHERE type = 'Patient'"
_EVERYBODY: Final = [f"o{number}" for number in range(PEOPLE)]
Statement = Callable[[Connection, Asked], Awaitable[tuple[bytes, bool]]]


def _told(*rows: Row) -> bytes:
    return bodies(*(Stored.of(row["type"], row) for row in rows))


async def _row(db: Connection, asked: Asked) -> tuple[bytes, bool]:
    return _told(*await db.fetch(_ROW, f"p{asked.number}")), asked.seen


async def _theirs(db: Connection, asked: Asked) -> tuple[bytes, bool]:
    return _told(*await db.fetch(_ROW, asked.other.own)), False


async def _rows(db: Connection, asked: Asked) -> tuple[bytes, bool]:
    return _told(*await db.fetch(_ROWS, _EVERYBODY)), True


async def _latest(db: Connection, asked: Asked) -> tuple[bytes, bool]:
    return _told(*await db.fetch(_LATEST)), True


async def _earlier(db: Connection, asked: Asked) -> tuple[bytes, bool]:
    return _told(*await db.fetch(_EARLIER, f"p{asked.number}")), asked.seen


async def _count(db: Connection, asked: Asked) -> tuple[bytes, bool]:
    counted = await db.fetchval(_COUNT)
    return (asked.here if counted == asked.patients else asked.other).word.encode(), True


STATEMENTS: Final[dict[str, Statement]] = {
    "row": _row, "their-row": _theirs, "rows": _rows, "latest": _latest, "earlier": _earlier, "counted": _count,
}  # fmt: skip
