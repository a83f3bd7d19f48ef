"""The ways to get a token, on authlib's grants: code with PKCE, refresh with rotation, client credentials."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, cast
from uuid import uuid4

from authlib.oauth2.rfc6749 import (
    AuthorizationServer,
    InvalidGrantError,
    InvalidRequestError,
    OAuth2Payload,
    OAuth2Request,
)
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, ClientCredentialsGrant, RefreshTokenGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import OpenIDCode, UserInfo
from authlib.oidc.rpinitiated import EndSessionEndpoint, EndSessionRequest
from joserfc.jwk import KeySet, RSAKey

from emr_demo.provider.clients import Client
from emr_demo.provider.people import Account
from emr_demo.provider.sign_ins import Code, SignIn
from emr_demo.provider.state import State
from emr_demo.provider.tokens import Grantee, names, organizations

_MACHINE_SECONDS = 3600


class Payload(OAuth2Payload):
    """The parameters of a request, each with every value that it was given."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs

    @property
    def data(self) -> dict[str, str]:
        return dict(self._pairs)

    @property
    def datalist(self) -> defaultdict[str, list[str]]:
        lists: defaultdict[str, list[str]] = defaultdict(list)
        for name, value in self._pairs:
            lists[name].append(value)
        return lists


class Request(OAuth2Request):
    """A request as authlib sees it: parameters from the query or the form, never both."""

    def __init__(self, method: str, uri: str, headers: Mapping[str, str], payload: Payload) -> None:
        super().__init__(method, uri, headers=headers)
        self.parameters = payload.data
        self.payload: Any = payload

    @property
    def args(self) -> dict[str, str]:
        return self.parameters

    @property
    def form(self) -> dict[str, str]:
        return self.parameters


class Reply:
    """An answer of authlib before it becomes Starlette's; `location` is what the issuer extension looks at."""

    def __init__(self, status: int, body: Any, headers: list[tuple[str, str]]) -> None:
        self.status = status
        self.body = body
        self.headers = dict(headers)

    @property
    def location(self) -> str | None:
        return self.headers.get("Location")

    @location.setter
    def location(self, value: str) -> None:
        self.headers["Location"] = value


class Server(AuthorizationServer):
    """authlib's authorization server over the demo's state."""

    def __init__(self, state: State) -> None:
        super().__init__()
        self.state = state
        self.register_grant(_CodeGrant, [_Pkce(required=True), _IdToken(state)])
        self.register_grant(_RefreshGrant, [_IdToken(state)])
        self.register_grant(_MachineGrant)
        self.register_endpoint(_EndSession)
        self.register_token_generator("default", self._token)

    def query_client(self, client_id: str) -> Client | None:
        return self.state.client(client_id)

    def save_token(self, token: dict[str, Any], request: OAuth2Request) -> None:
        """Access tokens are not kept; a refresh token was kept when it was made."""

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""

    def create_oauth2_request(self, request: Request) -> Request:
        return request

    def handle_response(self, status: int, body: Any, headers: list[tuple[str, str]]) -> Reply:
        return Reply(status, body, headers)

    def _token(self, **wanted: Any) -> dict[str, Any]:
        grantee = cast("Grantee", wanted["user"])
        client = cast("Client", wanted["client"])
        lifetime = self.state.config.access_seconds if grantee.sid else _MACHINE_SECONDS
        scope = client.get_allowed_scope(wanted["scope"])
        token = {
            "token_type": "Bearer",
            "access_token": self.state.signer.access_token(
                grantee, client_id=client.client_id, scope=scope, lifetime=lifetime
            ),
            "expires_in": lifetime,
            "scope": scope,
        }
        if wanted["include_refresh_token"] and grantee.sid is not None:
            token["refresh_token"] = self.state.sign_ins.new_refresh_token(grantee.sid)
        return token


