"""Announcements at `/ops/announcements`: written, shown from a moment until another, ended at once."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from fastapi import APIRouter, Request, Response

from emr.console.announcements import service
from emr.console.announcements.service import Wanted
from emr.console.answers import ZONE, Office, done, parameters, show
from emr.kernel.errors import Invalid
from emr.web.answers import read_form
from emr.web.forms import Form
from emr.web.i18n import mark
from emr.work.department import DepartmentWork

router = APIRouter(prefix="/ops/announcements", include_in_schema=False)
KINDS: Final = {"notice": mark("Thông báo"), "maintenance": mark("Bảo trì")}
_AS_TYPED: Final = "%d/%m/%Y %H:%M"
_REFUSED: Final[Mapping[str, str]] = {
    "hospital-unknown": mark("Có mã bệnh viện không đúng"),
    "text-length": mark("Ghi lời thông báo, nhiều nhất 500 ký tự"),
    "span": mark("Phải kết thúc sau lúc bắt đầu, chưa qua, và trong vòng 31 ngày"),
    "kind-unknown": mark("Hãy chọn một mục trong danh sách"),
}


@router.get("")
async def announcements(request: Request, work: Office) -> Response:
    """Those that stand, the form for another one, and the past."""
    parameters(request, ())
    now = work.clock().astimezone(ZONE)
    begun = {"since": now.strftime(_AS_TYPED), "until": (now + timedelta(hours=2)).strftime(_AS_TYPED)}
    return await _page(request, work, Form(values={"kind": "notice", **begun}))


@router.post("")
async def announce(request: Request, work: Office) -> Response:
    """Say it from the stated moment on."""
    form = await read_form(request, work)
    wanted = _wanted(form)
    if form.ok:
        try:
            await service.announce(work, wanted)
        except Invalid as refusal:
            for issue in refusal.issues:
                form.refuse(issue.location or "", _REFUSED[issue.code])
        else:
            return done(request, "/announcements", "announced")
    return await _page(request, work, form, status=422)


@router.post("/{announcement}/end")
async def end(request: Request, work: Office, announcement: str) -> Response:
    """Take it back at once."""
    await read_form(request, work)
    await service.end_announcement(work, announcement)
    return done(request, "/announcements", "announcement-ended")


async def _page(request: Request, work: DepartmentWork, form: Form, *, status: int = 200) -> Response:
    found, now = await service.announcements(work), work.clock()
    standing = [each for each in found if each.ended_at is None and each.until > now]
    return show(
        request, work, "console/announcements.html", status=status, form=form, kinds=KINDS, now=now, zone=ZONE,
        standing=standing, past=[each for each in found if each not in standing],
        names={each.id: each.name for each in work.runtime.registry.all()},
        slugs=[each.slug for each in work.runtime.registry.all()],
    )  # fmt: skip


def _wanted(form: Form) -> Wanted:
    return Wanted(
        kind=form.choice("kind", KINDS, required=mark("Hãy chọn một mục trong danh sách")),
        vi=form.text("vi", required=mark("Ghi lời thông báo bằng tiếng Việt"), limit=service.LONGEST_TEXT),
        en=form.text("en", required=mark("Ghi lời thông báo bằng tiếng Anh"), limit=service.LONGEST_TEXT),
        since=_moment(form, "since"),
        until=_moment(form, "until"),
        hospitals=form.text("hospitals", limit=20_000).replace(",", " ").split(),
    )


def _moment(form: Form, name: str) -> datetime:
    """A moment in the department's zone; unlike `Form.moment` it may be to come."""
    typed = form.text(name, required=mark("Viết ngày/tháng/năm giờ:phút, ví dụ 22/11/2026 09:30"))
    try:
        return datetime.strptime(typed, _AS_TYPED).replace(tzinfo=ZONE)
    except ValueError:
        form.refuse(name, mark("Viết ngày/tháng/năm giờ:phút, ví dụ 22/11/2026 09:30"))
        return datetime.now(ZONE)
