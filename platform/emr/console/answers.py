"""The console's edge: from a request to a unit of the department's work, and from that to a page."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from fastapi import Depends, Request, Response
from fastapi.responses import RedirectResponse

from emr.access.permissions import GRANTS, demand
from emr.administration.golive.evidence import FORM_BYTES, LARGEST
from emr.identity.errors import NotAnOperator
from emr.identity.principal import Principal
from emr.kernel import json
from emr.kernel.errors import Forbidden, Issue, Malformed, NotFound, TooLarge
from emr.telemetry.activity import request_id
from emr.web.answers import CSRF_FIELD, ROLE_NAMES, answer_page, identity_of, read_form_and_file
from emr.web.forms import Form
from emr.web.notices import NOTICE_COOKIE, NOTICES
from emr.web.preferences import language_of, theme_of
from emr.web.rendering import Scene
from emr.web.sign_in import operator_of, runtime_of
from emr.web.work import refuse_tenant_headers
from emr.work.department import DepartmentWork, department_work
from emr.work.runtime import Runtime
from emr.work.unit import Request as Asked
from emr.work.unit import refused

HOME: Final = "/ops"
ZONE: Final = ZoneInfo("Asia/Ho_Chi_Minh")
"""Whose time the department's pages tell."""
_LARGEST: Final = 16_384


@dataclass(frozen=True, slots=True)
class Operator:
    """Who has come in, before any unit of work."""

    principal: Principal


@dataclass(frozen=True, slots=True)
class Sent:
    """A form with the bytes of its file."""

    form: Form
    content: bytes


async def _department(request: Request) -> AsyncIterator[DepartmentWork]:
    runtime, asked = runtime_of(request), Asked(request_id())
    async with _noted(runtime, asked) as told:
        operator = await _come_in(request, told)
    async with department_work(runtime, operator.principal, asked) as work:
        yield work


async def _sent(request: Request) -> Sent:
    """Take the body in before any transaction begins: a slow sender must not hold a connection of the directory."""
    async with _noted(runtime_of(request), Asked(request_id())) as told:
        operator = await _come_in(request, told)
        demand(operator.principal, "fleet:golive")
        return Sent(*await read_form_and_file(request, operator, "file", LARGEST + FORM_BYTES))


async def _sent_by_token(request: Request) -> Sent:
    """The same for the API: nothing is read for a session, nor taken where a field is unknown or missing."""
    async with _noted(runtime_of(request), Asked(request_id())) as told:
        operator = await _come_in(request, told)
        demand(operator.principal, "fleet:golive")
        _demand_bearer(operator.principal)
        sent = Sent(*await read_form_and_file(request, operator, "file", LARGEST + FORM_BYTES))
        _demand_keys({**sent.form.values, **({"file": ""} if sent.content else {})}, ("title", "file"))
        return sent


async def _come_in(request: Request, told: list[Principal]) -> Operator:
    refuse_tenant_headers(request)
    principal = await operator_of(request)
    told.append(principal)
    return Operator(principal)


@asynccontextmanager
async def _noted(runtime: Runtime, asked: Asked) -> AsyncIterator[list[Principal]]:
    """Leave a row of the directory's trail for a refusal before the unit of work; who it was is told as it is known."""
    told: list[Principal] = []
    try:
        yield told
    except (Malformed, Forbidden, TooLarge) as refusal:
        who = refusal.who if isinstance(refusal, NotAnOperator) else next(iter(told), None)
        await runtime.audit.record_directory([refused(work_of=(None, who, asked), refusal=refusal, at=runtime.clock())])
        raise


Office = Annotated[DepartmentWork, Depends(_department, scope="function")]
"""A unit of the department's work that commits after the endpoint and before the answer leaves."""


FormWithFile = Annotated[Sent, Depends(_sent, scope="function")]
"""A form that brings a file, from somebody who may; it stands before the `Office` of its endpoint."""


FileByToken = Annotated[Sent, Depends(_sent_by_token, scope="function")]
"""`title` and `file` of multipart/form-data, both there, by bearer token; it stands before the `Office` too."""


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
    _demand_keys(found, required, optional)
    return found


async def read_object(request: Request, work: DepartmentWork, largest: int) -> dict[str, Any]:
    """A JSON object of at most so many bytes; {} for no body. Raises `Forbidden` for a session, `TooLarge`,
    `Malformed`.
    """
    _demand_bearer(work.principal)
    read = b""
    async for piece in request.stream():
        read += piece
        if len(read) > largest:
            raise TooLarge("body-too-large", f"At most {largest} bytes are taken here.")
    return json.loads(read or b"{}")


def _demand_bearer(principal: Principal) -> None:
    if principal.session_id is not None:
        raise Forbidden("bearer-needed", "Send a bearer token; a browser's session changes things on the pages.")


def _demand_keys(found: Mapping[str, Any], required: Sequence[str], optional: Sequence[str] = ()) -> None:
    unknown = sorted(found.keys() - {*required, *optional})
    issues = [Issue("key-unknown", f"There is no {key[:64]} here.", key[:64]) for key in unknown]
    issues += [Issue("key-missing", f"{key} is required.", key) for key in required if key not in found]
    issues += [Issue("key-no-text", f"{key} is a text.", key) for key in found if not isinstance(found[key], str)]
    if issues:
        raise Malformed(issues[0].code, issues[0].message, issues=tuple(issues))


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
