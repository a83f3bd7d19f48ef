"""Reading signed tokens: bearer, ID and logout tokens, each by its own rules.

Signatures are asymmetric only, the issuer is fixed, and the payload's own `typ` keeps one kind of token from being
taken for another (RFC 8725).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError

from emr.identity.provider import Provider
from emr.identity.strength import Strength, authenticated_at
from emr.kernel.clock import Clock
from emr.settings import Identity

_ALGORITHMS: Final = ("RS256", "PS256", "ES256")
_LEEWAY: Final = 10
_LONGEST: Final = 16 * 1024
_CACHE_SIZE: Final = 4096
BROKER: Final = "hospital-"
"""What the name of a hospital's own provider at Keycloak begins with; the alias of its organization follows."""
_LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"


class BadToken(Exception):
    """A token that does not count, with the reason for the log."""


@dataclass(frozen=True, slots=True)
class Bearer:
    """What a verified access token says. `expires_at` is in seconds since 1970.

    `through`: the hospital's own provider that the person came by, as Keycloak names it; "" for none.
    """

    subject: str
    name: str
    organization_ids: frozenset[str]
    scopes: frozenset[str]
    expires_at: float
    authenticated_at: datetime | None
    strong: bool
    through: str = ""


@dataclass(frozen=True, slots=True)
class IdToken:
    """What a verified ID token says; `provider_session` is its `sid`, `authenticated_at` its `auth_time`."""

    subject: str
    name: str
    provider_session: str | None
    authenticated_at: datetime | None
    strong: bool


@dataclass(frozen=True, slots=True)
class LogoutToken:
    """Whose sessions have ended, and when that was said (seconds since 1970)."""

    subject: str | None
    provider_session: str | None
    issued_at: int
    token_id: str
    expires_at: int


