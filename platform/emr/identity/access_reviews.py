"""The rows of access reviews: who had access on a day, who confirmed or removed each of them, and when.

One review of a hospital is open at a time. A decision is written once. Nothing is deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal

from emr.db.connection import Row
from emr.db.pools import RolePool
from emr.kernel.clock import Clock, utc_now
from emr.kernel.errors import Conflict, NotFound
from emr.kernel.ids import uuid7

Decision = Literal["kept", "removed"]
EVERY: Final = timedelta(days=182)
"""Six months: the longest between the end of one review and the end of the next."""

_OPEN: Final = """
INSERT INTO directory.access_reviews (id, tenant_id, opened_at, opened_by) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant_id) WHERE closed_at IS NULL DO NOTHING RETURNING id
"""
_FILL: Final = """
INSERT INTO directory.access_review_lines (review_id, subject, name, role, duties, seen_on)
SELECT $1, subject, name, role, duties, seen_on FROM directory.memberships
WHERE tenant_id = $2 AND active AND (expires_at IS NULL OR expires_at > $3)
"""
_LIST: Final = """
SELECT r.id, r.opened_at, r.opened_by, r.closed_at, r.closed_by, count(l.subject) AS members,
  count(l.subject) FILTER (WHERE l.decision IS NULL) AS undecided
FROM directory.access_reviews r LEFT JOIN directory.access_review_lines l ON l.review_id = r.id
WHERE r.tenant_id = $1 GROUP BY r.id ORDER BY r.opened_at DESC
"""
_LINES: Final = """
SELECT l.subject, l.name, l.role, l.duties, l.seen_on, l.decision, l.decided_at, l.decided_by, l.decided_by_name
FROM directory.access_review_lines l JOIN directory.access_reviews r ON r.id = l.review_id
WHERE r.tenant_id = $1 AND r.id = $2 ORDER BY l.decision IS NOT NULL, l.role, l.name, l.subject
"""
_DECIDE: Final = """
UPDATE directory.access_review_lines l
SET decision = $4, decided_at = $5, decided_by = $6, decided_by_name = $7
FROM directory.access_reviews r
WHERE r.id = l.review_id AND r.tenant_id = $1 AND r.id = $2 AND r.closed_at IS NULL
  AND l.subject = $3 AND l.decision IS NULL RETURNING l.subject
"""
_CLOSE: Final = """
UPDATE directory.access_reviews r SET closed_at = $3, closed_by = $4
WHERE r.tenant_id = $1 AND r.id = $2 AND r.closed_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM directory.access_review_lines l WHERE l.review_id = r.id AND l.decision IS NULL)
RETURNING r.id
"""


@dataclass(frozen=True, slots=True)
class Review:
    """One review: who opened and closed it (subjects), of how many members, how many of them are undecided."""

    id: str
    opened_at: datetime
    opened_by: str
    closed_at: datetime | None
    closed_by: str | None
    members: int
    undecided: int


@dataclass(frozen=True, slots=True)
class Line:
    """One member as they stood when the review was opened, and what was decided (None: nothing yet)."""

    subject: str
    name: str
    role: str
    duties: Sequence[str]
    seen_on: date | None
    decision: str | None
    decided_at: datetime | None
    decided_by: str | None
    decided_by_name: str | None


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision on one member, and by whom."""

    subject: str
    decision: Decision
    by: str
    by_name: str


class AccessReviews:
    """Reads and writes as `emr_directory`."""

    def __init__(self, directory: RolePool, clock: Clock = utc_now) -> None:
        self._directory = directory
        self._clock = clock

    async def open(self, tenant_id: str, *, by: str) -> str:
        """Begin a review of everybody who is a member now; its id. Conflict while another one is open."""
        now = self._clock()
        async with self._directory.transaction() as connection:
            made: str | None = await connection.fetchval(_OPEN, uuid7(), tenant_id, now, by, name="review.open")
            if made is None:
                raise Conflict("review-under-way", "A review of this hospital is open.")
            await connection.execute(_FILL, made, tenant_id, now, name="review.fill")
        return made

    async def list(self, tenant_id: str) -> Sequence[Review]:
        """A hospital's reviews, the newest first."""
        async with self._directory.connection() as connection:
            rows = await connection.fetch(_LIST, tenant_id, name="review.list")
        return [Review(**dict(row)) for row in rows]

    async def get(self, tenant_id: str, review_id: str) -> tuple[Review, Sequence[Line]]:
        """One review with its lines, the undecided first. NotFound."""
        review = next((each for each in await self.list(tenant_id) if each.id == review_id), None)
        if review is None:
            raise NotFound("review-unknown", "There is no such review.")
        async with self._directory.connection() as connection:
            rows = await connection.fetch(_LINES, tenant_id, review_id, name="review.lines")
        return review, [_line(row) for row in rows]

    async def decide(self, tenant_id: str, review_id: str, decided: Decided) -> bool:
        """Write a decision down; False if there is nothing to decide: decided before, closed, or nobody of it."""
        async with self._directory.connection() as connection:
            done = await connection.fetchval(
                _DECIDE,
                tenant_id,
                review_id,
                decided.subject,
                decided.decision,
                self._clock(),
                decided.by,
                decided.by_name,
                name="review.decide",
            )
        return done is not None

    async def close(self, tenant_id: str, review_id: str, *, by: str) -> None:
        """End a review. Conflict while somebody is undecided, or when it is closed."""
        async with self._directory.connection() as connection:
            done = await connection.fetchval(_CLOSE, tenant_id, review_id, self._clock(), by, name="review.close")
        if done is None:
            raise Conflict("review-undecided", "Each member of an open review is confirmed or removed first.")


def due_at(reviews: Sequence[Review]) -> datetime | None:
    """When the next review has to be finished; None when there never was one, and it is due now."""
    closed = [each.closed_at for each in reviews if each.closed_at is not None]
    return max(closed) + EVERY if closed else None


def _line(row: Row) -> Line:
    return Line(**dict(row))
