"""One's own pages in a hospital: the sessions, the PIN, and the lock.

The routes of the lock take no unit of work: a locked session gets none. They look at the session's row themselves, ask
for the form's token as all forms do, and leave their rows in the hospital's trail.
"""

from dataclasses import replace
from typing import Any, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from emr.audit.rows import AuditRow, Outcome
from emr.identity.errors import NotAMember, NotSignedIn, PinRefused, RecentSignInNeeded
from emr.identity.flow import safe_path
from emr.identity.locks import LockState
from emr.identity.principal import Principal, kind_of
from emr.identity.requests import Credentials
from emr.kernel.errors import Invalid, Refusal
from emr.kernel.tenant import Tenant
from emr.telemetry.activity import request_id
from emr.web import own_sessions
from emr.web.answers import CSRF_FIELD, identity_of, read_form, render, render_in, saved
from emr.web.forms import Form
from emr.web.i18n import mark
from emr.web.paths import home_of
from emr.web.sign_in import credentials, refuse_other_sites, runtime_of
from emr.web.work import Work, hospital_of, principal_in
from emr.work.unit import Request as Asked
from emr.work.unit import UnitOfWork, refused

router = APIRouter(prefix="/h/{slug}/me", include_in_schema=False)
_MOST_FIELDS: Final = 10
_PIN_TEXTS: Final = {
    "pin-too-simple": ("pin", mark("Mã PIN gồm 6 chữ số, không phải 6 số giống nhau hay liền nhau như 123456")),
    "pin-differs": ("again", mark("Hai lần nhập mã PIN không giống nhau")),
    "pin-wrong": ("current", mark("Mã PIN hiện tại không đúng, còn {left} lần thử")),
    "recent-sign-in-needed": (
        "current",
        mark("Hãy nhập mã PIN hiện tại, hoặc xác thực lại rồi đặt mã trong vòng 5 phút"),
    ),
}
"""What the form says to a PIN that is not taken: the field, and the words."""


@router.get("/sessions")
async def sessions(request: Request, work: Work) -> Response:
    """One's own sessions, and the PIN."""
    return await _page(request, work, Form())


@router.post("/sessions/others/end")
async def end_others(request: Request, work: Work) -> Response:
    """End all sessions but this one."""
    await read_form(request, work)
    await own_sessions.end_others(work, identity_of(request))
    return saved(request, work, "/me/sessions", "session-ended")


@router.post("/sessions/{session}/end")
async def end_one(request: Request, work: Work, session: str) -> Response:
    """End one session."""
    await read_form(request, work)
    await own_sessions.end_own(work, identity_of(request), session)
    return saved(request, work, "/me/sessions", "session-ended")


@router.post("/pin")
async def set_pin(request: Request, work: Work) -> Response:
    """Set the PIN, or change it."""
    form = await read_form(request, work)
    pin, again, current = (form.text(name, limit=12) for name in ("pin", "again", "current"))
    try:
        own_sessions.demand_same(pin, again)
        await own_sessions.set_pin(work, identity_of(request), pin, current)
    except (Invalid, RecentSignInNeeded) as refusal:
        await _note_refusal(work, refusal)
        field, text = _PIN_TEXTS[refusal.code]
        form.refuse(field, text, left=refusal.left if isinstance(refusal, PinRefused) else 0)
        return await _page(request, work, replace(form, values={}), status=422)
    return saved(request, work, "/me/sessions", "pin-set")


@router.post("/active")
async def active(work: Work) -> Response:
    """Somebody is reading or writing on a page that asks for nothing: the session is in use."""
    del work
    return Response(status_code=204, headers={"Cache-Control": "no-store"})


@router.post("/lock")
async def lock(request: Request) -> Response:
    """Lock the session now, and show nothing but the lock."""
    tenant, state = await _state(request)
    await _checked_form(request, tenant, state)
    if await identity_of(request).locks.lock(state.session_id):
        await _record(request, tenant, state, "session.locked")
    return _onward(tenant, f"/me/locked?to={_back(request, tenant)}")


@router.get("/locked")
async def locked(request: Request, to: str = "") -> Response:
    """The lock: whose session this is, and how it is opened."""
    tenant, state = await _state(request)
    if not state.locked:
        return _onward(tenant, _inside(tenant, to))
    return _lock_page(request, tenant, state, Form(values={"to": _inside(tenant, to)}))


