"""Signing a person in: authorization code flow with PKCE, state, nonce and the check of `iss` (RFC 6749, 7636, 9207).

What the browser must bring back is kept in a cookie that only this service can open, for ten minutes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal
from urllib.parse import urlencode

from emr.identity.errors import SecondFactorMissing, SignInRefused, UnsafeReturn
from emr.identity.provider import GrantRefused, Metadata, Provider
from emr.identity.sealing import Sealed
from emr.identity.sessions import Person, TokenSet
from emr.identity.tokens import BadToken, IdToken, Tokens
from emr.kernel.clock import Clock

Asked = Literal["sign-in", "second-factor", "again"]
"""What the provider is to ask: who this is; for a second factor too; or everything anew, as strongly as before."""

SCOPE: Final = "openid profile organization:*"
PENDING_SECONDS: Final = 600
_CONTEXT: Final = "sign-in, and what was asked"
_SAFE_PATH: Final = re.compile(r"/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@%][A-Za-z0-9\-._~!$&'()*+,;=:@%/?]*)?")
_LONGEST_PATH: Final = 2200
"""Sealed it must still fit into a cookie; the longest are requests of apps."""
_CLOCKS_DIFFER: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in on its way: where the browser goes, and what it must bring back in a cookie."""

    url: str
    state: str
    sealed: str


