"""The verbs on members: who belongs to the hospital, and as what. Each is safe to repeat.

A membership is a row of the directory and is committed there; its audit row goes into the hospital's own journal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from emr.administration.errors import AccountElsewhere, AlreadyMember, NotForOneself
from emr.administration.policy import Standing
from emr.administration.usage import demand_room
from emr.identity.made_accounts import MadeAccounts
from emr.identity.memberships import Membership, Memberships
from emr.identity.principal import HOSPITAL_ROLES
from emr.kernel.errors import Conflict, NotFound
from emr.kernel.text import fold
from emr.records.search.find import search
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

PERMISSION: Final = "member:manage"
_MOST_WARDS: Final = "200"
_SMALL: Final = ("bd", "ro")


@dataclass(frozen=True, slots=True)
class Left:
    """A membership that has just ended. `close`: it was the last one of an account that the platform made."""

    subject: str
    close: bool


@use_case("member:manage", "members.listed")
async def list_members(work: UnitOfWork) -> Sequence[Membership]:
    """The people who are or were members, by name; machines are no people."""
    found = await _memberships(work).list_members(work.tenant.id)
    work.trail.note(count=len(found))
    return sorted(
        (each for each in found if each.role in HOSPITAL_ROLES), key=lambda each: (not each.active, fold(each.name))
    )


@use_case("member:manage", "member.read")
async def get_member(work: UnitOfWork, subject: str) -> Membership:
    """One of them. Raises NotFound."""
    return await _person(work, subject)


@use_case("member:manage", "wards.listed")
async def list_wards(work: UnitOfWork) -> Mapping[str, str]:
    """The hospital's Locations that are neither beds nor rooms, id to name."""
    page = await search(work, "Location", [("_count", _MOST_WARDS)])
    places = [(each.id, each.resource()) for each in page.matches]
    named = {key: str(place.get("name") or key) for key, place in places if not _is_small(place)}
    return dict(sorted(named.items(), key=lambda item: fold(item[1])))


@use_case("member:manage", "member.invitation-begun")
async def begin_invitation(work: UnitOfWork) -> None:
    """Before the provider is asked: raises Conflict for a hospital without an organization, TooManyMembers."""
    if work.tenant.organization_id is None:
        raise Conflict("hospital-without-organization", "This hospital has no organization at the identity provider.")
    await demand_room(work)


@use_case("member:manage", "member.added")
async def add_member(work: UnitOfWork, subject: str, name: str, standing: Standing) -> None:
    """Make an account a member. Raises AlreadyMember, also for the machine of another entry."""
    known = await _known(work, subject)
    if known is not None and is_current(known, work.clock()):
        raise AlreadyMember
    await _grant(work, Membership(work.tenant.id, subject, standing.role, name), standing)


@use_case("member:manage", "member.changed")
async def change_member(work: UnitOfWork, subject: str, name: str, standing: Standing) -> None:
    """Another name, role, duties, wards, clearances; they count from the next request on. Raises NotForOneself."""
    known = await _person(work, subject)
    if not is_current(known, work.clock()):
        raise Conflict("member-left", "This member has left; take them back first.")
    if subject == work.principal.subject and standing.role != known.role:
        raise NotForOneself
    await _grant(work, replace(known, name=name), standing)


@use_case("member:manage", "member.deactivated")
async def deactivate_member(work: UnitOfWork, subject: str) -> Left:
    """End a membership at once; one that has ended stays so. Raises NotForOneself, NotFound."""
    known = await _person(work, subject)
    if subject == work.principal.subject:
        raise NotForOneself
    if known.active:
        await _memberships(work).revoke(work.tenant.id, subject, revoked_by=_who(work))
    work.trail.note(subject=subject, role=known.role)
    return Left(subject, await _made(work).begin_closing(subject))


@use_case("member:manage", "member.reactivated")
async def reactivate_member(work: UnitOfWork, subject: str) -> Membership:
    """Take someone back as what they were. Raises TooManyMembers."""
    known = await _person(work, subject)
    if not is_current(known, work.clock()):
        await demand_room(work)
    back = replace(known, active=True, expires_at=None)
    await _memberships(work).grant(back, granted_by=_who(work))
    work.trail.note(subject=subject, role=known.role)
    return back


@use_case("member:manage", "member.password-reset")
async def may_reset(work: UnitOfWork, subject: str) -> None:
    """Whether this hospital may give the account a new password. Raises AccountElsewhere, NotFound, Conflict."""
    known = await _person(work, subject)
    if not is_current(known, work.clock()):
        raise Conflict("member-left", "This member has left; take them back first.")
    made = _made(work)
    if not await made.is_ours(subject) or await made.is_elsewhere(subject, work.tenant.id):
        raise AccountElsewhere
    work.trail.note(subject=subject)


@use_case("member:manage", "leavers.looked-up")
async def look_up(work: UnitOfWork, lines: Sequence[str]) -> Mapping[str, Sequence[Membership]]:
    """Each line of a list with the current members who have this subject or name, without regard to case."""
    members = [each for each in await list_members(work) if is_current(each, work.clock())]
    work.trail.note(lines=len(lines))
    return {
        line: [each for each in members if line == each.subject or line.casefold() == each.name.casefold()]
        for line in lines
    }


@use_case("member:manage", "accounts.unfinished")
async def unfinished(work: UnitOfWork) -> Sequence[str]:
    """Accounts that the provider was not told to close yet."""
    return await _made(work).unfinished(work.tenant.id)


def _is_small(place: Mapping[str, Any]) -> bool:
    """A bed or a room (the code system location-physical-type)."""
    codings = place.get("physicalType", {}).get("coding", ())
    return any(each.get("code") in _SMALL for each in codings)


def is_current(member: Membership, now: datetime) -> bool:
    """Whether the membership counts at this moment."""
    return member.active and (member.expires_at is None or member.expires_at > now)


async def _grant(work: UnitOfWork, member: Membership, standing: Standing) -> None:
    granted = replace(
        member,
        active=True,
        role=standing.role,
        duties=standing.duties,
        wards=standing.wards,
        clearances=standing.clearances,
        practitioner=standing.practitioner,
    )
    await _memberships(work).grant(granted, granted_by=_who(work))
    work.trail.note(
        subject=member.subject,
        role=standing.role,
        duties=sorted(standing.duties),
        wards=sorted(standing.wards),
        clearances=sorted(standing.clearances),
    )


async def _known(work: UnitOfWork, subject: str) -> Membership | None:
    try:
        return await _memberships(work).get(work.tenant.id, subject)
    except NotFound:
        return None


async def _person(work: UnitOfWork, subject: str) -> Membership:
    found = await _memberships(work).get(work.tenant.id, subject)
    if found.role not in HOSPITAL_ROLES:
        raise NotFound("membership-unknown", "There is no such member.")
    return found


def _memberships(work: UnitOfWork) -> Memberships:
    return Memberships(work.runtime.databases.directory, work.clock)


def _made(work: UnitOfWork) -> MadeAccounts:
    return MadeAccounts(work.runtime.databases.directory, work.clock)


def _who(work: UnitOfWork) -> str:
    return work.principal.subject
