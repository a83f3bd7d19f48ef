"""What apps were allowed: codes, access and refresh tokens, as rows of the directory.

All of them are random and kept as SHA-256. One grant holds what one consent, or one assertion of a service, gave; its
code, its tokens and its refresh tokens hang on it, so that ending it ends them all.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from emr.db.connection import Connection, Row
from emr.db.pools import RolePool
from emr.identity.apps import App, hashed
from emr.identity.errors import GrantInvalid, ScopeInvalid
from emr.kernel.clock import Clock

Lasting = Literal["no", "online", "offline"]
"""How long an app may renew its token: not at all, until its user's session ends, or for a quarter."""

ACCESS: Final = "emr_at_"
REFRESH: Final = "emr_rt_"
CODE_FOR: Final = timedelta(seconds=60)
ACCESS_FOR: Final = timedelta(minutes=15)
SERVICE_FOR: Final = timedelta(minutes=5)
OFFLINE_FOR: Final = timedelta(days=90)
_KEPT: Final = timedelta(days=1)

_SWEEP_TOKENS: Final = "DELETE FROM directory.app_tokens WHERE expires_at < $1"
_SWEEP_GRANTS: Final = "DELETE FROM directory.app_grants WHERE expires_at < $1"

_ADD_GRANT: Final = """
INSERT INTO directory.app_grants (id, app, tenant_id, subject, session_id, scopes, patient, lasting, redirect_uri,
  challenge, code_hash, code_expires_at, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
"""

_BY_CODE: Final = """
SELECT g.id, g.app, g.subject, g.scopes, g.patient, g.lasting, g.session_id, g.redirect_uri, g.challenge,
  g.code_expires_at, g.code_used_at, g.expires_at, g.revoked_at, m.role, m.name, s.id IS NOT NULL AS session
FROM directory.app_grants g
LEFT JOIN directory.memberships m ON m.tenant_id = g.tenant_id AND m.subject = g.subject AND m.active
  AND (m.expires_at IS NULL OR m.expires_at > $3)
LEFT JOIN directory.sessions s ON s.id = g.session_id AND s.revoked_at IS NULL AND s.expires_at > $3
WHERE g.code_hash = $1 AND g.tenant_id = $2 FOR UPDATE OF g
"""

_BY_ID: Final = """
SELECT g.id, g.app, g.subject, g.scopes, g.patient, g.lasting, g.session_id, g.refresh_hash, g.expires_at, g.revoked_at,
  m.role, m.name, s.id IS NOT NULL AS session
FROM directory.app_grants g
LEFT JOIN directory.memberships m ON m.tenant_id = g.tenant_id AND m.subject = g.subject AND m.active
  AND (m.expires_at IS NULL OR m.expires_at > $3)
LEFT JOIN directory.sessions s ON s.id = g.session_id AND s.revoked_at IS NULL AND s.expires_at > $3
WHERE g.id = $1 AND g.tenant_id = $2 FOR UPDATE OF g
"""

_APP_OF: Final = "SELECT app FROM directory.app_grants WHERE id = $1 AND tenant_id = $2"
_USE_CODE: Final = "UPDATE directory.app_grants SET code_used_at = $2 WHERE id = $1"
_ROTATE: Final = "UPDATE directory.app_grants SET refresh_hash = $2 WHERE id = $1"
_REVOKE: Final = "UPDATE directory.app_grants SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL"
_DROP: Final = """
DELETE FROM directory.app_tokens t USING directory.app_grants g
WHERE t.token_hash = $1 AND g.id = t.grant_id AND g.app = $2 RETURNING g.id
"""

_ADD_ACCESS: Final = """
INSERT INTO directory.app_tokens (token_hash, grant_id, scopes, expires_at) VALUES ($1, $2, $3, $4)
"""

_RESOLVE: Final = """
SELECT g.tenant_id, g.app, g.subject, g.patient, t.scopes, t.expires_at, m.role, m.name, m.duties, m.wards,
  m.clearances, m.practitioner
FROM directory.app_tokens t
JOIN directory.app_grants g ON g.id = t.grant_id AND g.revoked_at IS NULL
JOIN directory.apps a ON a.id = g.app AND a.active
LEFT JOIN directory.sessions s ON s.id = g.session_id AND s.revoked_at IS NULL AND s.expires_at > $2
LEFT JOIN directory.memberships m ON m.tenant_id = g.tenant_id AND m.subject = g.subject AND m.active
  AND (m.expires_at IS NULL OR m.expires_at > $2)
WHERE t.token_hash = $1 AND t.expires_at > $2 AND (g.session_id IS NULL OR s.id IS NOT NULL)
"""

_OF_SUBJECT: Final = """
SELECT g.id, a.name, g.scopes, g.patient, g.lasting, g.created_at, g.expires_at
FROM directory.app_grants g JOIN directory.apps a ON a.id = g.app AND a.active
WHERE g.tenant_id = $1 AND g.subject = $2 AND g.revoked_at IS NULL AND g.expires_at > $3 AND g.code_used_at IS NOT NULL
ORDER BY g.created_at DESC
"""