@router.post("/unlock")
async def unlock(request: Request) -> Response:
    """Open the session with the PIN."""
    tenant, state = await _state(request)
    form = await _checked_form(request, tenant, state)
    to = _inside(tenant, form.text("to", limit=1024))
    try:
        await identity_of(request).locks.open(state, form.text("pin", limit=12))
    except PinRefused as refusal:
        await _record(request, tenant, state, "session.unlock-refused", refusal)
        form.refuse("pin", mark("Mã PIN không đúng, còn {left} lần thử"), left=refusal.left)
        return _lock_page(request, tenant, state, replace(form, values={"to": to}), status=422)
    except NotSignedIn as refusal:
        await _record(request, tenant, state, "session.ended-by-tries", refusal)
        raise
    await _record(request, tenant, state, "session.unlocked")
    return _onward(tenant, to)


async def _page(request: Request, work: UnitOfWork, form: Form, *, status: int = 200) -> Response:
    identity = identity_of(request)
    rows = await own_sessions.list_own(work, identity)
    return render(
        request, work, "web/sessions.html", status=status, form=form, rows=rows, zone=ZoneInfo(work.tenant.time_zone),
        has_pin=await identity.pins.known(work.principal.subject), here=work.principal.session_id,
        lock_minutes=work.tenant.lock_minutes, hours=work.tenant.session_hours,
    )  # fmt: skip


async def _note_refusal(work: UnitOfWork, refusal: Refusal) -> None:
    row = refused(work_of=(work.tenant, work.principal, work.request), refusal=refusal, at=work.clock())
    await work.runtime.audit.record(work.tenant.cell, [row])


async def _state(request: Request) -> tuple[Tenant, LockState]:
    tenant = await hospital_of(request)
    brought = credentials(request)
    if brought.authorization is not None:
        # A token has no session to lock; who does not belong here is told what everybody is told.
        await principal_in(request, tenant)
        brought = Credentials()
    try:
        return tenant, await identity_of(request).locks.state(brought.cookie, tenant)
    except (NotAMember, NotSignedIn) as refusal:
        who = refusal.who if isinstance(refusal, NotAMember) else None
        row = refused(work_of=(tenant, who, Asked(request_id())), refusal=refusal, at=runtime_of(request).clock())
        await runtime_of(request).audit.record(tenant.cell, [row])
        raise


async def _checked_form(request: Request, tenant: Tenant, state: LockState) -> Form:
    refuse_other_sites(request)
    fields = await request.form(max_files=0, max_fields=_MOST_FIELDS)
    values: dict[str, Any] = {name: value for name, value in fields.items() if isinstance(value, str)}
    identity_of(request).check_form(_principal(tenant, state), values.pop(CSRF_FIELD, None))
    return Form.of(values)


def _principal(tenant: Tenant, state: LockState) -> Principal:
    return Principal(state.subject, state.name, state.role, kind_of(state.role), tenant.id, session_id=state.session_id)


def _lock_page(request: Request, tenant: Tenant, state: LockState, form: Form, *, status: int = 200) -> Response:
    return render_in(
        request, tenant, _principal(tenant, state), "web/locked.html", status=status, form=form, state=state,
    )  # fmt: skip


def _inside(tenant: Tenant, to: str) -> str:
    """The path below this hospital to go on to; the first page for anything else, and for the lock itself."""
    home = f"{home_of(tenant)}/"
    inside = to.startswith(home) and not to.startswith(f"{home}me/lock") and ".." not in to
    return safe_path(to) if inside else home


def _back(request: Request, tenant: Tenant) -> str:
    path = request.headers.get("referer", "").partition("//")[2].partition("/")[2]
    return _inside(tenant, f"/{path.partition('?')[0]}")


def _onward(tenant: Tenant, path: str) -> Response:
    home = home_of(tenant)
    target = path if path.startswith(home) else f"{home}{path}"
    return RedirectResponse(target, status_code=303, headers={"Cache-Control": "no-store"})


async def _record(
    request: Request, tenant: Tenant, state: LockState, action: str, refusal: Refusal | None = None
) -> None:
    runtime = runtime_of(request)
    outcome: Outcome = "success" if refusal is None else "refused"
    row = AuditRow(
        tenant=tenant.schema,
        at=runtime.clock(),
        action=action,
        outcome=outcome,
        principal=_principal(tenant, state),
        request_id=request_id(),
        detail={} if refusal is None else {"codes": sorted({issue.code for issue in refusal.issues})},
    )
    await runtime.audit.record(tenant.cell, [row])
