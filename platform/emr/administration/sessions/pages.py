"""The page of running sessions at `/h/{slug}/admin/sessions`."""

from fastapi import APIRouter, Request, Response

from emr.administration.answers import zone_of
from emr.administration.sessions import service
from emr.web.answers import read_form, render, saved
from emr.web.work import Work

router = APIRouter(prefix="/h/{slug}/admin/sessions", include_in_schema=False)


@router.get("")
async def sessions(request: Request, work: Work) -> Response:
    """Who works here now, and on what."""
    found = await service.list_sessions(work)
    return render(
        request, work, "administration/sessions.html",
        sessions=found, own=work.principal.session_id, zone=zone_of(work),
    )  # fmt: skip


@router.post("/{session}/end")
async def end(request: Request, work: Work, session: str) -> Response:
    """End one."""
    await read_form(request, work)
    await service.end_session(work, session)
    return saved(request, work, "/admin/sessions", "session-ended")
