"""The verbs on access reviews: each half year every member is confirmed or removed, and it is kept who did so."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from emr.identity.access_reviews import AccessReviews, Decided, Decision, Line, Review, due_at
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case


@dataclass(frozen=True, slots=True)
class Reviews:
    """All reviews, and when the next has to be finished (None: now, there never was one)."""

    all: Sequence[Review]
    due: datetime | None
    overdue: bool

    @property
    def open(self) -> Review | None:
        """The one that is under way."""
        return next((each for each in self.all if each.closed_at is None), None)


@use_case("member:manage", "access-reviews.listed")
async def list_reviews(work: UnitOfWork) -> Reviews:
    """What was reviewed, and what is due."""
    found = await _kept(work).list(work.tenant.id)
    due = due_at(found)
    return Reviews(found, due, overdue=due is None or due <= work.clock())


@use_case("member:manage", "access-review.read")
async def get_review(work: UnitOfWork, review_id: str) -> tuple[Review, Sequence[Line]]:
    """One review. Raises NotFound."""
    work.trail.note(review=review_id)
    return await _kept(work).get(work.tenant.id, review_id)


@use_case("member:manage", "access-review.opened")
async def open_review(work: UnitOfWork) -> str:
    """Begin one; its id. Raises Conflict while one is open."""
    review_id = await _kept(work).open(work.tenant.id, by=work.principal.subject)
    work.trail.note(review=review_id)
    return review_id


@use_case("member:manage", "access-review.decided")
async def decide(work: UnitOfWork, review_id: str, subject: str, decision: Decision) -> bool:
    """Confirm or remove one member in the review; False when that was decided before. Removing is a verb of its own."""
    decided = Decided(subject, decision, work.principal.subject, work.principal.name)
    work.trail.note(review=review_id, subject=subject, decision=decision)
    return await _kept(work).decide(work.tenant.id, review_id, decided)


@use_case("member:manage", "access-review.closed")
async def close_review(work: UnitOfWork, review_id: str) -> None:
    """End a review in which everybody is decided. Raises Conflict."""
    work.trail.note(review=review_id)
    await _kept(work).close(work.tenant.id, review_id, by=work.principal.subject)


def _kept(work: UnitOfWork) -> AccessReviews:
    return AccessReviews(work.runtime.databases.directory, work.clock)
