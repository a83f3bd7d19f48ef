"""A hospital's own identity provider: an OpenID provider that Keycloak sends the hospital's people to.

It is named after the alias of the hospital's organization, by which a token says where somebody came through.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from keycloak import KeycloakAdmin
from keycloak.exceptions import KeycloakError

from emr.identity.realm import ABSENT, Realm
from emr.identity.tokens import BROKER

AFTERWARDS: Final = "emr after hospital"
"""The flow of the shipped realm that asks for a second factor, where one is wanted, after the hospital's provider."""
_BROKEN: Final = 500


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What the provider's discovery document says (OpenID Connect Discovery 1.0, 3)."""

    issuer: str
    authorization: str
    token: str
    jwks: str
    userinfo: str = ""
    end_session: str = ""


@dataclass(frozen=True, slots=True)
class Broker:
    """The provider of one hospital: `name` is the hospital's, `domain` the e-mail domain whose people go there."""

    name: str
    endpoints: Endpoints
    client_id: str
    secret: str = field(repr=False)
    domain: str = ""


@dataclass(frozen=True, slots=True)
class Linked:
    """The provider that is in use; an `issuer` "" says that there is none.

    `redirect_uri` is what the hospital's provider must allow.
    """

    issuer: str
    client_id: str
    redirect_uri: str


class Brokers:
    """Every call is safe to repeat. What each raises: see `Realm.ask`."""

    def __init__(self, realm: Realm, issuer: str) -> None:
        self._realm = realm
        self._issuer = issuer.rstrip("/")

    async def find(self, organization_id: str) -> Linked:
        """The provider of an organization, as far as it is one that was set here; without an issuer where none is."""
        alias, config = await self._realm.ask(lambda admin: _find(admin, organization_id))
        back = f"{self._issuer}/broker/{alias}/endpoint"
        return Linked(str(config.get("issuer", "")), str(config.get("clientId", "")), back)

    async def set(self, organization_id: str, broker: Broker) -> None:
        """Make the provider, or change it, and give it to the organization."""
        await self._realm.ask(lambda admin: _set(admin, organization_id, broker))

    async def remove(self, organization_id: str) -> None:
        """Take the provider away; there being none is as good.

        Who came through it keeps the account, without it, and is signed out.
        """
        await self._realm.ask(lambda admin: _remove(admin, organization_id))


def _alias(admin: KeycloakAdmin, organization_id: str) -> str:
    return f"{BROKER}{admin.get_organization(organization_id)['alias']}"


def _find(admin: KeycloakAdmin, organization_id: str) -> tuple[str, Mapping[str, Any]]:
    alias = _alias(admin, organization_id)
    linked: Sequence[Mapping[str, Any]] = admin.get_organization_idps(organization_id)
    mine = [each.get("config") or {} for each in linked if each.get("alias") == alias]
    return alias, mine[0] if mine else {}


def _set(admin: KeycloakAdmin, organization_id: str, broker: Broker) -> None:
    alias = _alias(admin, organization_id)
    body = _body(alias, broker)
    linked: Sequence[Mapping[str, Any]] = admin.get_organization_idps(organization_id)
    if _exists(admin, alias):
        _kept(lambda whole: admin.update_idp(alias, whole), body | {"organizationId": organization_id})
    else:
        _kept(admin.create_idp, body)
    if all(each.get("alias") != alias for each in linked):
        admin.organization_idp_add(organization_id, alias)


def _kept(keep: Callable[[dict[str, Any]], object], body: dict[str, Any]) -> None:
    """A realm of an older release lacks the flow, at which Keycloak breaks: the provider is kept without it then.

    Nobody gets a second factor by it, and whoever needs one is refused.
    """
    try:
        keep(body)
    except KeycloakError as error:
        if error.response_code != _BROKEN:
            raise
        keep({name: value for name, value in body.items() if value != AFTERWARDS})


def _remove(admin: KeycloakAdmin, organization_id: str) -> None:
    alias = _alias(admin, organization_id)
    if _exists(admin, alias):
        # Shut before sessions end, so that nobody comes in between; links to it are gone once it is.
        admin.update_idp(alias, dict(admin.get_idp(alias)) | {"enabled": False})
        for user in admin.get_users({"idpAlias": alias}):
            admin.user_logout(user["id"])
    if any(each.get("alias") == alias for each in admin.get_organization_idps(organization_id)):
        admin.organization_idp_remove(organization_id, alias)
    if _exists(admin, alias):
        admin.delete_idp(alias)


def _exists(admin: KeycloakAdmin, alias: str) -> bool:
    try:
        admin.get_idp(alias)
    except KeycloakError as error:
        if error.response_code == ABSENT:
            return False
        raise
    return True


def _body(alias: str, broker: Broker) -> dict[str, Any]:
    """Neither e-mail addresses nor tokens of the hospital's provider are believed beyond this sign-in."""
    said = broker.endpoints
    routing = {"kc.org.domain": broker.domain, "kc.org.broker.redirect.mode.email-matches": "true"}
    return {
        "alias": alias,
        "displayName": broker.name,
        "providerId": "oidc",
        "enabled": True,
        "trustEmail": False,
        "storeToken": False,
        "hideOnLogin": True,
        "postBrokerLoginFlowAlias": AFTERWARDS,
        "config": {
            "issuer": said.issuer,
            "authorizationUrl": said.authorization,
            "tokenUrl": said.token,
            "jwksUrl": said.jwks,
            "userInfoUrl": said.userinfo,
            "logoutUrl": said.end_session,
            "useJwksUrl": "true",
            "validateSignature": "true",
            "clientId": broker.client_id,
            "clientSecret": broker.secret,
            "clientAuthMethod": "client_secret_basic",
            "defaultScope": "openid profile email",
            "loginHint": "true",
            "pkceEnabled": "true",
            "pkceMethod": "S256",
            "syncMode": "IMPORT",
        }
        | (routing if broker.domain else {}),
    }
