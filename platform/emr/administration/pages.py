"""The members' pages at `/h/{slug}/admin/members`, and the first page of administration."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from fastapi import APIRouter, Request, Response

from emr.administration import policy, service, steps
from emr.administration.answers import CONFIRM, administered_of, explain, zone_of
from emr.administration.machines.service import list_machines
from emr.administration.reviews.service import list_reviews
from emr.administration.sessions.service import list_sessions
from emr.administration.usage import Usage, usage
from emr.identity.memberships import Membership
from emr.kernel.errors import Conflict, Invalid
from emr.web.answers import read_form, read_form_and_file, render, saved
from emr.web.forms import Form
from emr.web.work import Visiting, Work
from emr.work.unit import UnitOfWork
from emr.work.visit import Visit

router = APIRouter(prefix="/h/{slug}/admin", include_in_schema=False)
_MEMBERS: Final = "/admin/members"


@router.get("")
async def overview(request: Request, work: Work) -> Response:
    """What stands, what is due."""
    found = await service.list_members(work)
    return render(
        request, work, "administration/overview.html",
        members=sum(service.is_current(each, work.clock()) for each in found),
        left=sum(not service.is_current(each, work.clock()) for each in found),
        waiting=await service.unfinished(work), possible=administered_of(request).possible,
        reviews=await list_reviews(work), sessions=len(await list_sessions(work)), usage=await usage(work),
        machines=sum(each.active for each in await list_machines(work)), zone=zone_of(work),
    )  # fmt: skip


@router.get("/members")
async def members(request: Request, work: Work) -> Response:
    """Everybody, who is here and who has left."""
    return render(
        request, work, "administration/members.html",
        members=await service.list_members(work), now=work.clock(), current=service.is_current, names=policy,
        waiting=await service.unfinished(work), wards=await service.list_wards(work),
    )  # fmt: skip


@router.get("/members/new")
async def new_member(request: Request, work: Work) -> Response:
    """The form for somebody new."""
    return _invitation(request, work, Form(), (await service.list_wards(work), await usage(work)))


@router.post("/members/new")
async def invite(request: Request, visit: Visiting) -> Response:
    """Somebody new; the page says how they get in, once."""
    form = await read_form(request, visit)
    async with visit.begin() as work:
        wards, used = await service.list_wards(work), await usage(work)
    at = administered_of(request)
    wanted = policy.invitation_of(form, wards, by_email=at.possible)
    if form.ok:
        try:
            invited = await steps.invite(visit, at, wanted)
        except (Conflict, Invalid) as refusal:
            explain(form, refusal, "" if at.possible or refusal.location != "email" else "subject")
        else:
            return render(request, visit, "administration/invited.html", invited=invited)
    return _invitation(request, visit, form, (wards, used), status=422)


@router.get("/members/{subject}")
async def member(request: Request, work: Work, subject: str) -> Response:
    """One member, to be changed."""
    found = await service.get_member(work, subject)
    return _member(request, work, found, (_filled(found), _offered(found, await service.list_wards(work))))


@router.post("/members/{subject}")
async def change(request: Request, work: Work, subject: str) -> Response:
    """Another name, role, duties, wards or clearances."""
    form = await read_form(request, work)
    found = await service.get_member(work, subject)
    wards = _offered(found, await service.list_wards(work))
    name, standing = policy.name_of(form), policy.standing_of(form, wards)
    if form.ok:
        try:
            await service.change_member(work, subject, name, standing)
        except Conflict as refusal:
            explain(form, refusal, "role")
        else:
            return saved(request, work, _MEMBERS, "member-saved")
    return _member(request, work, found, (form, wards), status=422)


@router.post("/members/{subject}/deactivate")
async def deactivate(request: Request, visit: Visiting, subject: str) -> Response:
    """End a membership at once."""
    form = await read_form(request, visit)
    if form.values.get("sure") != "yes":
        form.refuse("sure", CONFIRM)
    else:
        try:
            told = await steps.deactivate(visit, administered_of(request), subject)
            return saved(request, visit, _MEMBERS, "member-left" if told else "member-left-untold")
        except Conflict as refusal:
            explain(form, refusal, "sure")
    return await _again(request, visit, subject, form)


@router.post("/members/{subject}/reactivate")
async def reactivate(request: Request, visit: Visiting, subject: str) -> Response:
    """Take somebody back as what they were."""
    form = await read_form(request, visit)
    try:
        await steps.reactivate(visit, administered_of(request), subject)
    except (Conflict, Invalid) as refusal:
        explain(form, refusal, "back")
        return await _again(request, visit, subject, form)
    return saved(request, visit, _MEMBERS, "member-back")


@router.post("/members/{subject}/password")
async def password(request: Request, visit: Visiting, subject: str) -> Response:
    """A new link or one-time password; the page shows it once."""
    form = await read_form(request, visit)
    try:
        renewed = await steps.reset_password(visit, administered_of(request), subject)
    except Conflict as refusal:
        explain(form, refusal, "password")
        return await _again(request, visit, subject, form)
    return render(request, visit, "administration/invited.html", invited=renewed)


@router.post("/members-finish")
async def finish(request: Request, visit: Visiting) -> Response:
    """Tell the provider what it was not told when somebody left."""
    await read_form(request, visit)
    await steps.finish(visit, administered_of(request))
    return saved(request, visit, _MEMBERS, "accounts-finished")


@router.get("/leavers")
async def leavers(request: Request, work: Work) -> Response:
    """A list to be pasted, or a file."""
    await service.list_members(work)
    return render(request, work, "administration/leavers.html", form=Form(), found=None, policy=policy)


@router.post("/leavers")
async def look_up(request: Request, visit: Visiting) -> Response:
    """Who is meant, before anything happens."""
    form, file = await read_form_and_file(request, visit, "file", policy.LEAVERS_BYTES)
    lines = policy.leavers_of(form, file)
    # The second look shows what the file said, to be corrected like a list that was pasted.
    form = replace(form, values={**form.values, "list": "\n".join(lines)}) if file else form
    if not form.ok:
        return await _list_again(request, visit, form)
    found = await steps.look_up(visit, administered_of(request), lines)
    return render(request, visit, "administration/leavers.html", form=form, found=found, policy=policy)


@router.post("/leavers/deactivate")
async def deactivate_leavers(request: Request, visit: Visiting) -> Response:
    """All who were ticked; the page is the report."""
    form = await read_form(request, visit)
    chosen = [
        name.removeprefix("leaver-") for name, value in form.values.items() if name.startswith("leaver-") and value
    ]
    if form.values.get("sure") != "yes" or not chosen:
        form.refuse("sure", CONFIRM)
        return await _list_again(request, visit, form)
    outcomes = await steps.deactivate_all(visit, administered_of(request), chosen)
    async with visit.begin() as work:
        names = {each.subject: each.name for each in await service.list_members(work)}
    return render(request, visit, "administration/left.html", outcomes=outcomes, names=names, now=visit.runtime.clock())


async def _list_again(request: Request, visit: Visit, form: Form) -> Response:
    """The form with what is wrong in it, for those alone who may see it."""
    async with visit.begin() as work:
        await service.list_members(work)
    return render(request, visit, "administration/leavers.html", status=422, form=form, found=None, policy=policy)


async def _again(request: Request, visit: Visit, subject: str, form: Form) -> Response:
    async with visit.begin() as work:
        found = await service.get_member(work, subject)
        wards = _offered(found, await service.list_wards(work))
    shown = _filled(found)
    shown.refusals.update(form.refusals)
    return _member(request, visit, found, (shown, wards), status=422)


def _invitation(
    request: Request,
    where: UnitOfWork | Visit,
    form: Form,
    beside: tuple[Mapping[str, str], Usage],
    *,
    status: int = 200,
) -> Response:
    return render(
        request, where, "administration/invite.html", status=status,
        form=form, wards=beside[0], usage=beside[1], policy=policy, possible=administered_of(request).possible,
    )  # fmt: skip


def _member(
    request: Request,
    where: UnitOfWork | Visit,
    found: Membership,
    filled: tuple[Form, Mapping[str, str]],
    *,
    status: int = 200,
) -> Response:
    form, wards = filled
    return render(
        request, where, "administration/member.html", status=status,
        member=found, current=service.is_current(found, where.runtime.clock()), form=form, wards=wards, policy=policy,
        oneself=found.subject == where.principal.subject, possible=administered_of(request).possible,
    )  # fmt: skip


def _offered(found: Membership, wards: Mapping[str, str]) -> Mapping[str, str]:
    """The wards to choose from: the hospital's, and what the member has although it is not among them."""
    return {**wards, **{each: each for each in sorted(found.wards) if each not in wards}}


def _filled(found: Membership) -> Form:
    values = {
        "name": found.name,
        "role": found.role,
        "clearances": " ".join(sorted(found.clearances)),
        "practitioner": found.practitioner or "",
    }
    values |= {f"duty-{each}": "yes" for each in found.duties} | {f"ward-{each}": "yes" for each in found.wards}
    return Form(values)
