"""The console's edge: from a request to a unit of the department's work, and from that to a page."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from fastapi import Depends, Request, Response
from fastapi.responses import RedirectResponse

from emr.access.permissions import GRANTS
from emr.identity.errors import NotAnOperator
from emr.kernel import json
from emr.kernel.errors import Forbidden, Issue, Malformed, NotFound, TooLarge
from emr.telemetry.activity import request_id
from emr.web.answers import CSRF_FIELD, ROLE_NAMES, answer_page, identity_of
from emr.web.notices import NOTICE_COOKIE, NOTICES
from emr.web.preferences import language_of, theme_of
from emr.web.rendering import Scene
from emr.web.sign_in import operator_of, runtime_of
from emr.web.work import refuse_tenant_headers
from emr.work.department import DepartmentWork, department_work
from emr.work.unit import Request as Asked
from emr.work.unit import refused

HOME: Final = "/ops"
ZONE: Final = ZoneInfo("Asia/Ho_Chi_Minh")
"""Whose time the department's pages tell."""
_LARGEST: Final = 16_384


async def _department(request: Request) -> AsyncIterator[DepartmentWork]:
    runtime, asked = runtime_of(request), Asked(request_id())
    try:
        refuse_tenant_headers(request)
        principal = await operator_of(request)
    except (Malformed, Forbidden) as refusal:
        who = refusal.who if isinstance(refusal, NotAnOperator) else None
        row = refused(work_of=(None, who, asked), refusal=refusal, at=runtime.clock())
        await runtime.audit.record_directory([row])
        raise
    async with department_work(runtime, principal, asked) as work:
        yield work


Office = Annotated[DepartmentWork, Depends(_department, scope="function")]
"""A unit of the department's work that commits after the endpoint and before the answer leaves."""


async def in_the_office(request: Request) -> Response:
    """An address of the console that does not exist: an operator is told so, all others what they are told of any."""
    async with asynccontextmanager(_department)(request):
        raise NotFound("no-such-route", "There is nothing at this address.")


def parameters(request: Request, allowed: Iterable[str]) -> Mapping[str, str]:
    """The query. Raises `Malformed`, naming each parameter that is not known here or comes twice."""
    known, found = frozenset(allowed), dict[str, str]()
    issues: list[Issue] = []
    for name, value in request.query_params.multi_items():
        if name not in known:
            told = f"There is no parameter {name[:64]} here; there are {', '.join(sorted(known)) or 'none'}."
            issues.append(Issue("parameter-refused", told, name[:64]))
        elif name in found:
            issues.append(Issue("parameter-refused", f"The parameter {name} comes twice.", name))
        found[name] = value
    if issues:
        raise Malformed("parameter-refused", issues[0].message, issues=tuple(issues))
    return found


async def read_json(
    request: Request, work: DepartmentWork, required: Sequence[str], optional: Sequence[str] = ()
) -> dict[str, str]:
    """The texts of a JSON object. The API changes things for bearer tokens alone, which no page of anybody's sends.

    Raises `Forbidden` for a session, `TooLarge`, and `Malformed`, naming each key that is missing, unknown or no text.
    """
    found = await read_object(request, work, _LARGEST)
    unknown = sorted(found.keys() - {*required, *optional})
    issues = [Issue("key-unknown", f"There is no {key[:64]} here.", key[:64]) for key in unknown]
    issues += [Issue("key-missing", f"{key} is required.", key) for key in required if key not in found]
    issues += [Issue("key-no-text", f"{key} is a text.", key) for key in found if not isinstance(found[key], str)]
    if issues:
        raise Malformed(issues[0].code, issues[0].message, issues=tuple(issues))
    return found


async def read_object(request: Request, work: DepartmentWork, largest: int) -> dict[str, Any]:
    """A JSON object of at most so many bytes; {} for no body. Raises `Forbidden` for a session, `TooLarge`,
    `Malformed`.
    """
    if work.principal.session_id is not None:
        raise Forbidden("bearer-needed", "Send a bearer token; a browser's session changes things on the pages.")
    read = b""
    async for piece in request.stream():
        read += piece
        if len(read) > largest:
            raise TooLarge("body-too-large", f"At most {largest} bytes are taken here.")
    return json.loads(read or b"{}")


def show(request: Request, work: DepartmentWork, template: str, *, status: int = 200, **context: object) -> Response:
    """A page of the console for the operator of the unit of work."""
    principal = work.principal
    token = identity_of(request).form_token(principal)
    scene = Scene(
        language=language_of(request),
        theme=theme_of(request),
        prefix=HOME,
        person=principal.name,
        role=ROLE_NAMES[principal.role],
        permissions=GRANTS[principal.role].verbs,
        hidden=lambda: {CSRF_FIELD: token},
        notice=NOTICES.get(request.cookies.get(NOTICE_COOKIE, ""), ""),
        path=request.url.path.removeprefix(HOME),
        office=True,
    )
    return answer_page(request, scene, template, status, context)


def done(request: Request, path: str, notice: str) -> Response:
    """Go on to `path` below the console after something was stored, and say so once there."""
    answer = RedirectResponse(HOME + path, status_code=303)
    answer.set_cookie(
        NOTICE_COOKIE, notice, max_age=60, path=HOME, secure=request.url.scheme == "https", httponly=True,
        samesite="strict",
    )  # fmt: skip
    return answer