class Tokens:
    """Verifies tokens of one provider; bearer tokens that were verified once are remembered until they expire."""

    def __init__(self, provider: Provider, clock: Clock, settings: Identity) -> None:
        self._provider = provider
        self._clock = clock
        self._client_id = settings.client_id
        self._audience = settings.audience
        self.strength = Strength(tuple(settings.strong_acr.split()), frozenset(settings.strong_amr.split()))
        self._verified: OrderedDict[bytes, Bearer] = OrderedDict()
        self._generation = provider.generation

    async def bearer(self, token: str) -> Bearer:
        """A bearer token for this API; raises BadToken or ProviderUnavailable."""
        digest = hashlib.sha256(token.encode()).digest()
        known = self._verified.get(digest)
        if known is not None and self._generation == self._provider.generation:
            if known.expires_at > self._clock().timestamp():
                return known
            del self._verified[digest]
        fresh = self._bearer(await self._claims(token, audience=self._audience, kind="Bearer"))
        self._remember(digest, fresh)
        return fresh

    async def id_token(self, token: str, *, nonce: str) -> IdToken:
        """The ID token of a sign-in that began here with this nonce."""
        claims = await self._claims(token, audience=self._client_id, kind="ID")
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise BadToken("nonce")
        return self._id_token(claims)

    async def refreshed_id_token(self, token: str, *, subject: str) -> IdToken:
        """The ID token beside a refreshed access token: the same person (OpenID Connect Core 1.0, 12.2)."""
        found = self._id_token(await self._claims(token, audience=self._client_id, kind="ID"))
        if found.subject != subject:
            raise BadToken("another subject")
        return found

    async def logout_token(self, token: str) -> LogoutToken:
        """A logout token by OpenID Connect Back-Channel Logout 1.0, 2.6; replays are the caller's to find."""
        if _header(token).get("typ") != "logout+jwt":
            raise BadToken("not a logout token")
        claims = await self._claims(token, audience=self._client_id, kind="Logout")
        events = claims.get("events")
        if not isinstance(events, dict) or not isinstance(events.get(_LOGOUT_EVENT), dict):
            raise BadToken("no logout event")
        if "nonce" in claims:
            raise BadToken("a nonce")
        subject, sid = claims.get("sub"), claims.get("sid")
        if not (isinstance(subject, str) or isinstance(sid, str)) or not isinstance(claims.get("jti"), str):
            raise BadToken("names nobody")
        return LogoutToken(
            subject=subject if isinstance(subject, str) else None,
            provider_session=sid if isinstance(sid, str) else None,
            issued_at=claims["iat"],
            token_id=claims["jti"],
            expires_at=claims["exp"],
        )

    def _id_token(self, claims: dict[str, Any]) -> IdToken:
        if claims.get("azp", self._client_id) != self._client_id:
            raise BadToken("made for another client")
        sid = claims.get("sid")
        return IdToken(
            subject=claims["sub"],
            name=_name(claims),
            provider_session=sid if isinstance(sid, str) else None,
            authenticated_at=authenticated_at(claims),
            strong=self.strength.proved(claims),
        )

    def _bearer(self, claims: dict[str, Any]) -> Bearer:
        return Bearer(
            subject=claims["sub"],
            name=_name(claims),
            organization_ids=organization_ids(claims),
            scopes=frozenset(str(claims.get("scope", "")).split()),
            expires_at=float(claims["exp"]),
            authenticated_at=authenticated_at(claims),
            strong=self.strength.proved(claims),
            through=_through(claims),
        )

    async def _claims(self, token: str, *, audience: str, kind: str) -> dict[str, Any]:
        header = _header(token)
        kid, algorithm = header.get("kid"), header.get("alg")
        if not isinstance(kid, str) or algorithm not in _ALGORITHMS:
            raise BadToken("algorithm or key id")
        key = await self._provider.key(kid)
        if key is None or (key.alg is not None and key.alg != algorithm):
            raise BadToken("unknown key")
        try:
            claims = jwt.decode(token, key, algorithms=[algorithm]).claims
            self._rules(audience, subject=kind != "Logout").validate(claims)
        except (JoseError, ValueError, TypeError) as error:
            raise BadToken(type(error).__name__) from error
        if claims.get("typ") != kind:
            raise BadToken("another kind of token")
        return claims

    def _rules(self, audience: str, *, subject: bool) -> jwt.JWTClaimsRegistry:
        return jwt.JWTClaimsRegistry(
            now=int(self._clock().timestamp()),
            leeway=_LEEWAY,
            iss={"essential": True, "value": self._provider.issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": subject},
        )

    def _remember(self, digest: bytes, bearer: Bearer) -> None:
        if self._generation != self._provider.generation:
            self._verified.clear()
            self._generation = self._provider.generation
        self._verified[digest] = bearer
        while len(self._verified) > _CACHE_SIZE:
            self._verified.popitem(last=False)


def _header(token: str) -> dict[str, Any]:
    if len(token) > _LONGEST or not token.isascii():
        raise BadToken("not a token")
    first = token.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(first + "=" * (-len(first) % 4)))
    except (binascii.Error, ValueError) as error:
        raise BadToken("not a token") from error
    if not isinstance(header, dict):
        raise BadToken("not a token")
    return header


def _name(claims: dict[str, Any]) -> str:
    for claim in ("name", "preferred_username", "client_id", "azp"):
        value = claims.get(claim)
        if isinstance(value, str) and value:
            return value
    return str(claims["sub"])


def organization_ids(claims: dict[str, Any]) -> frozenset[str]:
    """The ids in the claim `organization`: `{"<alias>": {"id": "…", …}}`. An alias alone proves nothing.

    Who came through the own provider of one hospital (`identity_provider`) is there as that one's person and in no
    other: whoever runs that provider could otherwise enter as anybody whose account is linked to it.
    """
    claim, through = claims.get("organization"), _through(claims)
    rows = claim if isinstance(claim, dict) else {}
    if through:
        rows = {alias: row for alias, row in rows.items() if alias == through.removeprefix(BROKER)}
    return frozenset(row["id"] for row in rows.values() if isinstance(row, dict) and isinstance(row.get("id"), str))


def _through(claims: dict[str, Any]) -> str:
    named = claims.get("identity_provider")
    return named if isinstance(named, str) and named.startswith(BROKER) else ""
