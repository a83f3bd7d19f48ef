"""Which app is asking at the token endpoint (SMART App Launch 2.2, client-confidential-*.html; RFC 6749, 2.3)."""

import base64
import binascii
import json
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote_plus

from emr.identity.apps import App
from emr.identity.client_assertion import ASSERTION_TYPE, issuer_of, key_set, verified
from emr.identity.errors import ClientRefused
from emr.identity.service import Identity
from emr.kernel.clock import Clock
from emr.kernel.tenant import Tenant
from emr.subscriptions.addresses import EndpointRefused, Fence
from emr.subscriptions.outgoing import Outgoing

_MOST_BYTES: Final = 64 * 1024
_FRESH: Final = 300.0
_AGAIN: Final = 10.0
_MOST_SETS: Final = 200


class KeySets:
    """Public keys of apps that lie at an address of theirs, fetched as notifications are sent: see `subscriptions`."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], tuple[float, Mapping[str, Any]]] = OrderedDict()

    async def of(self, tenant: Tenant, app: App, kid: str) -> Mapping[str, Any]:
        """The keys of an app; fetched again after five minutes, or for a new key. Raises `ClientRefused`."""
        if app.jwks is not None:
            return app.jwks
        address = app.jwks_uri or ""
        known = self._known.get((tenant.id, address))
        age = time.monotonic() - known[0] if known else _FRESH
        if known and age < (_FRESH if _has(known[1], kid) else _AGAIN):
            return known[1]
        found = await self._fetched(tenant, address)
        self._known[tenant.id, address] = (time.monotonic(), found)
        while len(self._known) > _MOST_SETS:
            self._known.popitem(last=False)
        return found

    async def _fetched(self, tenant: Tenant, address: str) -> Mapping[str, Any]:
        fence = Fence(tenant.receivers)
        try:
            content = await Outgoing(fence).fetch(address, fence.demand(address), most=_MOST_BYTES)
            return key_set(json.loads(content or b"null"))
        except (EndpointRefused, ValueError, RecursionError) as error:
            raise ClientRefused("its keys cannot be had") from error


class Clients:
    """Tells apps apart for one application."""

    def __init__(self, identity: Identity, clock: Clock) -> None:
        self._identity = identity
        self._clock = clock
        self._keys = KeySets()

    async def asking(self, tenant: Tenant, form: Mapping[str, str], authorization: str | None, audience: str) -> App:
        """The app that has proved to be the one, by exactly one way: that of its kind. Raises `ClientRefused`."""
        if "client_assertion" in form or "client_assertion_type" in form:
            if authorization is not None or "client_secret" in form:
                raise ClientRefused("two ways at once")
            return await self._by_assertion(tenant, form, audience)
        if authorization is not None:
            return await self._by_secret(tenant, authorization, form)
        if "client_secret" in form:
            raise ClientRefused("a secret in the body")
        name = form.get("client_id", "")
        if not name and form.get("grant_type") == "refresh_token":
            # A public app proves nothing by its name, and SMART's own client does not give it here.
            name = await self._identity.app_access.grants.app_of(tenant.id, form.get("refresh_token", ""))
        app = await self._found(tenant, name)
        if app.kind != "public":
            raise ClientRefused("nothing proved")
        return app

    async def _by_assertion(self, tenant: Tenant, form: Mapping[str, str], audience: str) -> App:
        assertion = form.get("client_assertion", "")
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise ClientRefused("another type of assertion")
        app = await self._found(tenant, issuer_of(assertion))
        if app.kind not in ("asymmetric", "service") or form.get("client_id", app.id) != app.id:
            raise ClientRefused("another way, or another app")
        keys = await self._keys.of(tenant, app, _kid(assertion))
        found = verified(assertion, keys, client=app.id, audience=audience, now=self._clock())
        await self._identity.app_access.assertions.take(app.id, found)
        return app

    async def _by_secret(self, tenant: Tenant, authorization: str, form: Mapping[str, str]) -> App:
        scheme, _, encoded = authorization.partition(" ")
        try:
            pair = base64.b64decode(encoded.strip(), validate=True).decode()
        except (binascii.Error, ValueError) as error:
            raise ClientRefused("not basic") from error
        if scheme.lower() != "basic" or ":" not in pair:
            raise ClientRefused("not basic")
        name, _, secret = pair.partition(":")
        app = await self._found(tenant, unquote_plus(name))
        if app.kind != "confidential" or form.get("client_id", app.id) != app.id:
            raise ClientRefused("another way, or another app")
        if not app.has_secret(unquote_plus(secret)):
            raise ClientRefused("another secret")
        return app

    async def _found(self, tenant: Tenant, app_id: str) -> App:
        app = await self._identity.app_access.apps.find(tenant.id, app_id[:64])
        if app is None or not app.active:
            raise ClientRefused("no such app")
        return app


def _kid(assertion: str) -> str:
    head = assertion.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise ClientRefused("not an assertion") from error
    return str(header.get("kid", "")) if isinstance(header, dict) else ""


def _has(keys: Mapping[str, Any], kid: str) -> bool:
    return any(isinstance(each, dict) and each.get("kid") == kid for each in keys.get("keys", ()))
