"""The pages of the exit package at `/h/{slug}/admin/package`."""

from collections.abc import Mapping
from typing import Final

from fastapi import APIRouter, Request, Response

from emr.administration.answers import CONFIRM, explain, zone_of
from emr.kernel.errors import Conflict, NotFound, TooManyRequests
from emr.records.bulk import exits
from emr.web.answers import read_form, render, saved
from emr.web.forms import Form
from emr.web.i18n import mark
from emr.web.ranges import answer_ranges
from emr.web.work import Work
from emr.work.unit import UnitOfWork

router = APIRouter(prefix="/h/{slug}/admin/package", include_in_schema=False)
_HERE: Final = "/admin/package"
STEPS: Final[Mapping[str, str]] = {
    "moment": mark("Chốt thời điểm"),
    "record": mark("Viết hồ sơ và mọi phiên bản"),
    "trail": mark("Viết nhật ký truy cập"),
    "derived": mark("Làm bảng tính và trang xem"),
    "packing": mark("Đóng gói, niêm phong"),
}
"""The steps of writing one, in their order."""


@router.get("")
async def package(request: Request, work: Work) -> Response:
    """What a package is, and how far the newest one has come."""
    latest = await exits.latest_package(work)
    return render(
        request, work, "administration/package.html", latest=latest, steps=STEPS, zone=zone_of(work),
        hours=work.runtime.settings.bulk.keep_hours, gib=1 << 30, mib=1 << 20,
    )  # fmt: skip


@router.get("/new")
async def new_package(request: Request, work: Work) -> Response:
    """The question whether this is meant."""
    return await _question(request, work, Form())


@router.post("/new")
async def ask(request: Request, work: Work) -> Response:
    """Ask for it: the box ticked, and the hospital named once more."""
    form = await read_form(request, work)
    if form.values.get("sure") != "yes":
        form.refuse("sure", CONFIRM)
    if form.text("name", required=mark("Gõ lại tên bệnh viện"), limit=200) not in ("", work.tenant.name):
        form.refuse("name", mark("Tên không đúng; hãy gõ đúng như trên đầu trang"))
    if not form.ok:
        return await _question(request, work, form, status=422)
    try:
        await exits.request_package(work, request.url.path)
    except (Conflict, TooManyRequests) as refusal:
        explain(form, refusal, "sure")
        return await _question(request, work, form, status=409)
    return saved(request, work, _HERE, "package-asked")


@router.post("/{job}/remove")
async def remove(request: Request, work: Work, job: str) -> Response:
    """Stop it, or take it away."""
    await read_form(request, work)
    await exits.remove_package(work, job)
    return saved(request, work, _HERE, "package-removed")


@router.get("/{job}/{name}")
async def download(request: Request, work: Work, job: str, name: str) -> Response:
    """The package itself; who has not just signed in is asked to."""
    found = await exits.fetch_package(work, job)
    if name != found.name:
        raise NotFound("package-unknown", "There is no such package here, or it has expired.")
    headers = {"Content-Type": "application/zip", "ETag": f'"{found.digest[:32]}"',
               "Content-Disposition": f'attachment; filename="{found.name}"'}  # fmt: skip
    return answer_ranges(request, found.open, found.size, headers)


async def _question(request: Request, work: UnitOfWork, form: Form, *, status: int = 200) -> Response:
    latest = await exits.latest_package(work)
    return render(request, work, "administration/package_new.html", status=status, form=form, latest=latest)
