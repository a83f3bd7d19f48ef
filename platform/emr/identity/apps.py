"""The apps that a hospital has registered: rows of `directory.apps`.

An app belongs to one hospital. Its secret is kept as a SHA-256 alone: it is 256 random bits, so nothing slower is
needed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from emr.db.connection import Row
from emr.db.pools import RolePool
from emr.kernel.errors import NotFound

AppKind = Literal["public", "confidential", "asymmetric", "service"]
"""A browser's or a phone's; one that keeps a secret; one that keeps a key; one that works without a person."""
APP_KINDS: Final[tuple[AppKind, ...]] = ("public", "confidential", "asymmetric", "service")

_ADD: Final = """
INSERT INTO directory.apps (id, tenant_id, name, kind, redirect_uris, launch_uri, scopes, secret_hash, jwks, jwks_uri,
  subject, registered_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""

_FIND: Final = """
SELECT id, tenant_id, name, kind, redirect_uris, launch_uri, scopes, secret_hash, jwks, jwks_uri, subject, active
FROM directory.apps WHERE tenant_id = $1 AND id = $2
"""

_LIST: Final = """
SELECT id, tenant_id, name, kind, redirect_uris, launch_uri, scopes, secret_hash, jwks, jwks_uri, subject, active
FROM directory.apps WHERE tenant_id = $1 ORDER BY active DESC, name, id
"""

_STOP: Final = """
UPDATE directory.apps SET active = false, updated_at = now() WHERE tenant_id = $1 AND id = $2 AND active RETURNING id
"""

_STOP_GRANTS: Final = "UPDATE directory.app_grants SET revoked_at = $2 WHERE app = $1 AND revoked_at IS NULL"

_RENEW: Final = """
UPDATE directory.apps SET secret_hash = $3, updated_at = now()
WHERE tenant_id = $1 AND id = $2 AND active AND kind = 'confidential' RETURNING id
"""

_EVENT: Final = "INSERT INTO directory.tenant_events (tenant_id, actor, event, detail) VALUES ($1, $2, $3, $4)"


@dataclass(frozen=True, slots=True)
class App:
    """One app of one hospital. `scopes`: the most that it may ask for.

    `jwks` holds its public keys (RFC 7517) or `jwks_uri` says where they are. `subject` is the membership that a
    service works as. `launch_uri`: where it is opened from a chart, None for one that is not.
    """

    id: str
    tenant_id: str
    name: str
    kind: AppKind
    scopes: frozenset[str]
    redirect_uris: tuple[str, ...] = ()
    launch_uri: str | None = None
    jwks: Mapping[str, Any] | None = None
    jwks_uri: str | None = None
    subject: str | None = None
    active: bool = True
    secret_hash: bytes | None = field(default=None, repr=False)

    def has_secret(self, secret: str) -> bool:
        """Whether this is the app's secret."""
        return self.secret_hash is not None and hmac.compare_digest(self.secret_hash, hashed(secret))


class Apps:
    """Reads and writes apps as `emr_directory`; every change is an event of the hospital."""

    def __init__(self, directory: RolePool) -> None:
        self._directory = directory

    async def add(self, app: App, *, by: str) -> None:
        """Register an app."""
        async with self._directory.transaction() as connection:
            await connection.execute(
                _ADD,
                app.id,
                app.tenant_id,
                app.name,
                app.kind,
                list(app.redirect_uris),
                app.launch_uri,
                sorted(app.scopes),
                app.secret_hash,
                None if app.jwks is None else json.dumps(app.jwks),
                app.jwks_uri,
                app.subject,
                by,
                name="app.add",
            )
            detail = {"app": app.id, "kind": app.kind, "scopes": sorted(app.scopes)}
            await connection.execute(_EVENT, app.tenant_id, by, "app.registered", json.dumps(detail), name="event")

    async def find(self, tenant_id: str, app_id: str) -> App | None:
        """An app of the hospital, also one that was stopped."""
        async with self._directory.connection() as connection:
            row = await connection.fetchrow(_FIND, tenant_id, app_id, name="app.find")
        return None if row is None else _app(row)

    async def list_apps(self, tenant_id: str) -> Sequence[App]:
        """All of a hospital, those that were stopped last."""
        async with self._directory.connection() as connection:
            return [_app(row) for row in await connection.fetch(_LIST, tenant_id, name="app.list")]

    async def stop(self, tenant_id: str, app_id: str, *, by: str) -> None:
        """From now on it gets in no more: neither anew nor with what it was given. `NotFound` if there is none."""
        async with self._directory.transaction() as connection:
            if await connection.fetchval(_STOP, tenant_id, app_id, name="app.stop") is None:
                raise NotFound("app-unknown", "There is no such app, or it was stopped before.")
            now = await connection.fetchval("SELECT now()", name="now")
            await connection.execute(_STOP_GRANTS, app_id, now, name="app.stop-grants")
            detail = json.dumps({"app": app_id})
            await connection.execute(_EVENT, tenant_id, by, "app.stopped", detail, name="event")

    async def renew_secret(self, tenant_id: str, app_id: str, *, by: str) -> str:
        """A new secret; the one before counts no more. `NotFound` for an app without one."""
        secret = new_secret()
        async with self._directory.transaction() as connection:
            renewed = await connection.fetchval(_RENEW, tenant_id, app_id, hashed(secret), name="app.renew-secret")
            if renewed is None:
                raise NotFound("app-unknown", "There is no such app that has a secret.")
            detail = json.dumps({"app": app_id})
            await connection.execute(_EVENT, tenant_id, by, "app.secret-renewed", detail, name="event")
        return secret


def hashed(secret: str) -> bytes:
    """As a random secret is kept."""
    return hashlib.sha256(secret.encode()).digest()


def new_secret() -> str:
    """256 random bits."""
    return secrets.token_urlsafe(32)


def _app(row: Row) -> App:
    return App(
        id=row["id"],
        tenant_id=row["tenant_id"],
        name=row["name"],
        kind=row["kind"],
        scopes=frozenset(row["scopes"]),
        redirect_uris=tuple(row["redirect_uris"]),
        launch_uri=row["launch_uri"],
        jwks=None if row["jwks"] is None else json.loads(row["jwks"]),
        jwks_uri=row["jwks_uri"],
        subject=row["subject"],
        active=row["active"],
        secret_hash=row["secret_hash"],
    )
