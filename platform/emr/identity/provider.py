"""The OpenID provider as the platform sees it: where its endpoints are, which keys it signs with, its token endpoint.

Discovery and keys are cached. While the provider is down the cached ones go on being used for a stated time; after
that nothing can be verified and everything that needs it says so.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import Key, import_key

from emr.identity.errors import ProviderUnavailable
from emr.kernel.clock import Clock
from emr.settings import Identity
from emr.telemetry.logs import get_logger

_FRESH: Final = timedelta(minutes=10)
_RETRY: Final = timedelta(seconds=10)
_NEW_KEY: Final = timedelta(seconds=1)
_RECENT: Final = timedelta(seconds=5)
_KEY_TYPES: Final = ("RSA", "EC")
_CLOCK_STEP: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the discovery document says, as far as it is used (OpenID Connect Discovery 1.0)."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str | None
    answers_with_issuer: bool


class GrantRefused(Exception):
    """The token endpoint said no for good: a spent code, an ended session, a disabled user."""


@dataclass(frozen=True, slots=True)
class _Cached:
    metadata: Metadata
    keys: Mapping[str, Key]
    fetched: datetime


class Provider:
    """One issuer, fixed by the settings; `generation` counts how often its keys have changed."""

    def __init__(self, settings: Identity, http: httpx.AsyncClient, clock: Clock) -> None:
        self._settings = settings
        self._http = http
        self._clock = clock
        self._grace = timedelta(hours=settings.keys_grace_hours)
        self._cached: _Cached | None = None
        self._tried: datetime | None = None
        self._lock = asyncio.Lock()
        self.issuer = settings.issuer
        self.generation = 0

    async def metadata(self) -> Metadata:
        """The endpoints; raises ProviderUnavailable when they were never seen or are too old to trust."""
        return (await self._usable()).metadata

    async def reachable_metadata(self) -> Metadata:
        """The endpoints of a provider that answered a moment ago, for beginning a sign-in.

        A browser sent to a provider that is down would meet its own error page, which helps nobody.
        """
        async with self._lock:
            if self._cached is not None and self._age(self._cached.fetched) < _RECENT:
                return self._cached.metadata
            if self._age(self._tried) < _RECENT or not await self._fetch():
                raise ProviderUnavailable
            assert self._cached is not None
            return self._cached.metadata

    async def key(self, kid: str) -> Key | None:
        """The key that signs under this id, asking the provider again if the id is new; None if it has no such key."""
        found = (await self._usable()).keys.get(kid)
        if found is None:
            async with self._lock:
                if self._cached is not None:
                    found = self._cached.keys.get(kid)
                # At most one question a second, so that forged ids cannot be used to flood the provider.
                if found is None and self._age(self._tried) >= _NEW_KEY:
                    await self._fetch()
            found = (await self._usable()).keys.get(kid)
        return found

    async def grant(self, form: Mapping[str, str]) -> dict[str, Any]:
        """Ask the token endpoint; raises GrantRefused for a plain no, ProviderUnavailable for anything unclear."""
        metadata = await self.metadata()
        secret = self._settings.client_secret.get_secret_value()
        try:
            answer = await self._http.post(
                metadata.token_endpoint, data=dict(form), auth=(self._settings.client_id, secret)
            )
            content = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise ProviderUnavailable from error
        if answer.status_code == httpx.codes.OK and isinstance(content, dict) and "access_token" in content:
            return content
        reason = str(content.get("error", "")) if isinstance(content, dict) else ""
        if reason == "invalid_grant":
            raise GrantRefused(reason)
        # A wrong client secret or a broken provider is no verdict on the person who is signed in.
        get_logger().error("token endpoint failed", status=answer.status_code, reason=reason)
        raise ProviderUnavailable

    async def end(self, refresh_token: str) -> None:
        """End the provider's own session that a refresh token belongs to; one that is over already is as good.

        Keycloak takes the token at its end-session endpoint. RP-Initiated Logout 1.0 knows only the browser's way: a
        provider without this one goes on as it did.
        """
        endpoint = (await self.metadata()).end_session_endpoint
        if endpoint is None:
            return
        secret = self._settings.client_secret.get_secret_value()
        try:
            answer = await self._http.post(
                endpoint, data={"refresh_token": refresh_token}, auth=(self._settings.client_id, secret)
            )
        except httpx.HTTPError as error:
            raise ProviderUnavailable from error
        get_logger().info("session ended at the provider by us", status=answer.status_code)

    async def _usable(self) -> _Cached:
        cached = self._cached
        if cached is None or (self._age(cached.fetched) >= _FRESH and not self._lock.locked()):
            async with self._lock:
                if self._cached is cached and self._age(self._tried) >= _RETRY:
                    await self._fetch()
            cached = self._cached
        if cached is None or self._clock() - cached.fetched > self._grace:
            raise ProviderUnavailable
        return cached

    def _age(self, moment: datetime | None) -> timedelta:
        """How long ago that was; for ever if never, or if the clock has been set back since."""
        age = timedelta.max if moment is None else self._clock() - moment
        return timedelta.max if age < -_CLOCK_STEP else age

    async def _fetch(self) -> bool:
        self._tried = self._clock()
        try:
            metadata = _read_metadata(await self._document(_well_known(self.issuer)), self.issuer)
            keys = _read_keys(await self._document(metadata.jwks_uri))
        except (httpx.HTTPError, ValueError, JoseError) as error:
            get_logger().warning("identity provider does not answer", error=type(error).__name__)
            return False
        if self._cached is not None and set(self._cached.keys) != set(keys):
            self.generation += 1
        self._cached = _Cached(metadata, keys, self._clock())
        return True

    async def _document(self, address: str) -> dict[str, Any]:
        answer = await self._http.get(address)
        answer.raise_for_status()
        content = answer.json()
        if not isinstance(content, dict):
            raise ValueError("not a JSON object")  # noqa: TRY004 a wrong document is one kind of wrong value
        return content


def _well_known(issuer: str) -> str:
    return f"{issuer.rstrip('/')}/.well-known/openid-configuration"


def _read_metadata(document: dict[str, Any], issuer: str) -> Metadata:
    if document.get("issuer") != issuer:
        raise ValueError("the discovery document names another issuer")
    scheme = urlsplit(issuer).scheme
    end_session = document.get("end_session_endpoint")
    found = Metadata(
        authorization_endpoint=str(document.get("authorization_endpoint", "")),
        token_endpoint=str(document.get("token_endpoint", "")),
        jwks_uri=str(document.get("jwks_uri", "")),
        end_session_endpoint=None if end_session is None else str(end_session),
        answers_with_issuer=document.get("authorization_response_iss_parameter_supported") is True,
    )
    for address in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri, end_session or issuer):
        if urlsplit(str(address)).scheme != scheme:
            raise ValueError("an endpoint is missing or is not served like the issuer")
    return found


def _read_keys(document: dict[str, Any]) -> dict[str, Key]:
    """The signing keys by id; encryption keys, symmetric keys and what cannot be read as a key are left out."""
    rows = document.get("keys")
    if not isinstance(rows, list):
        raise ValueError("the key document holds no keys")  # noqa: TRY004 a wrong document is one kind of wrong value
    found: dict[str, Key] = {}
    for row in rows:
        if not isinstance(row, dict) or row.get("kty") not in _KEY_TYPES or row.get("use", "sig") != "sig":
            continue
        with contextlib.suppress(JoseError, ValueError, TypeError, KeyError):
            found[str(row["kid"])] = import_key(row)
    return found
