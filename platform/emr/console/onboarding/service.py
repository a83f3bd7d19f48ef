"""The verbs of the wizard: checking, asking, asking again, and how far what was asked for is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from emr.console.onboarding import repository
from emr.console.onboarding.checks import Fault, Place, demand_possible, faults_of
from emr.fleet.files import definition_of
from emr.kernel.errors import Conflict, NotFound
from emr.tenancy.definition import HospitalFile
from emr.tenancy.requests import Request, Requests, Wanted
from emr.work.department import DepartmentWork, department_use_case

_NEWEST: Final = 50


@dataclass(frozen=True, slots=True)
class Asked:
    """A hospital that was asked for, and how far it is."""

    request: Request
    hospital: HospitalFile


@department_use_case("fleet:look", "hospital-requests.shown")
async def newest(work: DepartmentWork) -> Sequence[Request]:
    """What was asked for, the newest first."""
    found = await Requests(work.db).every("onboard", _NEWEST)
    work.note(count=len(found))
    return found


@department_use_case("fleet:look", "hospital-request.shown")
async def latest(work: DepartmentWork, slug: str) -> Asked:
    """The newest request of a hospital. Raises `NotFound`."""
    found = await _latest(work, slug)
    work.note(hospital=slug)
    return found


@department_use_case("fleet:onboard", "hospital.form-shown")
async def begin(work: DepartmentWork) -> Sequence[str]:
    """The cells in which a new hospital may lie."""
    return sorted({"default", *work.runtime.settings.database.cells})


@department_use_case("fleet:onboard", "hospital.checked")
async def check(work: DepartmentWork, said: Mapping[str, Any]) -> HospitalFile:
    """Look whether a hospital could come about so, and store nothing. Raises as `ask`."""
    return await _possible(work, said)


@department_use_case("fleet:onboard", "hospital.checked")
async def clashes(work: DepartmentWork, said: Mapping[str, Any]) -> Sequence[Fault]:
    """What stands in the way of a definition that is not whole yet."""
    return faults_of(said, await _place(work))


@department_use_case("fleet:onboard", "hospital.asked-for")
async def ask(work: DepartmentWork, said: Mapping[str, Any]) -> Asked:
    """Ask for a hospital. Raises `Invalid` with an issue for each field, `Conflict` while it is asked for already."""
    hospital = await _possible(work, said)
    return await _ask(work, hospital)


@department_use_case("fleet:onboard", "hospital.asked-for-again")
async def ask_again(work: DepartmentWork, slug: str) -> Asked:
    """Ask once more for what did not come to its end. Raises `NotFound`, and `Conflict` for what did or is open."""
    before = await _latest(work, slug)
    if before.request.state != "failed":
        raise Conflict("request-not-failed", "What was asked for is done or under way; there is nothing to repeat.")
    return await _ask(work, before.hospital)


async def _possible(work: DepartmentWork, said: Mapping[str, Any]) -> HospitalFile:
    hospital = definition_of(said)
    work.note(hospital=hospital.slug)
    demand_possible(hospital, await _place(work))
    return hospital


async def _place(work: DepartmentWork) -> Place:
    asked = {each.slug: each.detail for each in await Requests(work.db).open("onboard")}
    return Place(await repository.read_definitions(work.db), asked, work.runtime.settings.database)


async def _ask(work: DepartmentWork, hospital: HospitalFile) -> Asked:
    by = work.principal.subject, work.principal.name
    key = await Requests(work.db).ask(Wanted("onboard", hospital.slug, by, hospital.as_json()))
    work.note(hospital=hospital.slug, request=key, cell=hospital.cell, tier=hospital.tier, sandbox=hospital.sandbox)
    return await _latest(work, hospital.slug)


async def _latest(work: DepartmentWork, slug: str) -> Asked:
    found = await Requests(work.db).latest(slug, "onboard")
    if found is None:
        raise NotFound("request-unknown", "This hospital was not asked for here.")
    return Asked(found, definition_of(found.detail))
