"""A hospital's organization at a real Keycloak, by the account that the shipped realm has for it."""

import secrets
from typing import Any

import pytest
from pydantic import SecretStr

from emr.identity.provisioning import Organization, Organizations
from emr.kernel.errors import Conflict, Unavailable
from emr.settings import Identity
from tests.identity.world import World

pytestmark = pytest.mark.server


def settings(world: World, **changes: Any) -> Identity:
    server = world.provider.server
    return Identity(admin_url=server.url, admin_client_secret=SecretStr(server.secret)).model_copy(update=changes)


@pytest.fixture
def wanted() -> Organization:
    alias = f"h-{secrets.token_hex(4)}"
    return Organization(alias, f"Bệnh viện {alias}", (f"{alias}.example",))


class TestEnsure:
    def test_a_wrong_secret_is_refused(self, keycloak: World, wanted: Organization) -> None:
        with pytest.raises(Unavailable, match="refuses the onboarding account"):
            Organizations(settings(keycloak, admin_client_secret=SecretStr("wrong"))).ensure(wanted, None)

    def test_a_provider_that_is_down_is_unavailable(self, keycloak: World, wanted: Organization) -> None:
        with pytest.raises(Unavailable, match="does not answer"):
            Organizations(settings(keycloak, admin_url="http://127.0.0.1:9")).ensure(wanted, None)

    def test_an_alias_of_someone_else_is_refused(self, keycloak: World, wanted: Organization) -> None:
        keycloak.provider.server.administrator().create_organization(
            {"name": "Của người khác", "alias": wanted.alias, "enabled": True}
        )
        with pytest.raises(Conflict) as refusal:
            Organizations(settings(keycloak)).ensure(wanted, None)
        assert refusal.value.code == "organization-taken"

    def test_a_domain_of_another_hospital_is_refused(self, keycloak: World, wanted: Organization) -> None:
        with pytest.raises(Conflict):
            Organizations(settings(keycloak)).ensure(
                Organization(wanted.alias, wanted.name, ("hoa-sen.example",)), None
            )

    def test_it_is_made_once(self, keycloak: World, wanted: Organization) -> None:
        organizations = Organizations(settings(keycloak))
        assert organizations.changes(wanted, None) == ("create",)
        made = organizations.ensure(wanted, None)
        assert organizations.changes(wanted, made) == ()
        assert organizations.ensure(wanted, made) == made

    def test_it_is_found_again_when_its_id_was_not_stored(self, keycloak: World, wanted: Organization) -> None:
        made = Organizations(settings(keycloak)).ensure(wanted, None)
        assert Organizations(settings(keycloak)).ensure(wanted, None) == made

    def test_it_is_made_anew_when_it_was_deleted_there(self, keycloak: World, wanted: Organization) -> None:
        organizations = Organizations(settings(keycloak))
        made = organizations.ensure(wanted, None)
        keycloak.provider.server.administrator().delete_organization(made)
        assert organizations.ensure(wanted, made) != made

    def test_name_and_domains_follow_the_file(self, keycloak: World, wanted: Organization) -> None:
        organizations = Organizations(settings(keycloak))
        made = organizations.ensure(wanted, None)
        other = Organization(wanted.alias, f"{wanted.name} mới", (f"new-{wanted.alias}.example",))
        assert organizations.changes(other, made) == ("name", "domains")
        assert organizations.ensure(other, made) == made
        found = keycloak.provider.server.administrator().get_organization(made)
        assert (found["name"], [each["name"] for each in found["domains"]]) == (other.name, list(other.domains))
        assert organizations.changes(other, made) == ()

    def test_an_alias_that_differs_is_refused(self, keycloak: World, wanted: Organization) -> None:
        organizations = Organizations(settings(keycloak))
        made = organizations.ensure(wanted, None)
        with pytest.raises(Conflict) as refusal:
            organizations.ensure(Organization(f"x{wanted.alias}", wanted.name), made)
        assert refusal.value.code == "organization-renamed"

    def test_without_an_address_nothing_is_configured(self) -> None:
        assert not Organizations(Identity()).configured
