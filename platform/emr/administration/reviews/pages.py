"""The pages of access reviews at `/h/{slug}/admin/reviews`."""

from typing import Final

from fastapi import APIRouter, Request, Response

from emr.administration import policy, steps
from emr.administration.answers import CONFIRM, administered_of, explain, zone_of
from emr.administration.machines import service as machines
from emr.administration.reviews import service
from emr.identity.principal import MACHINE_ROLES
from emr.kernel.errors import Conflict
from emr.web.answers import read_form, render, saved
from emr.web.forms import Form
from emr.web.work import Visiting, Work
from emr.work.visit import Visit

router = APIRouter(prefix="/h/{slug}/admin/reviews", include_in_schema=False)
_HERE: Final = "/admin/reviews"


@router.get("")
async def reviews(request: Request, work: Work) -> Response:
    """What was reviewed, and what is due."""
    found = await service.list_reviews(work)
    return render(request, work, "administration/reviews.html", reviews=found, form=Form(), zone=zone_of(work))


@router.post("")
async def open_review(request: Request, work: Work) -> Response:
    """Begin one."""
    form = await read_form(request, work)
    try:
        review_id = await service.open_review(work)
    except Conflict as refusal:
        explain(form, refusal, "open")
        found = await service.list_reviews(work)
        return render(
            request, work, "administration/reviews.html", status=422, reviews=found, form=form, zone=zone_of(work)
        )
    return saved(request, work, f"{_HERE}/{review_id}", "review-opened")


@router.get("/{review}")
async def review(request: Request, work: Work, review: str) -> Response:
    """One of them; printed, it is the record."""
    found, lines = await service.get_review(work, review)
    return render(
        request, work, "administration/review.html",
        review=found, lines=lines, form=Form(), names=policy, oneself=work.principal.subject, zone=zone_of(work),
    )  # fmt: skip


@router.post("/{review}")
async def decide(request: Request, visit: Visiting, review: str) -> Response:
    """Keep the decisions that were made on the page. Who is removed has no access before that is written down."""
    form = await read_form(request, visit)
    chosen = {name.removeprefix("d-"): value for name, value in form.values.items() if name.startswith("d-") and value}
    removed = [subject for subject, value in chosen.items() if value == "removed"]
    if removed and form.values.get("sure") != "yes":
        form.refuse("sure", CONFIRM)
    if not set(chosen.values()) <= {"kept", "removed"}:
        form.refuse("sure", policy.CHOOSE_OF_LIST)
    if form.ok:
        try:
            await _decide(request, visit, review, chosen)
            return saved(request, visit, f"{_HERE}/{review}", "review-saved")
        except Conflict as refusal:
            explain(form, refusal, "sure")
    return await _again(request, visit, review, form)


@router.post("/{review}/close")
async def close(request: Request, visit: Visiting, review: str) -> Response:
    """End it, when everybody is decided."""
    form = await read_form(request, visit)
    try:
        async with visit.begin() as work:
            await service.close_review(work, review)
    except Conflict as refusal:
        explain(form, refusal, "sure")
        return await _again(request, visit, review, form)
    return saved(request, visit, f"{_HERE}/{review}", "review-closed")


async def _decide(request: Request, visit: Visit, review: str, chosen: dict[str, str]) -> None:
    async with visit.begin() as work:
        found, lines = await service.get_review(work, review)
    if found.closed_at is not None:
        return
    roles = {line.subject: line.role for line in lines if line.decision is None}
    at = administered_of(request)
    for subject, value in chosen.items():
        if subject not in roles:
            continue
        if value == "removed":
            if roles[subject] in MACHINE_ROLES:
                await machines.remove(visit, at, subject)
            else:
                await steps.deactivate(visit, at, subject)
        async with visit.begin() as work:
            await service.decide(work, review, subject, "removed" if value == "removed" else "kept")


async def _again(request: Request, visit: Visit, review: str, form: Form) -> Response:
    async with visit.begin() as work:
        found, lines = await service.get_review(work, review)
    return render(
        request, visit, "administration/review.html", status=422,
        review=found, lines=lines, form=form, names=policy, oneself=visit.principal.subject, zone=zone_of(visit),
    )  # fmt: skip
