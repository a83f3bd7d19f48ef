"""Rows of `grants` that a person has made: broken glass and its reviews. Read and written as the hospital itself."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from emr.db.connection import Connection, Row

_ADD: Final = """
INSERT INTO grants (id, patient, grantee, basis, source, since, until, granted_by, detail)
VALUES ($1, $2, $3, 'break-glass', '', $4, $5, $6, $7::text::jsonb)
"""
_OPEN: Final = """
SELECT id, patient, granted_by, since, until, detail, reviewed_at, verdict, finding FROM grants
 WHERE basis = 'break-glass' AND reviewed_at IS NULL ORDER BY since LIMIT 500
"""
_DONE: Final = """
SELECT id, patient, granted_by, since, until, detail, reviewed_at, verdict, finding FROM grants
 WHERE basis = 'break-glass' AND reviewed_at IS NOT NULL ORDER BY reviewed_at DESC LIMIT 100
"""
_COUNT: Final = "SELECT count(*) FROM grants WHERE basis = 'break-glass' AND reviewed_at IS NULL"
_MINE: Final = """
SELECT id, patient, until FROM grants
 WHERE basis = 'break-glass' AND grantee = $1 AND since <= $2 AND until > $2 ORDER BY since
"""
_END: Final = """
UPDATE grants SET until = $3 WHERE id = $1 AND grantee = $2 AND basis = 'break-glass' AND until > $3 RETURNING patient
"""
_REVIEW: Final = """
UPDATE grants SET reviewed_at = $2, reviewed_by = $3, verdict = $4, finding = $5
 WHERE id = $1 AND basis = 'break-glass' AND reviewed_at IS NULL AND granted_by <> $3 RETURNING patient
"""
_PATIENT: Final = "SELECT EXISTS (SELECT 1 FROM resources WHERE type = 'Patient' AND id = $1 AND NOT deleted)"


@dataclass(frozen=True, slots=True)
class Broken:
    """One broken glass. verdict, finding: of its review, None before. name, role, reason, words: who and why."""

    id: str
    patient: str
    subject: str
    since: datetime
    until: datetime
    name: str
    role: str
    reason: str
    words: str
    verdict: str | None
    finding: str | None
    reviewed_at: datetime | None


async def add(db: Connection, broken: Broken, grantee: str) -> None:
    told = {"name": broken.name, "role": broken.role, "reason": broken.reason, "words": broken.words}
    await db.execute(
        _ADD,
        *(broken.id, broken.patient, grantee, broken.since, broken.until, broken.subject),
        json.dumps(told, ensure_ascii=False),
        name="glass.add",
    )


async def is_patient(db: Connection, patient: str) -> bool:
    """Whether there is such a Patient, for the connection that asks."""
    return bool(await db.fetchval(_PATIENT, patient, name="glass.patient"))


async def waiting(db: Connection) -> list[Broken]:
    """Those that nobody has reviewed, the oldest first."""
    return [_broken(row) for row in await db.fetch(_OPEN, name="glass.waiting")]


async def reviewed(db: Connection) -> list[Broken]:
    """The last hundred that somebody has."""
    return [_broken(row) for row in await db.fetch(_DONE, name="glass.reviewed")]


async def count_waiting(db: Connection) -> int:
    return int(await db.fetchval(_COUNT, name="glass.count"))


async def standing(db: Connection, grantee: str, now: datetime) -> Sequence[Row]:
    """Id, patient and end of what somebody has broken and that still counts."""
    return await db.fetch(_MINE, grantee, now, name="glass.standing")


async def end(db: Connection, key: str, grantee: str, now: datetime) -> str | None:
    """End one's own at once; its patient, or None where there is none."""
    patient: str | None = await db.fetchval(_END, key, grantee, now, name="glass.end")
    return patient


async def review(db: Connection, key: str, by: tuple[datetime, str], verdict: str, finding: str) -> str | None:
    """Keep a review; the patient, or None where nothing waits for one by this person."""
    patient: str | None = await db.fetchval(_REVIEW, key, *by, verdict, finding, name="glass.review")
    return patient


def _broken(row: Row) -> Broken:
    told: dict[str, Any] = json.loads(row["detail"])
    return Broken(
        *(row["id"], row["patient"], row["granted_by"], row["since"], row["until"]),
        *(told["name"], told["role"], told["reason"], told["words"]),
        *(row["verdict"], row["finding"], row["reviewed_at"]),
    )
