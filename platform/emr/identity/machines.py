"""Machine clients at Keycloak, each managed by its own registration access token.

The platform's account may make clients (`create-client`) and no more: a client is changed and removed with the token
that came with it, so that losing the account lets nobody rewrite the clients that people sign in with. The shipped
realm keeps these tokens as they are at each use; with rotating ones an answer that got lost would lose the client.
"""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass, field
from typing import Any, Final

from keycloak import KeycloakAdmin, KeycloakOpenID
from keycloak.exceptions import KeycloakError

from emr.identity.people import join
from emr.identity.realm import ABSENT, Realm, refusal

_GONE: Final = (204, 401, ABSENT)
AUDIENCE_SCOPE: Final = "emr-machine"
"""The client scope of the shipped realm that names this platform as a token's audience."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A client: `jwks_url` is where its public keys are when it signs assertions, "" when it has a secret."""

    client_id: str
    name: str
    jwks_url: str = ""


@dataclass(frozen=True, slots=True)
class Registered:
    """A client that was just made. `token` manages it; `secret` is kept nowhere, "" for one that signs."""

    subject: str
    secret: str = field(repr=False)
    token: str = field(repr=False)


class Machines:
    """What each call raises: see `Realm.ask`."""

    def __init__(self, realm: Realm) -> None:
        self._realm = realm

    async def register(self, machine: Machine, organization_id: str) -> Registered:
        """Make a client and put its service account into the organization; whatever fails, nothing stays behind."""
        return await self._realm.ask(lambda admin: _register(admin, machine, organization_id))

    async def change(self, machine: Machine, token: str) -> str:
        """Give the client a new secret (the answer), or its address of keys; the old secret is over at once."""
        secret = secrets.token_urlsafe(32)
        await self._realm.ask(lambda admin: _update(admin, machine, token, secret))
        return "" if machine.jwks_url else secret

    async def remove(self, client_id: str, token: str) -> None:
        """Remove a client for good; one that is gone is as good."""
        await self._realm.ask(lambda admin: _remove(admin, client_id, token))


def _register(admin: KeycloakAdmin, machine: Machine, organization_id: str) -> Registered:
    secret = secrets.token_urlsafe(32)
    client = _client(admin)
    made = client.register_client(_token(admin), _body(machine, secret, signs=False))
    token = str(made["registrationAccessToken"])
    try:
        subject = _subject(admin, machine.client_id, secret)
        join(admin, organization_id, subject)
        if machine.jwks_url:
            client.update_client(token, machine.client_id, _body(machine, secret, signs=True))
    except KeycloakError:
        _remove(admin, machine.client_id, token)
        raise
    return Registered(subject, "" if machine.jwks_url else secret, token)


def _update(admin: KeycloakAdmin, machine: Machine, token: str, secret: str) -> None:
    _client(admin).update_client(token, machine.client_id, _body(machine, secret, signs=bool(machine.jwks_url)))


def _remove(admin: KeycloakAdmin, client_id: str, token: str) -> None:
    connection = _client(admin).connection
    connection.add_param_headers("Authorization", f"Bearer {token}")
    answer = connection.raw_delete(f"realms/{admin.connection.realm_name}/clients-registrations/default/{client_id}")
    if answer.status_code not in _GONE:
        raise refusal(KeycloakError("client", answer.status_code, answer.content))


def _subject(admin: KeycloakAdmin, client_id: str, secret: str) -> str:
    """The service account's id, out of a token of its own: the platform may not look it up, and the client is tried."""
    granted = _client(admin, client_id, secret).token(grant_type="client_credentials")
    claims = granted["access_token"].split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sub"])


def _client(admin: KeycloakAdmin, client_id: str = "", secret: str = "") -> KeycloakOpenID:
    server, realm, own = admin.connection.server_url, admin.connection.realm_name, admin.connection.client_id
    assert server is not None
    assert realm is not None
    assert own is not None
    return KeycloakOpenID(
        server_url=server,
        realm_name=realm,
        client_id=client_id or own,
        client_secret_key=secret or None,
        timeout=10,
        max_retries=0,
    )


def _token(admin: KeycloakAdmin) -> str:
    if admin.connection.token is None:
        admin.connection.get_token()
    assert admin.connection.token is not None
    return str(admin.connection.token["access_token"])


def _body(machine: Machine, secret: str, *, signs: bool) -> dict[str, Any]:
    attributes = {"use.jwks.url": "false", "jwks.url": "", "token.endpoint.auth.signing.alg": ""}
    if signs:
        attributes = {
            "use.jwks.url": "true",
            "jwks.url": machine.jwks_url,
            "token.endpoint.auth.signing.max.exp": "300",
        }
    return {
        "clientId": machine.client_id,
        "name": machine.name,
        "enabled": True,
        "publicClient": False,
        "secret": secret,
        "clientAuthenticatorType": "client-jwt" if signs else "client-secret",
        "standardFlowEnabled": False,
        "implicitFlowEnabled": False,
        "directAccessGrantsEnabled": False,
        "serviceAccountsEnabled": True,
        "fullScopeAllowed": False,
        "defaultClientScopes": ["basic", AUDIENCE_SCOPE, "organization"],
        "optionalClientScopes": [],
        "attributes": attributes,
    }
