"""Changing a hospital's state, and proposals that wait for a second person, at `/ops/`."""

from typing import Final

from fastapi import APIRouter, Request, Response

from emr.console.answers import ZONE, Office, done, parameters, show
from emr.console.states import service
from emr.console.states.words import CONSEQUENCES, OUTCOMES
from emr.console.views import STATES
from emr.kernel.errors import Malformed
from emr.web.answers import read_form
from emr.web.forms import Form
from emr.web.i18n import mark
from emr.work.department import DepartmentWork

router = APIRouter(prefix="/ops", include_in_schema=False)
_LONGEST_SLUG: Final = 64


@router.get("/hospitals/{slug}/state")
async def ask(request: Request, work: Office, slug: str) -> Response:
    """The confirmation: what the step means, why it is made, and for what stops a hospital its slug once more."""
    wanted = parameters(request, ("to",)).get("to", "")
    return await _form(request, work, slug, Form(values={"to": wanted}))


@router.post("/hospitals/{slug}/state")
async def step(request: Request, work: Office, slug: str) -> Response:
    """Make the step, or propose it."""
    form = await read_form(request, work)
    wanted, reason = form.text("to", limit=20), form.text("reason", required=mark("Ghi lý do"), limit=500)
    if wanted in service.DANGEROUS and form.text("slug", limit=_LONGEST_SLUG) != slug:
        form.refuse("slug", mark("Gõ đúng mã bệnh viện để xác nhận"))
    if not form.ok:
        return await _form(request, work, slug, form, status=422)
    if wanted in service.DANGEROUS:
        await service.propose_state(work, slug, wanted, reason)
        return done(request, "/proposals", "state-proposed")
    await service.change_state(work, slug, wanted, reason)
    return done(request, f"/hospitals/{slug}", "state-changed")


@router.get("/proposals")
async def proposals(request: Request, work: Office) -> Response:
    """Those that wait, then what became of the others."""
    parameters(request, ())
    found = await service.proposals(work)
    return show(
        request, work, "console/proposals.html", found=found, states=STATES, outcomes=OUTCOMES, now=work.clock(),
        zone=ZONE,
    )  # fmt: skip


@router.get("/proposals/{proposal}")
async def proposal(request: Request, work: Office, proposal: str) -> Response:
    """One, to be approved or put away."""
    parameters(request, ())
    found = await service.proposal_of(work, proposal)
    return show(
        request, work, "console/proposal.html", found=found, states=STATES, consequences=CONSEQUENCES,
        outcomes=OUTCOMES, now=work.clock(), zone=ZONE, own=found.proposed_by == work.principal.subject,
    )  # fmt: skip


@router.post("/proposals/{proposal}/approve")
async def approve(request: Request, work: Office, proposal: str) -> Response:
    """Make the step that somebody else proposed."""
    await read_form(request, work)
    made = await service.approve(work, proposal)
    return done(request, f"/hospitals/{made.slug}", "state-changed")


@router.post("/proposals/{proposal}/put-away")
async def put_away(request: Request, work: Office, proposal: str) -> Response:
    """Close it without doing it."""
    await read_form(request, work)
    await service.put_away(work, proposal)
    return done(request, "/proposals", "proposal-closed")


async def _form(request: Request, work: DepartmentWork, slug: str, form: Form, *, status: int = 200) -> Response:
    found = await service.choices(work, slug)
    wanted = form.values.get("to", "")
    if wanted not in found.follows:
        raise Malformed("parameter-refused", f"to is one of {', '.join(found.follows)}.", location="to")
    return show(
        request, work, "console/state.html", status=status, form=form, found=found, wanted=wanted, states=STATES,
        consequences=CONSEQUENCES, two=wanted in service.DANGEROUS, hours=service.LIFETIME.seconds // 3600,
        hospital=work.runtime.registry.by_slug(slug),
    )  # fmt: skip
