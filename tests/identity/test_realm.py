"""Whoever asks Keycloak's admin interface after another takes over the other's connection, as long as all is well."""

import asyncio
import threading

import pytest
from keycloak import KeycloakAdmin
from pydantic import SecretStr

from emr.identity import realm as room
from emr.identity.realm import Realm
from emr.kernel.errors import Unavailable
from emr.settings import Identity
from tests.identity.world import World

pytestmark = [pytest.mark.server, pytest.mark.anyio]


def realm(world: World) -> Realm:
    server = world.provider.server
    return Realm(Identity(admin_url=server.url, admin_client_secret=SecretStr(server.secret)))


def users(admin: KeycloakAdmin) -> KeycloakAdmin:
    admin.users_count()
    return admin


def of_nobody(admin: KeycloakAdmin) -> None:
    admin.get_user("nobody")


class TestAsk:
    async def test_the_next_takes_over_the_connection(self, keycloak: World) -> None:
        asked = realm(keycloak)
        first = await asked.ask(users)
        assert await asked.ask(users) is first

    async def test_two_at_a_time_have_one_each(self, keycloak: World) -> None:
        asked, both = realm(keycloak), threading.Barrier(2, timeout=60)

        def together(admin: KeycloakAdmin) -> KeycloakAdmin:
            both.wait()
            return users(admin)

        first, second = await asyncio.gather(asked.ask(together), asked.ask(together))
        assert first is not second

    async def test_one_that_saw_a_refusal_is_not_used_again(self, keycloak: World) -> None:
        asked = realm(keycloak)
        first = await asked.ask(users)
        with pytest.raises(Unavailable):
            await asked.ask(of_nobody)
        assert await asked.ask(users) is not first

    async def test_one_that_has_grown_old_is_not_used_again(
        self, keycloak: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = realm(keycloak)
        first = await asked.ask(users)
        monkeypatch.setattr(room, "_KEPT_SECONDS", 0)
        assert await asked.ask(users) is not first
