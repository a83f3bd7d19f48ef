"""The tokens that the provider signs, shaped like Keycloak's."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from joserfc import jwt
from joserfc.jwk import RSAKey

from emr_demo.provider.config import AUDIENCE
from emr_demo.provider.people import Account

_LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"


@dataclass(frozen=True, slots=True)
class Grantee:
    """Who a token is for: an account, through one of its sign-ins or (sid None) by client credentials.

    `acr` is "2" where a second factor counts as proved, `authenticated` when (seconds since 1970).
    """

    account: Account
    sid: str | None
    acr: str = "1"
    authenticated: int | None = None


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs claims with the provider's key. Times are seconds since 1970."""

    key: RSAKey
    issuer: str

    def sign(self, claims: dict[str, Any], *, token_type: str = "JWT") -> str:  # noqa: S107 the header's `typ`
        """A compact JWS; `iss`, `iat` and `jti` are filled in."""
        header = {"alg": "RS256", "kid": self.key.kid, "typ": token_type}
        whole = {"iss": self.issuer, "iat": int(time.time()), "jti": str(uuid4()), **claims}
        return jwt.encode(header, whole, self.key, ["RS256"])

    def access_token(self, grantee: Grantee, *, client_id: str, scope: str, lifetime: int) -> str:
        """A bearer token for the platform, good for `lifetime` seconds."""
        claims = {
            "exp": int(time.time()) + lifetime,
            "aud": AUDIENCE,
            "sub": grantee.account.subject,
            "typ": "Bearer",
            "azp": client_id,
            "acr": grantee.acr,
            "scope": scope,
            **names(grantee.account),
            **organizations(grantee.account, scope),
        }
        if grantee.sid is not None:
            claims["sid"] = grantee.sid
        if grantee.authenticated is not None:
            claims["auth_time"] = grantee.authenticated
        return self.sign(claims)

    def logout_token(self, subject: str, *, client_id: str, sid: str) -> str:
        """What a client gets posted when a sign-in has ended (OpenID Connect Back-Channel Logout 1.0, 2.4)."""
        claims = {
            "exp": int(time.time()) + 120,
            "aud": client_id,
            "sub": subject,
            "sid": sid,
            "typ": "Logout",
            "events": {_LOGOUT_EVENT: {}},
        }
        return self.sign(claims, token_type="logout+jwt")  # noqa: S106 the header's `typ`


def names(account: Account) -> dict[str, Any]:
    """The claims of `profile`."""
    family, _, given = account.name.rpartition(" ")
    return {
        "preferred_username": account.username,
        "name": account.name,
        "family_name": family,
        "given_name": given,
        "email": f"{account.username.replace('@', '.')}@example.invalid",
        "email_verified": True,
    }


def organizations(account: Account, scope: str) -> dict[str, Any]:
    """The claim `organization`, if it was asked for and the account is a member; its shape is Keycloak's."""
    asked = scope.split()
    found = {
        place.alias: {
            "id": place.organization_id,
            "groups": [f"/{account.role}"],
            "resource_access": {AUDIENCE: {"roles": [account.role]}},
        }
        for place in account.hospitals
        if {"organization", "organization:*", f"organization:{place.alias}"}.intersection(asked)
    }
    return {"organization": found} if found else {}
