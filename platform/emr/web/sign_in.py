"""Signing in and out, as HTTP: sends browsers to the OpenID provider and back, keeps the session's cookie.

`request.app.state` holds what this needs: `identity` (emr.identity.service.Identity) and `runtime`
(emr.work.runtime.Runtime).
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Final, Literal, cast
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from emr.audit.rows import AuditRow
from emr.identity.errors import ForeignForm, SessionLocked, SignInRefused
from emr.identity.flow import PENDING_SECONDS, Begun
from emr.identity.principal import Principal
from emr.identity.requests import Browser, Credentials
from emr.identity.service import Identity
from emr.kernel.errors import Refusal
from emr.kernel.tenant import Tenant
from emr.telemetry.activity import request_id
from emr.web.devices import device_of
from emr.work.runtime import Runtime
from emr.work.unit import Request as Asked
from emr.work.unit import refused

CALLBACK: Final = "/auth/callback"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

router = APIRouter(prefix="/auth", include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Choice:
    """A hospital on the page to choose one: `role` is one's own there, "" for none; `open`: may be entered."""

    slug: str
    name: str
    role: str
    open: bool
    state: str


@dataclass(frozen=True, slots=True)
class Choices:
    """What the page `/` shows: the hospitals (one's own first), and who is signed in ("" for nobody).

    office: the person may open the department's console.
    """

    person: str
    hospitals: Sequence[Choice]
    office: bool = False


def identity_of(request: Request) -> Identity:
    """The application's identity room."""
    return cast("Identity", request.app.state.identity)


def runtime_of(request: Request) -> Runtime:
    """The application's runtime."""
    return cast("Runtime", request.app.state.runtime)


Asker = Annotated[Identity, Depends(identity_of)]
Parts = Annotated[Runtime, Depends(runtime_of)]


def credentials(request: Request) -> Credentials:
    """What a request carries to say who is asking."""
    return Credentials(
        cookie=request.cookies.get(identity_of(request).session_cookie),
        authorization=request.headers.get("authorization"),
    )


async def principal_of(request: Request, tenant: Tenant) -> Principal:
    """Who is asking in this hospital; see `Identity.resolve` for what it raises.

    A change that a cookie vouches for is refused (ForeignForm) when the browser says that another site sent it.
    """
    brought = credentials(request)
    if brought.authorization is None and request.method not in _SAFE:
        refuse_other_sites(request)
    try:
        found = await identity_of(request).resolve(brought, tenant)
    except SessionLocked as refusal:
        if refusal.fresh:
            await _record(request, tenant, refusal.principal, "session.locked")
        raise
    if found.first:
        await _record(request, tenant, found.principal, "session.entered")
    return found.principal


async def operator_of(request: Request) -> Principal:
    """Who is asking at the department's console; see `Identity.resolve_operator` for what it raises."""
    brought = credentials(request)
    if brought.authorization is None and request.method not in _SAFE:
        refuse_other_sites(request)
    return await identity_of(request).resolve_operator(brought)


async def choices(request: Request) -> Choices:
    """The hospitals to choose from. Everyone may see their names: they hang over their doors."""
    identity, runtime = identity_of(request), runtime_of(request)
    person = await identity.signed_in(request.cookies.get(identity.session_cookie))
    roles = person.roles if person else {}
    listed = [
        Choice(each.slug, each.name, roles.get(each.id, ""), each.open, each.state) for each in runtime.registry.all()
    ]
    ordered = sorted(listed, key=lambda choice: not choice.role)
    return Choices(person.name if person else "", ordered, office=person is not None and person.operator)


@router.get("/sign-in")
async def sign_in(request: Request, identity: Asker, to: str = "/") -> Response:
    """Send the browser to the provider; `to` is the path of ours that it comes back to."""
    return _sent(identity, await identity.begin_sign_in(to, cookie=request.cookies.get(identity.session_cookie)))


@router.get("/step-up")
async def step_up(
    request: Request, identity: Asker, to: str = "/", ask: Literal["second-factor", "again"] = "second-factor"
) -> Response:
    """Send who is signed in to the provider once more: to prove a second factor, or to show anew who they are."""
    cookie = request.cookies.get(identity.session_cookie)
    return _sent(identity, await identity.begin_sign_in(to, ask, cookie=cookie))


