"""The verbs on sessions: which were used in this hospital, and ending one."""

from collections.abc import Sequence

from emr.identity.session_lists import SessionLists, SessionView
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case


@use_case("member:manage", "sessions.listed")
async def list_sessions(work: UnitOfWork) -> Sequence[SessionView]:
    """The running sessions that were used here, by name."""
    found = await _lists(work).of_hospital(work.tenant.id)
    work.trail.note(count=len(found))
    return found


@use_case("member:manage", "session.ended-by-administrator")
async def end_session(work: UnitOfWork, session_id: str) -> None:
    """End one of them, now and everywhere. Raises NotFound for any other."""
    ended = await _lists(work).end_in_hospital(work.tenant.id, session_id)
    work.trail.note(subject=ended.subject, session=ended.session_id)


def _lists(work: UnitOfWork) -> SessionLists:
    return SessionLists(work.runtime.databases.directory, work.runtime.settings.identity, work.clock)