_REVOKE_OWN: Final = """
UPDATE directory.app_grants SET revoked_at = $4
WHERE id = $1 AND tenant_id = $2 AND subject = $3 AND revoked_at IS NULL RETURNING app
"""


@dataclass(frozen=True, slots=True)
class Consent:
    """What somebody has allowed. `challenge`: PKCE's, by S256. `session_id`: of the one who did."""

    subject: str
    session_id: str
    scopes: frozenset[str]
    patient: str | None
    lasting: Lasting
    redirect_uri: str
    challenge: str


@dataclass(frozen=True, slots=True)
class Issued:
    """Tokens that were just made; `seconds`: how long the access token lives."""

    grant: str
    subject: str
    name: str
    role: str
    access_token: str
    seconds: int
    scopes: frozenset[str]
    patient: str | None
    refresh_token: str | None = None


@dataclass(frozen=True, slots=True)
class Allowed:
    """A grant as its user sees it."""

    id: str
    app: str
    scopes: frozenset[str]
    patient: str | None
    lasting: Lasting
    since: datetime
    until: datetime


class AppGrants:
    """Makes, renews and ends what apps were given, as `emr_directory`."""

    def __init__(self, directory: RolePool, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock

    async def allow(self, app: App, consent: Consent) -> str:
        """An authorization code: for this app, once, for a minute."""
        code, now = secrets.token_urlsafe(32), self._clock()
        lifetime = OFFLINE_FOR if consent.lasting == "offline" else timedelta(days=1)
        async with self._directory.transaction() as connection:
            await connection.execute(_SWEEP_GRANTS, now - _KEPT, name="app.sweep-grants")
            await connection.execute(
                _ADD_GRANT, secrets.token_hex(16), app.id, app.tenant_id, consent.subject,
                # What is to go on offline outlives the session in which it was allowed.
                None if consent.lasting == "offline" else consent.session_id,
                sorted(consent.scopes), consent.patient, consent.lasting, consent.redirect_uri, consent.challenge,
                hashed(code), now + CODE_FOR, now, now + lifetime, name="app.allow",
            )  # fmt: skip
        return code

    async def redeem(self, app: App, code: str, *, redirect_uri: str, verifier: str) -> Issued:
        """Tokens for a code. A code that is not redeemed as it was made is spent; one that comes twice ends the grant.

        Raises `GrantInvalid`.
        """
        now = self._clock()
        async with self._directory.transaction() as connection:
            row = await connection.fetchrow(_BY_CODE, hashed(code), app.tenant_id, now, name="app.by-code")
            reason = _why_not_code(row, app, redirect_uri, verifier) or _why_over(row, now)
            if row is not None:
                if row["code_used_at"] is not None:
                    await connection.execute(_REVOKE, row["id"], now, name="app.revoke")
                await connection.execute(_USE_CODE, row["id"], now, name="app.use-code")
            if not reason and row is not None:
                return await self._issue(connection, row, frozenset(row["scopes"]))
        raise GrantInvalid(reason)

    async def refresh(self, app: App, token: str, scopes: frozenset[str]) -> Issued:
        """New tokens; the refresh token is another one from now on, and the old one, should it come again, ends all.

        scopes: fewer than were granted, or none for those that were. Raises `GrantInvalid`, `ScopeInvalid`.
        """
        now = self._clock()
        grant_id, _, _ = token.removeprefix(REFRESH).partition(".")
        async with self._directory.transaction() as connection:
            row = await connection.fetchrow(_BY_ID, grant_id[:64], app.tenant_id, now, name="app.by-id")
            reason = _why_not_refresh(row, app, token) or _why_over(row, now)
            if row is not None and row["app"] == app.id and row["refresh_hash"] not in (None, hashed(token)):
                await connection.execute(_REVOKE, row["id"], now, name="app.revoke")
            if not reason and row is not None:
                granted = frozenset(row["scopes"])
                if not scopes <= granted:
                    raise ScopeInvalid("A renewed token has no scope that was not granted.")
                return await self._issue(connection, row, scopes or granted)
        raise GrantInvalid(reason)

    async def app_of(self, tenant_id: str, refresh_token: str) -> str:
        """The app that a refresh token says to be of; whether the token counts is not looked at. "" for none."""
        grant_id, _, _ = refresh_token.removeprefix(REFRESH).partition(".")
        async with self._directory.connection() as connection:
            return str(await connection.fetchval(_APP_OF, grant_id[:64], tenant_id, name="app.app-of") or "")

    async def serve(self, app: App, scopes: frozenset[str]) -> Issued:
        """An access token for a service, which works as the membership that it was registered for."""
        now = self._clock()
        async with self._directory.transaction() as connection:
            grant_id = secrets.token_hex(16)
            await connection.execute(_SWEEP_TOKENS, now - _KEPT, name="app.sweep-tokens")
            await connection.execute(_SWEEP_GRANTS, now - _KEPT, name="app.sweep-grants")
            await connection.execute(
                _ADD_GRANT, grant_id, app.id, app.tenant_id, app.subject, None, sorted(scopes), None, "no", None, None,
                None, None, now, now + SERVICE_FOR, name="app.serve",
            )  # fmt: skip
            row = await connection.fetchrow(_BY_ID, grant_id, app.tenant_id, now, name="app.by-id")
            if not (reason := _why_over(row, now)) and row is not None:
                return await self._issue(connection, row, scopes, lifetime=SERVICE_FOR)
        raise GrantInvalid(reason)

    async def resolve(self, token: str) -> Row | None:
        """Whose an access token is, with the membership (role null: none); None if the token does not count."""
        async with self._directory.connection() as connection:
            return await connection.fetchrow(_RESOLVE, hashed(token), self._clock(), name="app.resolve")

    async def revoke(self, app: App, token: str) -> None:
        """End what the app's own token stands for; of any other token nothing is said (RFC 7009, 2.2)."""
        now = self._clock()
        async with self._directory.transaction() as connection:
            if token.startswith(REFRESH):
                grant_id, _, _ = token.removeprefix(REFRESH).partition(".")
                row = await connection.fetchrow(_BY_ID, grant_id[:64], app.tenant_id, now, name="app.by-id")
                if row is not None and not _why_not_refresh(row, app, token):
                    await connection.execute(_REVOKE, row["id"], now, name="app.revoke")
            else:
                await connection.execute(_DROP, hashed(token), app.id, name="app.drop-token")

    async def of_subject(self, tenant_id: str, subject: str) -> Sequence[Allowed]:
        """What somebody has allowed and what still holds, newest first."""
        async with self._directory.connection() as connection:
            rows = await connection.fetch(_OF_SUBJECT, tenant_id, subject, self._clock(), name="app.of-subject")
        return [
            Allowed(
                row["id"], row["name"], frozenset(row["scopes"]), row["patient"], row["lasting"], row["created_at"],
                row["expires_at"],
            )
            for row in rows
        ]  # fmt: skip

    async def take_back(self, tenant_id: str, subject: str, grant_id: str) -> str | None:
        """End one's own grant; the app's id, or None if there was none."""
        async with self._directory.connection() as connection:
            found: str | None = await connection.fetchval(
                _REVOKE_OWN, grant_id, tenant_id, subject, self._clock(), name="app.take-back"
            )
        return found

    async def _issue(
        self, connection: Connection, row: Row, scopes: frozenset[str], *, lifetime: timedelta = ACCESS_FOR
    ) -> Issued:
        now = self._clock()
        token = ACCESS + secrets.token_urlsafe(32)
        await connection.execute(
            _ADD_ACCESS, hashed(token), row["id"], sorted(scopes), now + lifetime, name="app.add-token"
        )
        refresh_token = None
        if row["lasting"] != "no":
            refresh_token = f"{REFRESH}{row['id']}.{secrets.token_urlsafe(32)}"
            await connection.execute(_ROTATE, row["id"], hashed(refresh_token), name="app.rotate")
        return Issued(
            row["id"], row["subject"], row["name"], row["role"], token, int(lifetime.total_seconds()), scopes,
            row["patient"], refresh_token,
        )  # fmt: skip


def about_one_patient(scopes: Iterable[str]) -> bool:
    """Whether a token with these scopes sees one patient alone: it does as soon as one scope is a `patient/` one."""
    return any(each.startswith("patient/") for each in scopes)


def challenge_of(verifier: str) -> str:
    """PKCE's S256 (RFC 7636, 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _why_not_code(row: Row | None, app: App, redirect_uri: str, verifier: str) -> str:
    """Why a code does not count, or an empty text."""
    if row is None or row["app"] != app.id:
        return "The code is not one of this app."
    if row["code_used_at"] is not None:
        return "The code was used before."
    if row["redirect_uri"] != redirect_uri:
        return "The redirect_uri is not that of the request."
    if not hmac.compare_digest(row["challenge"].encode(), challenge_of(verifier).encode()):
        return "The code_verifier does not fit."
    return ""


def _why_not_refresh(row: Row | None, app: App, token: str) -> str:
    if row is None or row["app"] != app.id or row["refresh_hash"] is None:
        return "The refresh token is not one of this app."
    if not hmac.compare_digest(row["refresh_hash"], hashed(token)):
        return "The refresh token was used before."
    return ""


def _why_over(row: Row | None, now: datetime) -> str:
    """Why a grant gives no more tokens, or an empty text."""
    if row is None or row["revoked_at"] is not None or row["expires_at"] <= now:
        return "The grant is over."
    if row.get("code_expires_at") is not None and row["code_expires_at"] <= now:
        return "The code is over."
    if row["role"] is None:
        return "The user is no member of the hospital any more."
    if row["session_id"] is not None and not row["session"]:
        return "The user has signed out."
    return ""