def _sent(identity: Identity, begun: Begun) -> Response:
    answer = _redirect(begun.url)
    answer.set_cookie(
        identity.pending_cookie(begun.state),
        begun.sealed,
        max_age=PENDING_SECONDS,
        path=CALLBACK,
        secure=identity.secure,
        httponly=True,
        samesite="lax",
    )
    return answer


@router.get("/callback")
async def callback(request: Request, identity: Asker, runtime: Parts) -> Response:
    """Take the provider's answer and begin a session."""
    given = dict(request.query_params)
    pending = identity.pending_cookie(given.get("state", ""))
    browser = Browser(request.cookies.get(identity.session_cookie), device_of(request.headers.get("user-agent", "")))
    async with _refusals_noted(runtime):
        if len(request.query_params.multi_items()) != len(given):
            raise SignInRefused("a parameter was given twice")
        started = await identity.finish_sign_in(given, request.cookies.get(pending), browser=browser)
    await runtime.audit.record_directory(
        [_fact(runtime, "session.started", (started.person.subject, started.person.name, started.session_id))]
    )
    answer = _redirect(started.return_to)
    answer.delete_cookie(pending, path=CALLBACK, secure=identity.secure, httponly=True, samesite="lax")
    answer.set_cookie(
        identity.session_cookie, started.cookie, path="/", secure=identity.secure, httponly=True, samesite="lax"
    )
    return answer


@router.post("/sign-out")
async def sign_out(request: Request, identity: Asker, runtime: Parts, to: Annotated[str, Form()] = "") -> Response:
    """End the session here and at the provider, which sends the browser back to `/`, or with `to` to signing in."""
    async with _refusals_noted(runtime):
        refuse_other_sites(request)
        left = await identity.sign_out(request.cookies.get(identity.session_cookie), then=to)
    if left.ended is not None:
        ended = left.ended
        await runtime.audit.record_directory(
            [_fact(runtime, "session.ended", (ended.subject, ended.name, ended.session_id))]
        )
    answer = _redirect(left.url)
    answer.delete_cookie(identity.session_cookie, path="/", secure=identity.secure, httponly=True, samesite="lax")
    return answer


@router.post("/backchannel-logout")
async def backchannel_logout(identity: Asker, runtime: Parts, logout_token: Annotated[str, Form()]) -> Response:
    """The provider says that someone has signed out (OpenID Connect Back-Channel Logout 1.0, 2.8)."""
    async with _refusals_noted(runtime):
        ended = await identity.back_channel_logout(logout_token)
    await runtime.audit.record_directory(
        [_fact(runtime, "session.ended-by-provider", (each.subject, each.name, each.session_id)) for each in ended]
    )
    return Response(status_code=200, headers={"Cache-Control": "no-store"})


def _redirect(url: str) -> RedirectResponse:
    return RedirectResponse(
        url, status_code=303, headers={"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    )


@asynccontextmanager
async def _refusals_noted(runtime: Runtime) -> AsyncIterator[None]:
    """A refusal inside leaves its row in the directory: no hospital is known here."""
    try:
        yield
    except Refusal as refusal:
        asked = Asked(request_id())
        row = refused(work_of=(None, None, asked), refusal=refusal, at=runtime.clock())
        await runtime.audit.record_directory([row])
        raise


def refuse_other_sites(request: Request) -> None:
    """Raise ForeignForm for what another site's page caused.

    A form of ours says so in `Sec-Fetch-Site`, or in older browsers in `Origin`; programs send neither.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    own = urlsplit(runtime_of(request).settings.http.base_url)
    if site not in (None, "same-origin") or (site is None and origin not in (None, f"{own.scheme}://{own.netloc}")):
        raise ForeignForm


async def _record(request: Request, tenant: Tenant, principal: Principal, action: str) -> None:
    """What became of a session within a hospital stands in that hospital's trail."""
    runtime = runtime_of(request)
    row = AuditRow(
        tenant=tenant.schema,
        at=runtime.clock(),
        action=action,
        outcome="success",
        principal=principal,
        request_id=request_id(),
        detail=principal.marks(),
    )
    await runtime.audit.record(tenant.cell, [row])


def _fact(runtime: Runtime, action: str, who: tuple[str, str, str]) -> AuditRow:
    subject, name, session_id = who
    principal = Principal(subject=subject, name=name, role="", kind="person", tenant_id=None, session_id=session_id)
    return AuditRow(
        tenant=None, at=runtime.clock(), action=action, outcome="success", principal=principal, request_id=request_id()
    )
