"""The page of support grants at `/h/{slug}/admin/support`."""

import re
from collections.abc import Mapping
from typing import Final, cast

from fastapi import APIRouter, Request, Response

from emr.administration.answers import administered_of, explain, zone_of
from emr.administration.policy import EMAIL, EMAIL_WRONG, SUBJECT, name_of
from emr.administration.support import service
from emr.administration.support.service import Wanted
from emr.identity.support_grants import Scope
from emr.kernel.errors import Conflict, Invalid
from emr.web.answers import read_form, render, saved
from emr.web.forms import Form
from emr.web.i18n import mark
from emr.web.support import OFFICES, SCOPES
from emr.web.work import Visiting, Work
from emr.work.unit import UnitOfWork

router = APIRouter(prefix="/h/{slug}/admin/support", include_in_schema=False)
_HERE: Final = "/admin/support"
HOURS: Final[Mapping[str, str]] = {
    "1": mark("1 giờ"),
    "4": mark("4 giờ"),
    "8": mark("8 giờ"),
    "24": mark("24 giờ"),
    "48": mark("48 giờ"),
    "72": mark("72 giờ"),
}


@router.get("")
async def grants(request: Request, work: Work) -> Response:
    """What runs, what was, and the form for another one."""
    return await _page(request, work, Form(values={"scope": "house", "hours": "4"}))


@router.post("")
async def grant(request: Request, visit: Visiting) -> Response:
    """Let somebody look in."""
    form = await read_form(request, visit)
    at = administered_of(request)
    wanted = _wanted(form, by_email=at.possible)
    if form.ok:
        try:
            await service.let_in(visit, at, wanted)
        except (Conflict, Invalid) as refusal:
            explain(form, refusal, "person" if refusal.code == "member-already" else "")
        else:
            return saved(request, visit, _HERE, "support-granted")
    async with visit.begin() as work:
        return await _page(request, work, form, status=422)


@router.post("/{grant}/end")
async def end(request: Request, work: Work, grant: str) -> Response:
    """End one at once."""
    await read_form(request, work)
    await service.end_support(work, grant)
    return saved(request, work, _HERE, "support-ended")


async def _page(request: Request, work: UnitOfWork, form: Form, *, status: int = 200) -> Response:
    found = await service.list_grants(work)
    return render(
        request, work, "administration/support.html", status=status, form=form, grants=found,
        now=work.clock(), zone=zone_of(work), possible=administered_of(request).possible,
        offices=OFFICES, scopes=SCOPES, hours=HOURS,
    )  # fmt: skip


def _wanted(form: Form, *, by_email: bool) -> Wanted:
    """What the fields ask for; refusals by field."""
    pattern: re.Pattern[str] = EMAIL if by_email else SUBJECT
    person = form.text("person", required=mark("Ghi người được vào"), limit=255)
    if person and not pattern.fullmatch(person):
        form.refuse(
            "person", EMAIL_WRONG if by_email else mark("Mã tài khoản gồm chữ không dấu, số và các dấu : @ . _ -")
        )
    purpose = form.text("purpose", required=mark("Ghi mục đích bằng lời"), limit=service.PURPOSE_MOST)
    scope = form.choice("scope", SCOPES, required=mark("Chọn phạm vi được xem"))
    number = form.text("number", limit=64) if scope == "patient" else ""
    if scope == "patient" and not number:
        form.refuse("number", mark("Ghi mã người bệnh"))
    hours = form.choice("hours", HOURS, required=mark("Chọn thời hạn"))
    return Wanted(
        person=person.lower() if by_email else person,
        name=name_of(form),
        office=form.choice("office", OFFICES, required=mark("Chọn nơi người này làm việc")),
        purpose=purpose,
        scope=cast("Scope", scope),
        hours=int(hours or 1),
        number=number,
    )
