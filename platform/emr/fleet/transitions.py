"""From one state of a hospital to the next: what is asked, what is allowed, what is remembered. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from emr.kernel.errors import Conflict, Invalid
from emr.kernel.states import AT_WORK, STATES, may_follow

EVENT: Final = "hospital.state-changed"
LONGEST_REASON: Final = 500


@dataclass(frozen=True, slots=True)
class Wish:
    """Who wants which state for a hospital, and why. state: None for the one in which it last worked."""

    slug: str
    state: str | None
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class Step:
    """One change: from which state to which, by whom, why, and when (None: it has not been made)."""

    slug: str
    before: str
    after: str
    reason: str
    by: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A hospital's state now, and how it came to it, newest first. first: the state that its file began with."""

    slug: str
    state: str
    reason: str
    since: datetime
    steps: tuple[Step, ...]
    first: str


def step_of(wish: Wish, stands: Standing) -> Step:
    """The step that a wish is. Raises `Invalid` for no state, no reason or one too long, `Conflict` for a step that is
    not allowed.
    """
    reason = " ".join(wish.reason.split())
    if not reason or len(reason) > LONGEST_REASON:
        raise Invalid("state-reason", f"Say why, in at most {LONGEST_REASON} characters.", location="reason")
    wanted = _last_worked(stands.steps, stands.first) if wish.state is None else wish.state
    if wanted not in STATES:
        raise Invalid("state-unknown", f"A state is one of {', '.join(STATES)}.", location="state")
    if wanted not in followers(stands):
        raise Conflict("state-step", _refusal(stands, wanted), location="state")
    return Step(stands.slug, stands.state, wanted, reason, wish.by)


def followers(stands: Standing) -> list[str]:
    """The states that may come next."""
    live = _was_live(stands)
    return [each for each in STATES if may_follow(stands.state, each, was_live=live)]


def _refusal(stands: Standing, wanted: str) -> str:
    if wanted == stands.state:
        return f"{stands.slug} is {wanted} already."
    if wanted == "trial":
        return f"{stands.slug} was live; it cannot be on trial again."
    return f"{stands.slug} is {stands.state}; what may follow is {', '.join(sorted(STATES[stands.state].follows))}."


def _was_live(stands: Standing) -> bool:
    past = any("live" in (each.before, each.after) for each in stands.steps)
    return stands.first == "live" or stands.state == "live" or past


def _last_worked(steps: Sequence[Step], first: str) -> str:
    """The state in which care last went on there."""
    return next((each.before for each in steps if each.before in AT_WORK), first)
