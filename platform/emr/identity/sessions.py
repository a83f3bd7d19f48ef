"""The rows of `directory.sessions`: a browser's opaque cookie is kept as its SHA-256, tokens are kept sealed."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from emr.db.connection import Row
from emr.db.pools import RolePool
from emr.identity.sealing import Sealed
from emr.kernel.clock import Clock
from emr.kernel.ids import uuid7
from emr.kernel.tenant import Tenant
from emr.settings import Identity, Settings

_RESOLVE: Final = """
SELECT s.id, s.subject, s.name, s.organization_ids, s.token_expires_at, s.seen_at, s.strong, s.through,
  s.authenticated_at, s.created_at, s.locked_at, s.lock_minutes, $2 = ANY (s.used_in) AS entered,
  m.role, m.name AS member_name, m.duties, m.wards, m.clearances, m.practitioner, m.seen_on,
  g.id AS grant, g.scope, g.patient, g.until
FROM directory.sessions s
LEFT JOIN directory.memberships m ON m.tenant_id = $2 AND m.subject = s.subject AND m.active
  AND (m.expires_at IS NULL OR m.expires_at > $3)
LEFT JOIN directory.support_grants g ON m.subject IS NULL AND g.tenant_id = $2 AND g.subject = s.subject
  AND g.ended_at IS NULL AND g.since <= $3 AND g.until > $3
WHERE s.token_hash = $1 AND s.revoked_at IS NULL AND s.expires_at > $3 AND s.seen_at > $4
"""

_INSERT: Final = """
INSERT INTO directory.sessions (token_hash, id, subject, name, provider_session, organization_ids, refresh_token,
  id_token, token_expires_at, created_at, seen_at, expires_at, authenticated_at, strong, device, through)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11, $12, $13, $14, $15)
"""

_TOUCH: Final = "UPDATE directory.sessions SET seen_at = $2 WHERE id = $1 AND seen_at < $2"

_ENTER: Final = """
UPDATE directory.sessions SET used_in = used_in || $2::text, lock_minutes = least(lock_minutes, $3)
WHERE id = $1 AND NOT ($2 = ANY (used_in)) RETURNING id
"""

_CLAIM: Final = """
UPDATE directory.sessions SET token_expires_at = $3
WHERE id = $1 AND token_expires_at = $2 AND revoked_at IS NULL RETURNING refresh_token
"""

_RENEW: Final = """
UPDATE directory.sessions
SET organization_ids = $2, refresh_token = $3, id_token = coalesce($4, id_token), token_expires_at = $5
WHERE id = $1 AND revoked_at IS NULL
"""

_FORGET_TRIES: Final = "UPDATE directory.sessions SET unlock_tries = 0 WHERE id = $1"

_REVOKE_ID: Final = """
UPDATE directory.sessions SET revoked_at = $2, id_token = NULL
WHERE id = $1 AND revoked_at IS NULL
"""

_REVOKE_COOKIE: Final = """
UPDATE directory.sessions s SET revoked_at = $2, refresh_token = NULL, id_token = NULL
FROM directory.sessions old
WHERE s.token_hash = $1 AND s.revoked_at IS NULL AND old.token_hash = s.token_hash
RETURNING s.id, s.subject, s.name, old.id_token
"""

_REVOKE_PROVIDER_SESSION: Final = """
UPDATE directory.sessions SET revoked_at = $4, refresh_token = NULL, id_token = NULL
WHERE provider_session = $1 AND ($2::text IS NULL OR subject = $2) AND created_at <= $3 AND revoked_at IS NULL
RETURNING id, subject, name
"""

_REVOKE_SUBJECT: Final = """
UPDATE directory.sessions SET revoked_at = $3, refresh_token = NULL, id_token = NULL
WHERE subject = $1 AND created_at <= $2 AND revoked_at IS NULL RETURNING id, subject, name
"""

_RETIRE: Final = """
UPDATE directory.sessions s SET refresh_token = NULL
FROM directory.sessions old
WHERE s.token_hash = $1 AND old.token_hash = s.token_hash
  AND (s.revoked_at IS NOT NULL OR s.expires_at <= $2 OR s.seen_at <= $3 OR s.locked_at IS NOT NULL)
