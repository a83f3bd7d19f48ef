"""What people do with their own sessions: see them, end them, set the PIN that opens a locked one."""

from collections.abc import Sequence

from emr.identity.service import Identity
from emr.identity.session_lists import SessionView
from emr.kernel.errors import Invalid
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case


@use_case("session:own", "session.listed")
async def list_own(work: UnitOfWork, identity: Identity) -> Sequence[SessionView]:
    """One's own running sessions, the one that was used last first."""
    found = await identity.lists.of_person(work.principal.subject)
    work.trail.note(sessions=len(found))
    return found


@use_case("session:own", "session.ended")
async def end_own(work: UnitOfWork, identity: Identity, session_id: str) -> None:
    """End one of one's own sessions. NotFound for anybody else's."""
    ended = await identity.lists.end_own(work.principal.subject, session_id)
    work.trail.note(session=ended.session_id)


@use_case("session:own", "session.others-ended")
async def end_others(work: UnitOfWork, identity: Identity) -> None:
    """End all of one's own sessions but this one."""
    ended = await identity.lists.end_others(work.principal.subject, work.principal.session_id or "")
    work.trail.note(sessions=[each.session_id for each in ended])


@use_case("session:own", "pin.set")
async def set_pin(work: UnitOfWork, identity: Identity, pin: str, current: str) -> None:
    """Keep a new PIN.

    Whoever has just signed in may, and whoever knows the PIN there is: nobody else at a PC that was left open may.
    Raises RecentSignInNeeded, PinRefused for a wrong `current` (the tries count), PinTooSimple.
    """
    principal = work.principal
    if current:
        await identity.locks.confirm(principal.session_id or "", principal.subject, current)
    else:
        identity.demand_recent(principal)
    await identity.pins.set(principal.subject, pin)


def demand_same(pin: str, again: str) -> None:
    """Raise Invalid if the PIN was typed differently the second time."""
    if pin != again:
        raise Invalid("pin-differs", "The two PINs differ.", location="again")