@dataclass(frozen=True, slots=True)
class Finished:
    """A sign-in that succeeded, and the path it was made for."""

    person: Person
    tokens: TokenSet
    return_to: str


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of who signs in, by the session that is there.

    `strong`: it has proved a second factor, and the next one is to do so, too; `through`: the hospital's own provider
    that its person came by, "" for none.
    """

    strong: bool = False
    through: str = ""


NOBODY: Final = Known()


@dataclass(frozen=True, slots=True)
class _Pending:
    state: str
    nonce: str
    verifier: str
    return_to: str
    until: float
    asked: Asked


class Flow:
    """Begins and finishes sign-ins at one provider."""

    def __init__(
        self,
        provider: Provider,
        tokens: Tokens,
        sealed: Sealed,
        clock: Clock,
        *,
        redirect_uri: str,
        recheck_seconds: int,
    ) -> None:
        self._provider = provider
        self._tokens = tokens
        self._sealed = sealed
        self._clock = clock
        self._redirect_uri = redirect_uri
        self._recheck = timedelta(seconds=recheck_seconds)

    async def begin(self, client_id: str, return_to: str, asked: Asked, known: Known = NOBODY) -> Begun:
        """Raises UnsafeReturn for an address that is not a path of our own, ProviderUnavailable."""
        pending = _Pending(
            state=secrets.token_urlsafe(24),
            nonce=secrets.token_urlsafe(24),
            verifier=secrets.token_urlsafe(48),
            return_to=safe_path(return_to),
            until=self._clock().timestamp() + PENDING_SECONDS,
            asked=asked,
        )
        metadata = await self._provider.reachable_metadata()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(pending.verifier.encode()).digest()).rstrip(b"=")
        query = urlencode(
            {
                "response_type": "code",
                "client_id": client_id,
                "redirect_uri": self._redirect_uri,
                "scope": SCOPE,
                "state": pending.state,
                "nonce": pending.nonce,
                "code_challenge": challenge.decode(),
                "code_challenge_method": "S256",
                **self._wanted(asked, known),
            }
        )
        return Begun(f"{metadata.authorization_endpoint}?{query}", pending.state, self._close(pending))

    async def finish(self, answer: Mapping[str, str], sealed: str | None) -> Finished:
        """Redeem the provider's answer; raises SignInRefused, ProviderUnavailable."""
        pending = self._open(sealed)
        if pending is None:
            raise SignInRefused("no sign-in is under way in this browser")
        if not hmac.compare_digest(answer.get("state", "").encode(), pending.state.encode()):
            raise SignInRefused("another state")
        self._check_issuer(answer, await self._provider.metadata())
        if "error" in answer or "code" not in answer:
            raise SignInRefused("the provider gave no code")
        try:
            granted = await self._provider.grant(
                {
                    "grant_type": "authorization_code",
                    "code": answer["code"],
                    "redirect_uri": self._redirect_uri,
                    "code_verifier": pending.verifier,
                }
            )
            found = await self._tokens.id_token(_text(granted, "id_token"), nonce=pending.nonce)
            tokens = await self._token_set(granted, found.subject)
        except (GrantRefused, BadToken) as error:
            raise SignInRefused(str(error)) from error
        return Finished(_person(found, pending), tokens, pending.return_to)

    async def refresh(self, refresh_token: str, subject: str) -> TokenSet:
        """New tokens for a running session; raises GrantRefused when it is over at the provider or has no token."""
        if not refresh_token:
            raise GrantRefused("the provider gave no refresh token")
        granted = await self._provider.grant({"grant_type": "refresh_token", "refresh_token": refresh_token})
        try:
            if "id_token" in granted:
                await self._tokens.refreshed_id_token(_text(granted, "id_token"), subject=subject)
            return await self._token_set(granted, subject)
        except BadToken as error:
            raise GrantRefused(str(error)) from error

    def _wanted(self, asked: Asked, known: Known) -> dict[str, str]:
        """`prompt` and `acr_values` (OpenID Connect Core 1.0, 3.1.2.1), and Keycloak's own `kc_idp_hint`.

        A PC on a ward is everybody's: who was signed in at the provider an hour ago is no reason to let anybody in now.
        Only who is signed in here already, and adds a second factor, need not say again who they are. Keycloak asks
        whom it knows for a password of its own; people of a hospital's own provider have none and are sent there.
        """
        wanted = {} if asked == "second-factor" else {"prompt": "login"}
        if asked == "second-factor" or known.strong:
            wanted["acr_values"] = self._tokens.strength.acr[0]
        if known.through:
            wanted["kc_idp_hint"] = known.through
        return wanted

    async def _token_set(self, granted: Mapping[str, Any], subject: str) -> TokenSet:
        access = await self._tokens.bearer(_text(granted, "access_token"))
        if access.subject != subject:
            raise BadToken("another subject")
        refresh_token = granted.get("refresh_token")
        now = self._clock()
        # Asked again well before the token ends: a person who was shut out at the provider is out here in a minute.
        ends = datetime.fromtimestamp(access.expires_at, now.tzinfo)
        return TokenSet(
            refresh_token=refresh_token if isinstance(refresh_token, str) else None,
            id_token=_text(granted, "id_token") if "id_token" in granted else None,
            organization_ids=access.organization_ids,
            expires_at=min(max(ends, now + timedelta(seconds=15)), now + self._recheck),
            through=access.through,
        )

    def _check_issuer(self, answer: Mapping[str, str], metadata: Metadata) -> None:
        named = answer.get("iss")
        if named is None and metadata.answers_with_issuer:
            raise SignInRefused("the answer names no issuer")
        if named is not None and named != self._provider.issuer:
            raise SignInRefused("the answer names another issuer")

    def _close(self, pending: _Pending) -> str:
        text = json.dumps(astuple(pending))
        return base64.urlsafe_b64encode(self._sealed.seal(text, context=_CONTEXT)).decode()

    def _open(self, sealed: str | None) -> _Pending | None:
        try:
            raw = base64.urlsafe_b64decode(sealed or "")
        except ValueError:
            return None
        text = self._sealed.open(raw, context=_CONTEXT)
        if text is None:
            return None
        pending = _Pending(*json.loads(text))
        return pending if pending.until > self._clock().timestamp() else None


def _person(found: IdToken, pending: _Pending) -> Person:
    """Raises SignInRefused if the provider did not ask anew who this is, SecondFactorMissing."""
    begun = datetime.fromtimestamp(pending.until - PENDING_SECONDS, UTC)
    if found.authenticated_at is None:
        raise SignInRefused("the provider does not say when it asked")
    if pending.asked != "second-factor" and found.authenticated_at < begun - _CLOCKS_DIFFER:
        raise SignInRefused("the provider did not ask anew")
    if pending.asked == "second-factor" and not found.strong:
        raise SecondFactorMissing
    return Person(found.subject, found.name, found.provider_session, found.authenticated_at, found.strong)


def safe_path(address: str) -> str:
    """A path of our own, unchanged; anything that could lead elsewhere raises UnsafeReturn."""
    if len(address) > _LONGEST_PATH or not _SAFE_PATH.fullmatch(address):
        raise UnsafeReturn
    return address


def _text(granted: Mapping[str, Any], name: str) -> str:
    value = granted.get(name)
    if not isinstance(value, str):
        raise BadToken(f"no {name}")
    return value
