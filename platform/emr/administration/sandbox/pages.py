"""The page of a hospital for training at `/h/{slug}/admin/sandbox`."""

from typing import Final

from fastapi import APIRouter, Request, Response

from emr.administration.answers import CONFIRM, explain, zone_of
from emr.administration.sandbox import service
from emr.kernel.errors import Conflict
from emr.web.answers import read_form, render, saved
from emr.web.forms import Form
from emr.web.work import Work
from emr.work.unit import UnitOfWork

router = APIRouter(prefix="/h/{slug}/admin/sandbox", include_in_schema=False)
_HERE: Final = "/admin/sandbox"


@router.get("")
async def sandbox(request: Request, work: Work) -> Response:
    """What a hospital for training is, and the button."""
    return await _page(request, work, Form())


@router.post("")
async def reset(request: Request, work: Work) -> Response:
    """Ask for its beginning."""
    form = await read_form(request, work)
    if form.values.get("sure") != "yes":
        form.refuse("sure", CONFIRM)
        return await _page(request, work, form, status=422)
    try:
        await service.ask_reset(work)
    except Conflict as refusal:
        explain(form, refusal, "sure")
        return await _page(request, work, form, status=409)
    return saved(request, work, _HERE, "sandbox-asked")


async def _page(request: Request, work: UnitOfWork, form: Form, *, status: int = 200) -> Response:
    latest = await service.latest_reset(work)
    return render(
        request, work, "administration/sandbox.html", status=status, form=form, latest=latest, zone=zone_of(work)
    )
