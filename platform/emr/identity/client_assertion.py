"""An app proves who it is by a signed assertion (SMART 2.2, client-confidential-asymmetric.html; RFC 7523)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key, import_key

from emr.db.pools import RolePool
from emr.identity.errors import ClientRefused
from emr.kernel.clock import Clock

ALGORITHMS: Final = ("RS384", "ES384")
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_KINDS: Final = {"RS384": "RSA", "ES384": "EC"}
_LONGEST: Final = 16 * 1024
_LEEWAY: Final = 10
_LIVES: Final = 300
_JTI_MOST: Final = 255
_SWEEP: Final = "DELETE FROM directory.app_assertions WHERE expires_at < $1"
_TAKE: Final = """
INSERT INTO directory.app_assertions (app, jti_hash, expires_at) VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING RETURNING app
"""

_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


@dataclass(frozen=True, slots=True)
class Assertion:
    """One that is right; whether it comes for the first time is for the caller to find."""

    jti: str
    expires_at: datetime


class SeenAssertions:
    """Remembers the assertions that were taken until they are over, for all processes."""

    def __init__(self, directory: RolePool, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock

    async def take(self, client: str, assertion: Assertion) -> None:
        """Raises `ClientRefused` for one that came before."""
        async with self._directory.transaction() as connection:
            await connection.execute(_SWEEP, self._clock(), name="app.sweep-assertions")
            digest = hashlib.sha256(assertion.jti.encode()).digest()
            row = await connection.fetchval(_TAKE, client, digest, assertion.expires_at, name="app.assertion")
        if row is None:
            raise ClientRefused("replayed")


def issuer_of(assertion: str) -> str:
    """Who says that it made this, before anything is proved. Raises `ClientRefused`."""
    return str(_part(assertion, 1).get("iss", ""))


def verified(assertion: str, keys: Mapping[str, Any], *, client: str, audience: str, now: datetime) -> Assertion:
    """An assertion of this client to this address, by one of its keys. Raises `ClientRefused`."""
    header = _part(assertion, 0)
    algorithm, kid = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS or not isinstance(kid, str) or header.get("typ", "JWT") != "JWT":
        raise ClientRefused("algorithm, key id or type")
    key = _key(keys, kid, algorithm)
    try:
        claims = jwt.decode(assertion, key, algorithms=[algorithm]).claims
    except (JoseError, ValueError, TypeError) as error:
        raise ClientRefused(type(error).__name__) from error
    return _checked(claims, client=client, audience=audience, now=now.timestamp())


def key_set(document: object) -> dict[str, Any]:
    """A JWK Set of public keys that can be used here. Raises `ClientRefused`."""
    rows = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(rows, list) or not 0 < len(rows) <= 20:
        raise ClientRefused("no key set")
    for row in rows:
        if not isinstance(row, dict) or not isinstance(row.get("kid"), str) or _PRIVATE & row.keys():
            raise ClientRefused("a key without an id, or a private one")
        try:
            import_key(row)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise ClientRefused("a key that cannot be read") from error
    return {"keys": rows}


def _checked(claims: Mapping[str, Any], *, client: str, audience: str, now: float) -> Assertion:
    expires, jti = claims.get("exp"), claims.get("jti")
    if claims.get("iss") != client or claims.get("sub") != client:
        raise ClientRefused("issuer or subject")
    if claims.get("aud") not in (audience, [audience]):
        raise ClientRefused("audience")
    if type(expires) is not int or not now - _LEEWAY < expires <= now + _LIVES + _LEEWAY:
        raise ClientRefused("expired, or good for too long")
    for name in ("nbf", "iat"):
        moment = claims.get(name, 0)
        if type(moment) is not int or moment > now + _LEEWAY:
            raise ClientRefused("not yet valid")
    if not isinstance(jti, str) or not 0 < len(jti) <= _JTI_MOST:
        raise ClientRefused("no jti")
    return Assertion(jti, datetime.fromtimestamp(expires + _LEEWAY, UTC))


def _key(keys: Mapping[str, Any], kid: str, algorithm: str) -> Key:
    fitting = [
        row
        for row in keys.get("keys", ())
        if isinstance(row, dict)
        and row.get("kid") == kid
        and row.get("kty") == _KINDS[algorithm]
        and row.get("use", "sig") == "sig"
        and row.get("alg", algorithm) == algorithm
    ]
    if len(fitting) != 1:
        raise ClientRefused("unknown key")
    try:
        return import_key(fitting[0])
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise ClientRefused("unusable key") from error


def _part(assertion: str, number: int) -> dict[str, Any]:
    parts = assertion.split(".")
    if len(assertion) > _LONGEST or not assertion.isascii() or len(parts) != 3:
        raise ClientRefused("not an assertion")
    try:
        part = json.loads(base64.urlsafe_b64decode(parts[number] + "=" * (-len(parts[number]) % 4)))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise ClientRefused("not an assertion") from error
    if not isinstance(part, dict):
        raise ClientRefused("not an assertion")
    return part
