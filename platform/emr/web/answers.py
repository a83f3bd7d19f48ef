"""The answers of pages: a rendered template, a redirect after something was stored, a form that was read."""

import gzip
from datetime import datetime
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from emr.access.permissions import CHANGES_THE_RECORD, DUTIES, GRANTS, IN_THE_PAST
from emr.access.pilot import CHART, DOCUMENTS, IMAGING, held_back, withheld_verbs
from emr.identity.principal import Principal
from emr.identity.service import Identity
from emr.kernel.errors import TooLarge
from emr.kernel.ids import uuid7
from emr.kernel.tenant import Tenant
from emr.web.forms import Form
from emr.web.i18n import mark
from emr.web.notices import NOTICE_COOKIE, NOTICES
from emr.web.paths import home_of, today_of
from emr.web.preferences import language_of, theme_of
from emr.web.rendering import Pages, Scene
from emr.web.sign_in import runtime_of
from emr.work.unit import UnitOfWork
from emr.work.visit import Visit

CSRF_FIELD: Final = "_csrf"
_SMALL: Final = 700
_MOST_FIELDS: Final = 200
ROLE_NAMES: Final = {
    "reception": mark("Tiếp đón"),
    "nurse": mark("Điều dưỡng"),
    "doctor": mark("Bác sĩ"),
    "lab": mark("Xét nghiệm"),
    "imaging": mark("Chẩn đoán hình ảnh"),
    "pharmacist": mark("Dược sĩ"),
    "cashier": mark("Thu ngân"),
    "archivist": mark("Lưu trữ hồ sơ"),
    "admin": mark("Quản trị bệnh viện"),
    "ops": mark("Vận hành, Sở Y tế"),
    "auditor": mark("Kiểm tra, Sở Y tế"),
    "support": mark("Vào tạm thời, không xem người bệnh"),
    "support-chart": mark("Vào tạm thời, xem người bệnh"),
}

FEATURE_NAMES: Final = {
    CHART: mark("ghi bệnh án"),
    DOCUMENTS: mark("tải tài liệu lên"),
    IMAGING: mark("gửi hình ảnh"),
}
"""What a pilot may have in some departments alone."""


def render(
    request: Request, work: UnitOfWork | Visit, template: str, *, status: int = 200, **context: object
) -> Response:
    """A page of a hospital for the principal of the unit of work."""
    scene = scene_of(request, work.tenant, work.principal)
    return answer_page(request, scene, template, status, context)


def render_in(
    request: Request, tenant: Tenant, principal: Principal, template: str, *, status: int = 200, **context: object
) -> Response:
    """A page of a hospital that is shown without a unit of work: the lock."""
    return answer_page(request, scene_of(request, tenant, principal), template, status, context)


def render_public(request: Request, template: str, *, status: int = 200, **context: object) -> Response:
    """A page that belongs to no hospital: choosing one, signing in, errors before a hospital is known."""
    scene = Scene(language=language_of(request), theme=theme_of(request), path=request.url.path)
    return answer_page(request, scene, template, status, context)


def saved(request: Request, work: UnitOfWork | Visit, path: str, notice: str) -> Response:
    """Go on to `path` below the hospital after something was stored, and say so once there."""
    target = f"{home_of(work.tenant)}{path}"
    answer: Response
    if "hx-request" in request.headers:
        answer = Response(status_code=204, headers={"HX-Redirect": target})
    else:
        answer = RedirectResponse(target, status_code=303)
    say_once(answer, request, work, notice)
    return answer


def say_once(answer: Response, request: Request, work: UnitOfWork | Visit, notice: str) -> None:
    """Let the next page of the hospital say a notice; an answer that is given again says it again."""
    answer.set_cookie(
        NOTICE_COOKIE,
        notice,
        max_age=60,
        path=home_of(work.tenant),
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )


class Asks(Protocol):
    """Work in which somebody asks."""

    @property
    def principal(self) -> Principal:
        """Who."""
        ...


async def read_form(request: Request, work: Asks) -> Form:
    """The submitted fields. Raises `ForeignForm` without the token that was served to this session here."""
    fields = await request.form(max_files=0, max_fields=_MOST_FIELDS)
    values = {name: value for name, value in fields.items() if isinstance(value, str)}
    identity_of(request).check_form(work.principal, values.pop(CSRF_FIELD, None))
    return Form.of(values)