class _Pkce(CodeChallenge):
    """PKCE with S256 and nothing else, for confidential clients too."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]  # noqa: RUF012 authlib's shape

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        asked = grant.request.payload.data
        if not asked.get("code_challenge") or asked.get("code_challenge_method") != "S256":
            raise InvalidRequestError("PKCE with code_challenge_method=S256 is required")
        super().validate_code_challenge(grant, redirect_uri)


class _CodeGrant(AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "client_secret_post"]  # noqa: RUF012 authlib's shape

    def save_authorization_code(self, code: str, request: Request) -> None:
        asked = request.parameters
        account = cast("Account", request.user)
        self.server.state.sign_ins.keep_code(
            Code(
                value=code,
                client_id=asked["client_id"],
                redirect_uri=asked["redirect_uri"],
                scope=request.scope,
                nonce=asked.get("nonce"),
                code_challenge=asked["code_challenge"],
                code_challenge_method=asked["code_challenge_method"],
                sid=str(uuid4()),
                subject=account.subject,
                made=time.time(),
                acr=_proved(account, asked),
            )
        )

    def query_authorization_code(self, code: str, client: Client) -> Code | None:
        return cast("State", self.server.state).sign_ins.take_code(code, client.client_id)

    def delete_authorization_code(self, authorization_code: Code) -> None:
        """Already spent when it was looked up."""

    def authenticate_user(self, authorization_code: Code) -> Grantee | None:
        state = cast("State", self.server.state)
        account = state.account(authorization_code.subject)
        if account is None:
            return None
        state.sign_ins.start(
            SignIn(
                sid=authorization_code.sid,
                subject=account.subject,
                client_id=authorization_code.client_id,
                scope=authorization_code.scope,
                started=authorization_code.get_auth_time(),
                acr=authorization_code.acr,
            )
        )
        return Grantee(account, authorization_code.sid, authorization_code.acr, authorization_code.get_auth_time())


def _proved(account: Account, asked: Mapping[str, str]) -> str:
    """The demo asks for no password either: whoever is to prove a second factor has proved it by one click."""
    return max([account.acr, *(each for each in asked.get("acr_values", "").split() if each in ("1", "2"))])


class _Credential:
    """A refresh token that counts, in authlib's form."""

    def __init__(self, sign_in: SignIn) -> None:
        self.sign_in = sign_in

    def check_client(self, client: Client) -> bool:
        return client.client_id == self.sign_in.client_id

    def get_scope(self) -> str:
        return self.sign_in.scope


class _RefreshGrant(RefreshTokenGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "client_secret_post"]  # noqa: RUF012 authlib's shape
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> _Credential | None:
        found = cast("State", self.server.state).sign_ins.by_refresh_token(refresh_token)
        return None if found is None else _Credential(found)

    def authenticate_user(self, refresh_token: _Credential) -> Grantee:
        sign_in = refresh_token.sign_in
        account = cast("State", self.server.state).account(sign_in.subject)
        if account is None:
            raise InvalidGrantError("User disabled")
        return Grantee(account, sign_in.sid, sign_in.acr, sign_in.started)

    def revoke_old_credential(self, refresh_token: _Credential) -> None:
        """Void since the next one was made."""


class _MachineGrant(ClientCredentialsGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "client_secret_post"]  # noqa: RUF012 authlib's shape

    def validate_token_request(self) -> None:
        super().validate_token_request()
        account = cast("Client", self.request.client).account
        if account is None:
            raise InvalidRequestError("this client acts for nobody")

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        account = cast("Client", self.request.client).account
        token = self.generate_token(
            user=account and Grantee(account, None, account.acr),
            scope=cast("Request", self.request).parameters.get("scope"),
        )
        return 200, token, self.TOKEN_RESPONSE_HEADER


class _IdToken(OpenIDCode):
    """The ID token beside a code's or a refresh token's access token."""

    def __init__(self, state: State) -> None:
        super().__init__(require_nonce=False)
        self._state = state

    def resolve_client_private_key(self, client: Client) -> RSAKey:
        del client
        return self._state.signer.key

    def get_encode_header(self, client: Client) -> dict[str, str]:
        del client
        return {"alg": "RS256", "kid": str(self._state.signer.key.kid)}

    def get_client_claims(self, client: Client) -> dict[str, Any]:
        now = int(time.time())
        return {
            "iss": self._state.config.issuer,
            "aud": client.client_id,
            "azp": client.client_id,
            "exp": now + self._state.config.access_seconds,
        }

    def exists_nonce(self, nonce: str, request: Request) -> bool:
        """A nonce is the client's business: it compares, we only repeat."""
        del nonce, request
        return False

    def generate_user_info(self, user: Grantee, scope: str) -> UserInfo:
        return UserInfo(
            sub=user.account.subject,
            sid=user.sid,
            typ="ID",
            **names(user.account),
            **organizations(user.account, scope),
        )


class _EndSession(EndSessionEndpoint):
    """RP-initiated logout: the hint names the sign-in, the state ends it and tells the client."""

    def get_server_jwks(self) -> KeySet:
        return KeySet([self.server.state.signer.key])

    def get_algorithms(self) -> list[str]:
        return ["RS256"]

    def end_session(self, end_session_request: EndSessionRequest) -> None:
        claims = end_session_request.id_token_claims or {}
        self.server.state.end(str(claims.get("sid", "")))
