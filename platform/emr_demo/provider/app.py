"""The provider's HTTP: discovery, keys, the page to choose an account, tokens, userinfo, the end of a session."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from authlib.oauth2.rfc6749 import OAuth2Error
from authlib.oauth2.rfc9207 import IssuerParameter
from jinja2 import Environment, PackageLoader
from joserfc import jwt
from joserfc.errors import JoseError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, QueryParams
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request as HttpRequest
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from emr_demo.provider.config import AUDIENCE, ProviderConfig
from emr_demo.provider.grants import Payload, Reply, Request, Server
from emr_demo.provider.people import Account
from emr_demo.provider.state import State
from emr_demo.provider.tokens import names, organizations

_POLICY = "default-src 'none'; style-src 'self' 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"


class Provider:
    """The demo's OpenID provider: `app` is the ASGI application, `state` what it knows."""

    def __init__(self, config: ProviderConfig) -> None:
        self.state = State(config)
        self._server = Server(self.state)
        self._issuer = _Issuer(config.issuer)
        self._issuer(self._server)
        self._pages = Environment(loader=PackageLoader("emr_demo.provider"), autoescape=True)
        self.app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/keys", self._keys),
                Route("/authorize", self._choose, methods=["GET"]),
                Route("/authorize", self._authorize, methods=["POST"]),
                Route("/token", self._token, methods=["POST"]),
                Route("/userinfo", self._userinfo),
                Route("/logout", self._logout, methods=["GET", "POST"]),
            ],
            middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
        )

    async def _discovery(self, request: HttpRequest) -> Response:
        del request
        issuer = self.state.config.issuer
        return JSONResponse(
            {
                "issuer": issuer,
                "authorization_endpoint": f"{issuer}/authorize",
                "token_endpoint": f"{issuer}/token",
                "userinfo_endpoint": f"{issuer}/userinfo",
                "jwks_uri": f"{issuer}/keys",
                "end_session_endpoint": f"{issuer}/logout",
                "response_types_supported": ["code"],
                "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
                "code_challenge_methods_supported": ["S256"],
                "scopes_supported": ["openid", "profile", "email", "organization"],
                "authorization_response_iss_parameter_supported": True,
                "backchannel_logout_supported": True,
                "backchannel_logout_session_supported": True,
            }
        )

    async def _keys(self, request: HttpRequest) -> Response:
        del request
        return JSONResponse({"keys": [self.state.signer.key.as_dict(private=False)]})

    async def _choose(self, request: HttpRequest) -> Response:
        asked = _asked(request, request.query_params)
        try:
            grant = self._server.get_consent_grant(asked)
        except OAuth2Error as refusal:
            return self._refused(self._not_granted(asked, refusal))
        groups = [
            (place.name, [account for account in self.state.accounts if _shown(account, place)])
            for place in self.state.config.hospitals
        ]
        city = [account for account in self.state.accounts if account.hospital is None]
        page = self._pages.get_template("choose.html").render(
            groups=[*groups, ("Sở Y tế", city)], hidden=sorted(asked.parameters.items())
        )
        # The form's answer is a redirect to the platform, which a policy without its address would stop.
        target = urlsplit(grant.redirect_uri)
        policy = f"{_POLICY}; form-action 'self' {target.scheme}://{target.netloc}"
        return HTMLResponse(page, headers={"Content-Security-Policy": policy, "Cache-Control": "no-store"})

    async def _authorize(self, request: HttpRequest) -> Response:
        async with request.form() as form:
            asked = _asked(request, form)
        account = self.state.account(asked.parameters.get("account", ""))
        try:
            grant = self._server.get_consent_grant(asked, end_user=account)
        except OAuth2Error as refusal:
            return self._refused(self._not_granted(asked, refusal))
        if account is not None and account.machine:
            account = None
        reply = self._server.create_authorization_response(asked, grant_user=account, grant=grant)
        return self._refused(reply) if reply.status >= 400 else _answer(reply)

    async def _token(self, request: HttpRequest) -> Response:
        async with request.form() as form:
            asked = _asked(request, form)
        return _answer(self._server.create_token_response(asked))

    async def _userinfo(self, request: HttpRequest) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        account: Account | None = None
        scope = ""
        if scheme.lower() == "bearer":
            try:
                claims = jwt.decode(token, self.state.signer.key, ["RS256"]).claims
                jwt.JWTClaimsRegistry(aud={"essential": True, "value": AUDIENCE}).validate(claims)
            except (JoseError, ValueError):
                claims = {}
            account = self.state.account(str(claims.get("sub", "")))
            scope = str(claims.get("scope", ""))
        if account is None:
            return JSONResponse({"error": "invalid_token"}, 401, {"WWW-Authenticate": 'Bearer error="invalid_token"'})
        return JSONResponse({"sub": account.subject, **names(account), **organizations(account, scope)})

    async def _logout(self, request: HttpRequest) -> Response:
        if request.method == "POST":
            async with request.form() as form:
                asked = _asked(request, form)
        else:
            asked = _asked(request, request.query_params)
        # In a thread, because the client's back channel is called before the browser is sent on.
        reply = await run_in_threadpool(self._server.create_endpoint_response, "end_session", asked)
        if reply is None:
            return HTMLResponse(self._pages.get_template("signed_out.html").render())
        return self._refused(reply) if reply.status >= 400 else _answer(reply)

    def _not_granted(self, asked: Request, refusal: OAuth2Error) -> Reply:
        """An error found before authlib's own answer to the authorization endpoint, with `iss` like all of them."""
        reply: Reply = self._server.handle_error_response(asked, refusal)
        self._issuer.add_issuer_parameter(self._server, reply)
        return reply

    def _refused(self, reply: Reply) -> Response:
        """An error that goes back to a checked client as a redirect, or else stays here as a page."""
        if reply.location is not None:
            return _answer(reply)
        body = reply.body if isinstance(reply.body, dict) else {"error": "invalid_request"}
        page = self._pages.get_template("refused.html").render(
            error=body.get("error"), description=body.get("error_description")
        )
        return HTMLResponse(page, status_code=400, headers={"Content-Security-Policy": _POLICY})


class _Issuer(IssuerParameter):
    """Adds `iss` to every answer of the authorization endpoint (RFC 9207)."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer

    def get_issuer(self) -> str:
        return self._issuer


def _asked(request: HttpRequest, parameters: FormData | QueryParams) -> Request:
    pairs = [(name, value) for name, value in parameters.multi_items() if isinstance(value, str)]
    return Request(request.method, str(request.url), request.headers, Payload(pairs))


def _answer(reply: Reply) -> Response:
    body: Any = reply.body
    if isinstance(body, dict):
        body = json.dumps(body)
    headers = {**reply.headers, "Cache-Control": "no-store"}
    return Response(body or "", status_code=reply.status, headers=headers)


def _shown(account: Account, place: object) -> bool:
    return account.hospital == place and not account.machine
