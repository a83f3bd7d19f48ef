"""The privacy officer's verbs on support grants: seeing them, saying so, and ending one at once."""

from collections.abc import Sequence

from emr.identity.support_grants import SupportGrant, SupportGrants
from emr.kernel.errors import NotFound
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case


@use_case("support:oversee", "support.overseen")
async def list_support(work: UnitOfWork) -> Sequence[SupportGrant]:
    """What was granted, the newest first."""
    found = await _kept(work).list_grants(work.tenant.id)
    work.trail.note(count=len(found))
    return found


@use_case("support:oversee", "support.counted")
async def count_support(work: UnitOfWork) -> int:
    """How many nobody has said to have seen."""
    return await _kept(work).count_unnoted(work.tenant.id)


@use_case("support:oversee", "support.noted")
async def note_support(work: UnitOfWork, key: str) -> None:
    """Say that one was seen. Raises NotFound."""
    if not await _kept(work).note(work.tenant.id, key, by=_who(work)):
        raise _unknown()
    work.trail.note(grant=key)


@use_case("support:oversee", "support.ended-by-officer")
async def stop_support(work: UnitOfWork, key: str) -> None:
    """End one at once. Raises NotFound for one that does not run."""
    ended = await _kept(work).end(work.tenant.id, key, by=_who(work))
    if ended is None:
        raise _unknown()
    work.trail.note(grant=ended.id, subject=ended.subject)


def _kept(work: UnitOfWork) -> SupportGrants:
    return SupportGrants(work.runtime.databases.directory, work.clock)


def _who(work: UnitOfWork) -> tuple[str, str]:
    return work.principal.subject, work.principal.name


def _unknown() -> NotFound:
    return NotFound("support-unknown", "There is no such support grant, or nothing left to do with it.")