RETURNING s.id, old.refresh_token
"""

_SWEEP: Final = "DELETE FROM directory.sessions WHERE expires_at < $1"

_SEEN_EVERY: Final = timedelta(minutes=1)
_KEPT: Final = timedelta(days=1)
_CLAIMED_FOR: Final = timedelta(seconds=15)


def session_cookie(settings: Settings) -> str:
    """The name of the cookie that holds a session; where browsers come by https, one that they keep to this host."""
    return "__Host-emr_session" if settings.http.base_url.startswith("https://") else "emr_session"


@dataclass(frozen=True, slots=True)
class TokenSet:
    """What a sign-in or a refresh brought. `expires_at` is when the access token is to be renewed.

    `through`: the hospital's own provider that the person came by, "" for none.
    """

    refresh_token: str | None
    id_token: str | None
    organization_ids: frozenset[str]
    expires_at: datetime
    through: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """Whose session, as the provider told it.

    `authenticated_at` is when the person last proved who they are, `strong` whether with a second factor.
    """

    subject: str
    name: str
    provider_session: str | None
    authenticated_at: datetime
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """A session that was just revoked; its ID token (None: unknown) lets the provider end its own."""

    session_id: str
    subject: str
    name: str
    id_token: str | None = None


class Sessions:
    """Reads and writes sessions as `emr_directory`."""

    def __init__(self, directory: RolePool, settings: Identity, sealed: Sealed, clock: Clock) -> None:
        self._directory = directory
        self._sealed = sealed
        self._clock = clock
        self._idle = timedelta(minutes=settings.session_idle_minutes)
        self._longest = timedelta(hours=settings.session_hours)

    async def find(self, cookie: str, tenant_id: str) -> Row | None:
        """The session of a cookie with role or support grant in this hospital (null for none); None if it is over."""
        now = self._clock()
        async with self._directory.connection() as connection:
            return await connection.fetchrow(
                _RESOLVE, _hash(cookie), tenant_id, now, now - self._idle, name="session.resolve"
            )

    async def start(self, person: Person, tokens: TokenSet, device: str) -> tuple[str, str]:
        """A new session; answers its id and the cookie's value, which is kept nowhere."""
        cookie = secrets.token_urlsafe(32)
        session_id = uuid7()
        now = self._clock()
        async with self._directory.transaction() as connection:
            await connection.execute(_SWEEP, now - _KEPT, name="session.sweep")
            await connection.execute(
                _INSERT,
                _hash(cookie),
                session_id,
                person.subject,
                person.name,
                person.provider_session,
                sorted(tokens.organization_ids),
                self._seal(tokens.refresh_token, session_id),
                self._seal(tokens.id_token, session_id),
                tokens.expires_at,
                now,
                now + self._longest,
                person.authenticated_at,
                person.strong,
                device,
                tokens.through,
                name="session.start",
            )
        return session_id, cookie

    async def touch(self, session_id: str, seen_at: datetime, lock_minutes: int) -> None:
        """Note that the session is in use, at most once a minute."""
        now = self._clock()
        if now - seen_at < min(_SEEN_EVERY, timedelta(minutes=lock_minutes) / 4):
            return
        async with self._directory.connection() as connection:
            await connection.execute(_TOUCH, session_id, now, name="session.touch")

    async def enter(self, session_id: str, tenant: Tenant) -> bool:
        """Note that the session is used in this hospital; whether that was the first time."""
        async with self._directory.connection() as connection:
            entered = await connection.fetchval(
                _ENTER, session_id, tenant.id, tenant.lock_minutes, name="session.enter"
            )
        return entered is not None

    async def claim_refresh(self, session_id: str, token_expires_at: datetime) -> str | None:
        """The refresh token, for exactly one of all the requests and processes that see the access token aged.

        None for all others; an empty text where there is no token to be had. The claim holds for a quarter of a
        minute; whoever made it renews the session or leaves it to the next.
        """
        until = self._clock() + _CLAIMED_FOR
        async with self._directory.connection() as connection:
            row = await connection.fetchrow(_CLAIM, session_id, token_expires_at, until, name="session.claim_refresh")
        if row is None:
            return None
        return self._sealed.open(row["refresh_token"] or b"", context=session_id) or ""

    async def forget_tries(self, session_id: str) -> None:
        """The PIN was right: whoever mistypes it from now on has all tries again."""
        async with self._directory.connection() as connection:
            await connection.execute(_FORGET_TRIES, session_id, name="session.forget_tries")

    async def renew(self, session_id: str, tokens: TokenSet) -> None:
        """Keep what a refresh brought."""
        async with self._directory.connection() as connection:
            await connection.execute(
                _RENEW,
                session_id,
                sorted(tokens.organization_ids),
                self._seal(tokens.refresh_token, session_id),
                self._seal(tokens.id_token, session_id),
                tokens.expires_at,
                name="session.renew",
            )

    async def end(self, session_id: str) -> None:
        """Revoke one session; its refresh token stays for `retire`."""
        async with self._directory.connection() as connection:
            await connection.execute(_REVOKE_ID, session_id, self._clock(), name="session.end")

    async def end_by_cookie(self, cookie: str) -> Ended | None:
        """Revoke the session of a cookie; None if there was none to revoke."""
        async with self._directory.connection() as connection:
            row = await connection.fetchrow(_REVOKE_COOKIE, _hash(cookie), self._clock(), name="session.end")
        if row is None:
            return None
        sealed = row["id_token"]
        id_token = None if sealed is None else self._sealed.open(sealed, context=row["id"])
        return Ended(row["id"], row["subject"], row["name"], id_token)

    async def retire(self, cookie: str) -> str:
        """The refresh token of a cookie's session that is over or locked, for once; "" where there is none.

        With it the provider's own session can be ended, which may have outlived ours.
        """
        now = self._clock()
        async with self._directory.connection() as connection:
            row = await connection.fetchrow(_RETIRE, _hash(cookie), now, now - self._idle, name="session.retire")
        return "" if row is None else self._sealed.open(row["refresh_token"] or b"", context=row["id"]) or ""

    async def end_by_provider(
        self, *, provider_session: str | None, subject: str | None, begun_before: datetime
    ) -> list[Ended]:
        """Revoke what the provider says has ended, but nothing that began after it said so."""
        now = self._clock()
        async with self._directory.connection() as connection:
            if provider_session is not None:
                rows = await connection.fetch(
                    _REVOKE_PROVIDER_SESSION, provider_session, subject, begun_before, now, name="session.end"
                )
            else:
                rows = await connection.fetch(_REVOKE_SUBJECT, subject, begun_before, now, name="session.end")
        return [Ended(row["id"], row["subject"], row["name"]) for row in rows]

    def _seal(self, text: str | None, session_id: str) -> bytes | None:
        return None if text is None else self._sealed.seal(text, context=session_id)


def _hash(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode()).digest()
