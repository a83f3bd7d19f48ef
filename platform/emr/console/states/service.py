"""The verbs on a hospital's state. What stops a hospital is proposed by one operator and approved by another."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from emr.console.states import repository
from emr.console.states.repository import Proposal
from emr.fleet.transitions import EVENT, Standing, Step, Wish, followers, step_of
from emr.kernel.errors import Conflict, Forbidden
from emr.kernel.ids import uuid7
from emr.work.department import DepartmentWork, department_use_case

DANGEROUS: Final = frozenset({"suspended", "leaving"})
"""States that take a second person: the first stops care that goes on, the second begins the end."""
LIFETIME: Final = timedelta(hours=4)
_MOST: Final = 50


@dataclass(frozen=True, slots=True)
class Choices:
    """What may be done with a hospital: the states that may follow, and the proposal that waits."""

    stands: Standing
    follows: Sequence[str]
    waiting: Proposal | None


@department_use_case("fleet:look", "hospital.state-shown")
async def choices(work: DepartmentWork, slug: str) -> Choices:
    """How a hospital stands. Raises `NotFound`."""
    await work.runtime.registry.refresh()
    await repository.lapse(work.db, work.clock())
    stands = await repository.standing(work.db, slug)
    work.note(hospital=slug)
    return Choices(stands, followers(stands), await repository.open_of(work.db, slug))


@department_use_case("fleet:act", EVENT)
async def change_state(work: DepartmentWork, slug: str, wanted: str, reason: str) -> Step:
    """Bring a hospital into another state at once.

    Raises `NotFound`, `Invalid` and `Conflict` as `transitions.step_of`, and `Forbidden` for what takes two people.
    """
    tenant_id, stands = await repository.held(work.db, slug)
    step = step_of(Wish(slug, wanted, reason, work.principal.name), stands)
    if step.after in DANGEROUS:
        raise Forbidden("second-person-needed", f"A second operator must approve that a hospital is {step.after}.")
    await repository.change(work.db, tenant_id, step)
    work.note(**{"hospital": slug, "from": step.before, "to": step.after})
    return step


@department_use_case("fleet:act", "hospital.state-proposed")
async def propose_state(work: DepartmentWork, slug: str, wanted: str, reason: str) -> Proposal:
    """Ask a second operator to approve a step. Raises as `change_state`, `Conflict` where one waits already."""
    now = work.clock()
    await repository.lapse(work.db, now)
    _, stands = await repository.held(work.db, slug)
    step = step_of(Wish(slug, wanted, reason, work.principal.name), stands)
    if step.after not in DANGEROUS:
        raise Conflict("proposal-needless", f"That a hospital is {step.after} takes no second person.")
    if await repository.open_of(work.db, slug) is not None:
        raise Conflict("proposal-waits", "A proposal for this hospital waits already; decide it first.")
    await work.runtime.registry.refresh()
    hospital = work.runtime.registry.by_slug(slug).name
    told = (uuid7(), slug, hospital, step.before, step.after, step.reason)
    proposal = Proposal(*told, work.principal.subject, work.principal.name, now, now + LIFETIME)
    await repository.propose(work.db, proposal)
    work.note(**{"hospital": slug, "from": step.before, "to": step.after, "proposal": proposal.id})
    return proposal


@department_use_case("fleet:act", EVENT)
async def approve(work: DepartmentWork, key: str) -> Step:
    """Make a step that somebody else proposed.

    Raises `NotFound`, `Forbidden` for the proposer, `Conflict` for one that is decided or lapsed, or whose hospital has
    gone on meanwhile.
    """
    proposal = await repository.one(work.db, key)
    if proposal.proposed_by == work.principal.subject:
        raise Forbidden("second-person-needed", "Somebody other than the proposer must approve this.")
    _demand_open(work, proposal)
    tenant_id, stands = await repository.held(work.db, proposal.slug)
    if stands.state != proposal.before:
        raise Conflict("proposal-overtaken", f"The hospital is {stands.state} now; propose anew.")
    both = f"{proposal.proposed_by_name} · {work.principal.name}"
    step = step_of(Wish(proposal.slug, proposal.wanted, proposal.reason, both), stands)
    await repository.change(work.db, tenant_id, step)
    await repository.decide(work.db, key, "approved", _by(work))
    told = {"hospital": proposal.slug, "from": step.before, "to": step.after}
    work.note(**told, proposal=key, proposed_by=proposal.proposed_by)
    return replace(step, at=work.clock())


@department_use_case("fleet:act", "hospital.state-declined")
async def put_away(work: DepartmentWork, key: str) -> str:
    """Close a proposal undone: `withdrawn` by the proposer, `declined` by anybody else. Raises as `approve`."""
    proposal = await repository.one(work.db, key)
    _demand_open(work, proposal)
    outcome = "withdrawn" if proposal.proposed_by == work.principal.subject else "declined"
    await repository.decide(work.db, key, outcome, _by(work))
    work.note(hospital=proposal.slug, proposal=key, outcome=outcome)
    return outcome


@department_use_case("fleet:look", "proposals.shown")
async def proposals(work: DepartmentWork) -> Sequence[Proposal]:
    """The newest, those that wait first."""
    await repository.lapse(work.db, work.clock())
    found = await repository.newest(work.db, _MOST)
    work.note(count=len(found))
    return found


@department_use_case("fleet:look", "proposal.shown")
async def proposal_of(work: DepartmentWork, key: str) -> Proposal:
    """One of them. Raises `NotFound`."""
    found = await repository.one(work.db, key)
    work.note(hospital=found.slug, proposal=key)
    return found


def _demand_open(work: DepartmentWork, proposal: Proposal) -> None:
    if not proposal.open(work.clock()):
        raise Conflict("proposal-over", "This proposal is decided, or its time is over.")


def _by(work: DepartmentWork) -> tuple[str, str, datetime]:
    return work.principal.subject, work.principal.name, work.clock()
