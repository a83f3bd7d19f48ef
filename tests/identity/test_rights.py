"""The least that the platform's account at Keycloak must be allowed: each of its roles is taken away once."""

import asyncio
import json
import secrets
from collections.abc import Callable
from typing import Any, Final

import pytest
from pydantic import SecretStr

from emr.identity.administration import Administered, administered
from emr.identity.brokers import Broker, Endpoints
from emr.identity.machines import Machine
from emr.identity.people import NewAccount
from emr.identity.provisioning import Organization, Organizations
from emr.kernel.errors import Unavailable
from emr.settings import Identity
from tests.identity.world import World
from tests.servers.keycloak import REALM_FILE, KeycloakServer

pytestmark = pytest.mark.server

REALM: Final[dict[str, Any]] = json.loads(REALM_FILE.read_text("utf-8"))
ROLES: Final = tuple(REALM["users"][0]["clientRoles"]["realm-management"])
Act = Callable[[Identity, Administered, dict[str, str]], Any]


def make_organization(settings: Identity, _: Administered, known: dict[str, str]) -> None:
    alias = f"h-{secrets.token_hex(4)}"
    Organizations(settings).ensure(Organization(alias, f"Bệnh viện {alias}", (f"{alias}.example",)), None)


def invite(_: Identity, at: Administered, known: dict[str, str]) -> None:
    async def act() -> None:
        account, _ = await at.people.find_or_make(NewAccount(f"{secrets.token_hex(4)}@x.example", "Trần An"))
        await at.people.join(known["organization"], account.subject)
        await at.people.one_time_password(account.subject)

    asyncio.run(act())


def close(_: Identity, at: Administered, known: dict[str, str]) -> None:
    asyncio.run(at.people.close(known["subject"]))


def take_out(_: Identity, at: Administered, known: dict[str, str]) -> None:
    asyncio.run(at.people.leave(known["organization"], known["subject"]))


def set_broker(_: Identity, at: Administered, known: dict[str, str]) -> None:
    endpoints = Endpoints("https://x.example", *(f"https://x.example/{each}" for each in ("a", "t", "k")))

    async def act() -> None:
        await at.brokers.set(known["organization"], Broker("SSO", endpoints, "emr", "thử"))
        await at.brokers.remove(known["organization"])

    asyncio.run(act())


def register(_: Identity, at: Administered, known: dict[str, str]) -> None:
    async def act() -> None:
        machine = Machine(f"lis-{secrets.token_hex(4)}", "LIS")
        made = await at.machines.register(machine, known["organization"])
        await at.machines.change(machine, made.token)
        await at.machines.remove(machine.client_id, made.token)

    asyncio.run(act())


VERBS: Final[tuple[Act, ...]] = (make_organization, invite, close, take_out, set_broker, register)
NEEDED_BY: Final[dict[str, set[str]]] = {
    "manage-organizations": {"make_organization", "invite", "take_out", "set_broker", "register"},
    "manage-users": {"invite", "close", "take_out", "set_broker", "register"},
    "manage-identity-providers": {"set_broker"},
    "create-client": {"register"},
}


def account(server: KeycloakServer, roles: tuple[str, ...]) -> Identity:
    """Settings for a service account of these roles of realm-management and nothing else."""
    root = server.administrator()
    client_id = f"rights-{secrets.token_hex(4)}"
    made = root.create_client(
        {
            "clientId": client_id, "enabled": True, "publicClient": False, "secret": server.secret,
            "standardFlowEnabled": False, "serviceAccountsEnabled": True, "fullScopeAllowed": True,
            "defaultClientScopes": ["basic", "roles"],
        }
    )  # fmt: skip
    subject = root.get_client_service_account_user(made)["id"]
    management = root.get_client_id("realm-management")
    if roles:
        root.assign_client_role(subject, management, [root.get_client_role(management, each) for each in roles])
    return Identity(
        issuer=server.issuer,
        admin_url=server.url,
        admin_client_id=client_id,
        admin_client_secret=SecretStr(server.secret),
    )


@pytest.fixture
def known(keycloak: World) -> dict[str, str]:
    server = keycloak.provider.server
    organization = keycloak.provider.organizations["hoa-sen"]
    return {"organization": organization, "subject": server.add_person(f"r{secrets.token_hex(4)}", organization)}


def refused(server: KeycloakServer, roles: tuple[str, ...], known: dict[str, str]) -> set[str]:
    """The verbs that an account of these roles may not do."""
    settings, wrong = account(server, roles), set()
    for verb in VERBS:
        try:
            verb(settings, administered(settings), known)
        except Unavailable:
            wrong.add(verb.__name__)
    return wrong


class TestRights:
    def test_the_realm_gives_the_account_these_and_no_others(self) -> None:
        assert sorted(ROLES) == sorted(NEEDED_BY)

    def test_an_account_without_any_does_nothing(self, keycloak: World, known: dict[str, str]) -> None:
        assert refused(keycloak.provider.server, (), known) == {verb.__name__ for verb in VERBS}

    @pytest.mark.parametrize("role", sorted(NEEDED_BY))
    def test_each_is_needed(self, keycloak: World, known: dict[str, str], role: str) -> None:
        rest = tuple(each for each in ROLES if each != role)
        assert refused(keycloak.provider.server, rest, known) == NEEDED_BY[role]

    def test_together_they_do_everything(self, keycloak: World, known: dict[str, str]) -> None:
        assert refused(keycloak.provider.server, ROLES, known) == set()