async def read_form_and_file(request: Request, work: Asks, name: str, limit: int) -> tuple[Form, bytes]:
    """The submitted fields, and the bytes of the one small file that may come under `name`; none where none does.

    Raises `TooLarge`, before anything is read, for a form of more than `limit` bytes, and `ForeignForm`.
    """
    stated = request.headers.get("content-length", "")
    if not (stated.isascii() and stated.isdigit() and int(stated) <= limit):
        raise TooLarge("form-too-large", f"A form with its file has at most {limit} bytes, and says how many.")
    async with request.form(max_files=1, max_fields=_MOST_FIELDS) as fields:
        values = {each: value for each, value in fields.items() if isinstance(value, str)}
        identity_of(request).check_form(work.principal, values.pop(CSRF_FIELD, None))
        file = fields.get(name)
        return Form.of(values), b"" if file is None or isinstance(file, str) else await file.read()


def new_key() -> str:
    """An Idempotency-Key for a form that is about to be shown."""
    return uuid7()


def identity_of(request: Request) -> Identity:
    """The identity service that the application was built with."""
    identity: Identity = request.app.state.identity
    return identity


def scene_of(request: Request, tenant: Tenant, principal: Principal) -> Scene:
    """Who looks, where, and how they like it."""
    prefix = home_of(tenant)
    token = identity_of(request).form_token(principal)
    return Scene(
        language=language_of(request),
        theme=theme_of(request),
        hospital=tenant.name,
        prefix=prefix,
        person=principal.name,
        role=ROLE_NAMES.get(principal.role, principal.role),
        permissions=_offered(tenant, principal),
        hidden=lambda: {CSRF_FIELD: token},
        notice=NOTICES.get(request.cookies.get(NOTICE_COOKIE, ""), ""),
        path=request.url.path.removeprefix(today_of(tenant)),
        lock_minutes=tenant.lock_minutes if principal.session_id else 0,
        elsewhere=principal.elsewhere,
        let_in_until=principal.until and principal.until.astimezone(ZoneInfo(tenant.time_zone)),
        sandbox=tenant.sandbox,
        state="moving" if tenant.moving else tenant.state,
        state_reason=tenant.state_reason,
        held_back=_held_back(tenant, principal) if tenant.pilot and tenant.writable else (),
        past=_past(tenant),
        today=today_of(tenant),
        zone=ZoneInfo(tenant.time_zone),
        announcements=runtime_of(request).announcements.of(tenant.id, runtime_of(request).clock()),
    )


def _past(tenant: Tenant) -> tuple[datetime, datetime] | None:
    if tenant.past is None:
        return None
    zone = ZoneInfo(tenant.time_zone)
    return tenant.past.moment.astimezone(zone), tenant.past.closes_at.astimezone(zone)


def _held_back(tenant: Tenant, principal: Principal) -> tuple[str, ...]:
    found = held_back(tenant, principal.role, principal.wards) if principal.kind == "person" else frozenset()
    return tuple(name for feature, name in FEATURE_NAMES.items() if feature in found)


def _offered(tenant: Tenant, principal: Principal) -> frozenset[str]:
    """What a page offers: verbs of role and duties; less while a hospital is read-only, and no emergency access where
    nothing is hidden.
    """
    verbs = GRANTS[principal.role].verbs.union(*(DUTIES[duty] for duty in principal.duties))
    if tenant.past is not None:
        return verbs & IN_THE_PAST
    if not (tenant.access.kept or tenant.access.windows):
        verbs -= {"care:break-glass"}
    return verbs - withheld_verbs(tenant, principal) if tenant.writable else verbs - CHANGES_THE_RECORD


def answer_page(request: Request, scene: Scene, template: str, status: int, context: dict[str, object]) -> Response:
    """A page for whoever the scene says, with the headers of every page."""
    pages: Pages = request.app.state.pages
    body = pages.page(template, scene, **context).encode()
    headers = dict(pages.headers)
    # Pages are gzipped here and not by a middleware: FHIR answers are many and small, and gain nothing.
    if len(body) > _SMALL and "gzip" in request.headers.get("accept-encoding", ""):
        body = gzip.compress(body, 5, mtime=0)
        headers["Content-Encoding"] = "gzip"
    answer = HTMLResponse(body, status_code=status, headers=headers)
    if scene.notice:
        answer.delete_cookie(NOTICE_COOKIE, path=scene.prefix or "/")
    return answer
