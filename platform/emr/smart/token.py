"""The token endpoint, introspection and revocation (RFC 6749, 7662, 7009; SMART App Launch 2.2, app-launch.html,
backend-services.html).

An app is told in OAuth's words what is wrong; the hospital's trail has a row of every token, and of every refusal.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response

from emr.audit.rows import AuditRow
from emr.identity.app_grants import ACCESS, Issued
from emr.identity.apps import App
from emr.identity.errors import ClientRefused, GrantInvalid
from emr.identity.principal import Principal, kind_of
from emr.kernel import json
from emr.kernel.errors import Malformed, Refusal
from emr.kernel.tenant import Tenant
from emr.smart.addresses import INTROSPECT, REVOKE, TOKEN, endpoint, fhir_base
from emr.smart.clients import Clients
from emr.smart.negotiating import asked_scopes, granted_scopes
from emr.telemetry.activity import request_id
from emr.telemetry.logs import get_logger
from emr.web.sign_in import identity_of, runtime_of
from emr.web.work import asked, hospital_of
from emr.work.unit import refused

router = APIRouter(prefix="/h/{slug}/smart", include_in_schema=False)

_MOST_BYTES: Final = 64 * 1024
_HEADERS: Final = {"Cache-Control": "no-store", "Pragma": "no-cache", "X-Content-Type-Options": "nosniff"}
_FORM: Final = "application/x-www-form-urlencoded"
_VERIFIER: Final = range(43, 129)
_OAUTH: Final = frozenset(
    {"invalid-client", "invalid-grant", "invalid-scope", "invalid-request", "unsupported-grant-type",
     "unauthorized-client"}
)  # fmt: skip

Answer = Callable[[Request, Tenant, App, Mapping[str, str]], Awaitable[dict[str, Any]]]


@router.post(f"/{TOKEN}")
async def token(request: Request) -> Response:
    """Tokens for a code, a refresh token or a service's assertion."""
    return await _answered(request, _token)


@router.post(f"/{INTROSPECT}")
async def introspect(request: Request) -> Response:
    """What an access token of the app itself stands for; of every other token only that it does not count."""
    return await _answered(request, _introspect)


@router.post(f"/{REVOKE}")
async def revoke(request: Request) -> Response:
    """End a token of the app itself; a refresh token with everything that came of it."""
    return await _answered(request, _revoke)


async def _answered(request: Request, answer: Answer) -> Response:
    """Read the form, learn which app asks, answer; a refusal in OAuth's words, with a row in the trail."""
    tenant = await hospital_of(request)
    runtime = runtime_of(request)
    clients: Clients = request.app.state.clients
    try:
        form = await _form(request)
        audience = endpoint(runtime.settings.http.base_url, tenant, TOKEN)
        app = await clients.asking(tenant, form, request.headers.get("authorization"), audience)
        content = await answer(request, tenant, app, form)
    except Refusal as refusal:
        if refusal.code not in _OAUTH:
            raise
        if isinstance(refusal, ClientRefused):
            get_logger().info("app refused", reason=refusal.reason)
        row = refused(work_of=(tenant, None, asked(request, tenant)), refusal=refusal, at=runtime.clock())
        await runtime.audit.record(tenant.cell, [row])
        return _refusal(refusal)
    return Response(json.dumps(content), 200, _HEADERS, "application/json")


async def _token(request: Request, tenant: Tenant, app: App, form: Mapping[str, str]) -> dict[str, Any]:
    kind = form.get("grant_type", "")
    if kind not in ("authorization_code", "refresh_token", "client_credentials"):
        raise Malformed("unsupported-grant-type", "There is no such grant here.", location="grant_type")
    if (kind == "client_credentials") != (app.kind == "service"):
        raise Malformed("unauthorized-client", "This app may not use this grant.", location="grant_type")
    grants = identity_of(request).app_access.grants
    if kind == "authorization_code":
        verifier = form.get("code_verifier", "")
        if len(verifier) not in _VERIFIER:
            raise GrantInvalid("The code_verifier does not fit.")
        issued = await grants.redeem(
            app, form.get("code", ""), redirect_uri=form.get("redirect_uri", ""), verifier=verifier
        )
    elif kind == "refresh_token":
        issued = await grants.refresh(app, form.get("refresh_token", ""), asked_scopes(form.get("scope", "")))
    else:
        scopes = granted_scopes(app, asked_scopes(form.get("scope", "")))
        issued = await grants.serve(app, scopes)
    await _note(request, tenant, app, issued, kind)
    return _said(issued)


def _said(issued: Issued) -> dict[str, Any]:
    """The answer with a token; `need_patient_banner`: nothing of ours is around the app (scopes-and-launch-context)."""
    said: dict[str, Any] = {
        "access_token": issued.access_token,
        "token_type": "Bearer",
        "expires_in": issued.seconds,
        "scope": " ".join(sorted(issued.scopes)),
    }
    if issued.patient is not None:
        said |= {"patient": issued.patient, "need_patient_banner": True}
    if issued.refresh_token is not None:
        said["refresh_token"] = issued.refresh_token
    return said


async def _introspect(request: Request, tenant: Tenant, app: App, form: Mapping[str, str]) -> dict[str, Any]:
    if app.kind == "public":
        raise ClientRefused("introspection wants an app that proves who it is")
    given = form.get("token", "")
    row = await identity_of(request).app_access.grants.resolve(given) if given.startswith(ACCESS) else None
    if row is None or row["app"] != app.id or row["role"] is None:
        return {"active": False}
    said = {
        "active": True,
        "scope": " ".join(row["scopes"]),
        "client_id": app.id,
        "token_type": "Bearer",
        "exp": int(row["expires_at"].timestamp()),
        "sub": row["subject"],
        "aud": fhir_base(runtime_of(request).settings.http.base_url, tenant),
    }
    return said if row["patient"] is None else said | {"patient": row["patient"]}


async def _revoke(request: Request, tenant: Tenant, app: App, form: Mapping[str, str]) -> dict[str, Any]:
    del tenant
    await identity_of(request).app_access.grants.revoke(app, form.get("token", ""))
    return {}


async def _note(request: Request, tenant: Tenant, app: App, issued: Issued, kind: str) -> None:
    runtime = runtime_of(request)
    principal = Principal(issued.subject, issued.name, issued.role, kind_of(issued.role), tenant.id, app=app.id)
    row = AuditRow(
        tenant=tenant.schema,
        at=runtime.clock(),
        action="app.token-issued",
        outcome="success",
        principal=principal,
        request_id=request_id(),
        patients=() if issued.patient is None else (issued.patient,),
        detail={"app": app.id, "grant": kind, "scopes": sorted(issued.scopes)},
    )
    await runtime.audit.record(tenant.cell, [row])


async def _form(request: Request) -> dict[str, str]:
    """The parameters, each once (RFC 6749, 3.2)."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise Malformed("invalid-request", f"The request is {_FORM}.")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise Malformed("invalid-request", "The request is too long.")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=50)
    except ValueError as error:
        raise Malformed("invalid-request", "The request cannot be read.") from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise Malformed("invalid-request", "A parameter was given twice.")
    return form


def _refusal(refusal: Refusal) -> Response:
    status = 401 if isinstance(refusal, ClientRefused) else 400
    headers = _HEADERS | ({"WWW-Authenticate": "Basic"} if status == 401 else {})
    said = {"error": refusal.code.replace("-", "_"), "error_description": refusal.message}
    return Response(json.dumps(said), status, headers, "application/json")
