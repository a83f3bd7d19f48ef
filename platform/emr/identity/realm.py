"""Keycloak's admin interface: one account of the platform's, asked in threads, its refusals in our words.

The account has the least rights that work; `platform/docs/identity-administration.md` names them, and a test takes each
away. Every question has a connection and a token to itself, so that two threads mix nothing up. The next one takes over
a connection that is young and has seen no refusal: making one costs 60 ms of processor time and two exchanges.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from keycloak import KeycloakAdmin
from keycloak.exceptions import KeycloakAuthenticationError, KeycloakConnectionError, KeycloakError

from emr.kernel.errors import Conflict, Unavailable
from emr.settings import Identity

R = TypeVar("R")

ALREADY: Final = 409
REFUSED: Final = 400
ABSENT: Final = 404
_FORBIDDEN: Final = 403
_AT_ONCE: Final = 4
_SECONDS: Final = 10
_KEPT_SECONDS: Final = 30
"""A token says what the account might do when it was given: what was changed since must count before long."""


class Realm:
    """The realm of the settings, through the platform's administering account."""

    def __init__(self, settings: Identity) -> None:
        self._settings = settings
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._free: deque[tuple[float, KeycloakAdmin]] = deque()
        self.name = settings.admin_realm

    async def ask(self, act: Callable[[KeycloakAdmin], R]) -> R:
        """Run `act` in a thread. Raises Conflict for what Keycloak refuses, Unavailable when it does not answer.

        Nobody may hold a database connection meanwhile.
        """
        async with self._turn:
            return await asyncio.to_thread(self._act, act)

    def _act(self, act: Callable[[KeycloakAdmin], R]) -> R:
        try:
            made, admin = self._lend()
            answer = act(admin)
        except KeycloakError as error:
            raise refusal(error) from error
        self._free.append((made, admin))
        return answer

    def _lend(self) -> tuple[float, KeycloakAdmin]:
        """Since when it is there, and what nobody else uses meanwhile. Raises KeycloakError."""
        while True:
            try:
                made, admin = self._free.pop()
            except IndexError:
                return time.monotonic(), connected(self._settings)
            if time.monotonic() - made < _KEPT_SECONDS:
                return made, admin


def connected(settings: Identity) -> KeycloakAdmin:
    """A client with a fresh token. Raises KeycloakError."""
    return KeycloakAdmin(
        server_url=settings.admin_url,
        realm_name=settings.admin_realm,
        client_id=settings.admin_client_id,
        client_secret_key=settings.admin_client_secret.get_secret_value(),
        grant_type="client_credentials",
        timeout=_SECONDS,
        max_retries=0,
    )


def refusal(error: KeycloakError) -> Conflict | Unavailable:
    """A KeycloakError as what it means for whoever asked us."""
    if error.response_code in (ALREADY, REFUSED):
        return Conflict("provider-refused", f"The identity provider refuses this: {said(error)}", location="identity")
    if isinstance(error, KeycloakAuthenticationError):
        return Unavailable("identity-admin-refused", "The identity provider refuses the platform's account.")
    if error.response_code == _FORBIDDEN:
        return Unavailable("identity-admin-rights", "The platform's account lacks a right at the identity provider.")
    kind = "does not answer" if isinstance(error, KeycloakConnectionError) else f"answers {error.response_code}"
    return Unavailable("identity-admin-unavailable", f"The identity provider's admin interface {kind}.")


def said(error: KeycloakError) -> str:
    """Keycloak's own reason."""
    try:
        content: Mapping[str, Any] = json.loads(error.response_body or b"{}")
        return str(content.get("errorMessage") or content.get("error_description") or "no reason given")
    except (ValueError, AttributeError):
        return "no reason given"
