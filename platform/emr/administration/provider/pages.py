"""The page of a hospital's own identity provider at `/h/{slug}/admin/provider`."""

from fastapi import APIRouter, Request, Response

from emr.administration import policy
from emr.administration.answers import CONFIRM, administered_of, explain
from emr.administration.provider import service
from emr.kernel.errors import Conflict, Invalid
from emr.web.answers import read_form, render, saved
from emr.web.forms import Form
from emr.web.work import Visiting
from emr.work.visit import Visit

router = APIRouter(prefix="/h/{slug}/admin/provider", include_in_schema=False)


@router.get("")
async def provider(request: Request, visit: Visiting) -> Response:
    """Which one is in use, and the form for another."""
    return await _page(request, visit, Form())


@router.post("")
async def use(request: Request, visit: Visiting) -> Response:
    """Look at it, then use it."""
    form = await read_form(request, visit)
    wanted = policy.provider_of(form)
    if form.ok:
        try:
            await service.set_provider(visit, administered_of(request), wanted)
            return saved(request, visit, "/admin/provider", "provider-saved")
        except (Conflict, Invalid) as refusal:
            explain(form, refusal, "issuer")
    return await _page(request, visit, form, status=422)


@router.post("/remove")
async def remove(request: Request, visit: Visiting) -> Response:
    """Take it away."""
    form = await read_form(request, visit)
    if form.values.get("sure") == "yes":
        await service.remove_provider(visit, administered_of(request))
        return saved(request, visit, "/admin/provider", "provider-removed")
    form.refuse("sure", CONFIRM)
    return await _page(request, visit, form, status=422)


async def _page(request: Request, visit: Visit, form: Form, *, status: int = 200) -> Response:
    at = administered_of(request)
    async with visit.begin() as work:
        await service.read_provider(work)
    linked = await service.find_provider(visit, at) if at.possible else None
    return render(
        request, visit, "administration/provider.html", status=status, form=form, linked=linked, possible=at.possible,
    )  # fmt: skip
