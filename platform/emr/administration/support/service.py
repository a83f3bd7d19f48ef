"""The verbs on support grants: letting somebody of the department or of support look in for hours, and ending it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from emr.administration.errors import AlreadyMember
from emr.identity.administration import Administered
from emr.identity.memberships import Memberships
from emr.identity.support_grants import LONGEST, Scope, SupportGrant, SupportGrants
from emr.kernel.errors import Invalid, NotFound
from emr.kernel.ids import uuid7
from emr.records.people import patient_numbered
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case
from emr.work.visit import Visit

PURPOSE_LEAST: Final = 10
PURPOSE_MOST: Final = 500
OFFICES: Final = ("department", "support")
SCOPES: Final[tuple[Scope, ...]] = ("house", "patient", "patients")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A grant that is to be given. person: an e-mail address, or an account's id where the provider is not
    administered, with the name beside it. number: of the one patient whom the scope `patient` is about.
    """

    person: str
    name: str
    office: str
    purpose: str
    scope: Scope
    hours: int
    number: str = ""


@use_case("support:grant", "support.listed")
async def list_grants(work: UnitOfWork) -> Sequence[SupportGrant]:
    """What was granted, the newest first."""
    found = await _kept(work).list_grants(work.tenant.id)
    work.trail.note(count=len(found))
    return found


@use_case("support:grant", "support.granted")
async def grant_support(work: UnitOfWork, subject: str, wanted: Wanted) -> SupportGrant:
    """Let an account look in. Raises Invalid by field, AlreadyMember, Conflict (support-running)."""
    _demand_sound(wanted)
    if await _memberships(work).find(work.tenant.id, subject) is not None:
        raise AlreadyMember
    patient = await _patient(work, wanted)
    now, giver = work.clock(), work.principal
    grant = SupportGrant(
        *(uuid7(), work.tenant.id, subject, wanted.name, wanted.office, wanted.purpose.strip(), wanted.scope, patient),
        *(now, now + timedelta(hours=wanted.hours), giver.subject, giver.name),
    )
    await _kept(work).give(grant)
    if patient is not None:
        work.trail.concerns(patient)
    told = {"grant": grant.id, "subject": subject, "office": grant.office, "scope": grant.scope}
    work.trail.note(**told, until=grant.until.isoformat())
    return grant


@use_case("support:grant", "support.ended")
async def end_support(work: UnitOfWork, key: str) -> None:
    """End one at once. Raises NotFound for one that does not run."""
    ended = await _kept(work).end(work.tenant.id, key, by=(work.principal.subject, work.principal.name))
    if ended is None:
        raise NotFound("support-unknown", "No such support grant is running.")
    work.trail.note(grant=ended.id, subject=ended.subject)


async def let_in(visit: Visit, at: Administered, wanted: Wanted) -> SupportGrant:
    """Find the account, then grant. Raises as `grant_support`, and Unavailable.

    The provider is not asked for an address before it is clear that the asker may grant anything.
    """
    async with visit.begin() as work:
        await list_grants(work)
    subject = wanted.person
    if at.possible:
        account = await at.people.find(wanted.person)
        if account is None or not account.enabled:
            raise Invalid("account-unknown", "There is no open account with this address.", location="person")
        subject = account.subject
    async with visit.begin() as work:
        return await grant_support(work, subject, wanted)


def _kept(work: UnitOfWork) -> SupportGrants:
    return SupportGrants(work.runtime.databases.directory, work.clock)


def _memberships(work: UnitOfWork) -> Memberships:
    return Memberships(work.runtime.databases.directory, work.clock)


async def _patient(work: UnitOfWork, wanted: Wanted) -> str | None:
    if wanted.scope != "patient":
        return None
    found = await patient_numbered(work, wanted.number.strip())
    if found is None:
        raise Invalid("patient-unknown", "There is not exactly one patient with this number.", location="number")
    return found


def _demand_sound(wanted: Wanted) -> None:
    if wanted.office not in OFFICES:
        raise Invalid("office-unknown", "An office is department or support.", location="office")
    if wanted.scope not in SCOPES:
        raise Invalid("scope-unknown", "A scope is house, patient or patients.", location="scope")
    if not PURPOSE_LEAST <= len(wanted.purpose.strip()) <= PURPOSE_MOST:
        raise Invalid("purpose-length", "A purpose has 10 to 500 characters.", location="purpose")
    if not 1 <= wanted.hours <= LONGEST // timedelta(hours=1):
        raise Invalid("hours-range", "A support grant lasts 1 to 72 hours.", location="hours")
    if bool(wanted.number.strip()) != (wanted.scope == "patient"):
        raise Invalid("number-needless", "A number goes with the scope patient, and with no other.", location="number")
