"""A realm that an older release imported gets the protocol mappers that were added since, and keeps everything else."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from keycloak import KeycloakAdmin
from pydantic import SecretStr
from typer.testing import CliRunner

from emr.fleet.realm import realm
from emr.identity.realm_upkeep import RealmUpkeep, demanded
from emr.kernel.errors import Unavailable
from emr.settings import Identity
from tests.identity.world import World
from tests.servers.keycloak import REALM_FILE, KeycloakServer

ADDED_SINCE: Final = "identity provider"


def shipped() -> dict[str, Any]:
    return json.loads(REALM_FILE.read_text("utf-8"))  # type: ignore[no-any-return]


def told(mapper: dict[str, Any]) -> dict[str, Any]:
    return {name: mapper[name] for name in ("name", "protocol", "protocolMapper", "config")}


class TestDemanded:
    def test_every_client_of_the_shipped_file_has_the_mappers_that_the_file_gives_it(self) -> None:
        clients = {each["clientId"]: each.get("protocolMappers", []) for each in shipped()["clients"]}
        assert demanded()["clients"] == {name: [told(each) for each in has] for name, has in clients.items() if has}

    def test_so_have_the_scopes_that_say_which_hospital_and_for_whom_a_token_is(self) -> None:
        scopes = {each["name"]: each.get("protocolMappers", []) for each in shipped()["clientScopes"]}
        wanted = ("organization", "emr-machine")
        assert demanded()["scopes"] == {name: [told(each) for each in scopes[name]] for name in wanted}


@dataclass(frozen=True)
class OldRealm:
    """A realm of the shipped file as it was before a mapper was added, on a Keycloak that has the new one too."""

    server: KeycloakServer
    name: str
    root: KeycloakAdmin

    def client(self, name: str = "emr-web") -> str:
        """Keycloak's own id."""
        return str(self.root.get_client_id(name))

    def mappers(self) -> dict[str, Any]:
        found = self.root.get_mappers_from_client(self.client())
        return {each["name"]: each for each in found}

    def remove(self, name: str) -> None:
        found = self.mappers().get(name)
        if found:
            self.root.remove_client_mapper(self.client(), found["id"])

    def account(self, *roles: str) -> Identity:
        """Settings with an account of this realm that has these roles of realm-management."""
        client_id = f"upkeep-{secrets.token_hex(4)}"
        made = self.root.create_client(
            {
                "clientId": client_id, "enabled": True, "publicClient": False, "secret": self.server.secret,
                "standardFlowEnabled": False, "serviceAccountsEnabled": True, "fullScopeAllowed": True,
                "defaultClientScopes": ["basic", "roles"],
            }
        )  # fmt: skip
        management = self.client("realm-management")
        subject = self.root.get_client_service_account_user(made)["id"]
        self.root.assign_client_role(
            subject, management, [self.root.get_client_role(management, each) for each in roles]
        )
        return Identity(
            admin_url=self.server.url, admin_realm=self.name, upkeep_client_id=client_id,
            upkeep_client_secret=SecretStr(self.server.secret),
        )  # fmt: skip


@pytest.fixture(scope="module")
def made(keycloak_world: World) -> Iterator[OldRealm]:
    server, name = keycloak_world.provider.server, f"old-{secrets.token_hex(3)}"
    text = REALM_FILE.read_text("utf-8")
    for variable in ("EMR_WEB_SECRET", "EMR_API_SECRET", "EMR_ADMIN_SECRET"):
        text = text.replace("${" + variable + "}", server.secret)
    wanted = json.loads(text.replace("${EMR_BASE_URL}", server.platform_url)) | {"realm": name}
    for client in wanted["clients"]:
        mappers = client.get("protocolMappers", [])
        client["protocolMappers"] = [each for each in mappers if each["name"] != ADDED_SINCE]
    server.administrator().create_realm(wanted)
    root = KeycloakAdmin(
        server_url=server.url, username="root", password=server.secret, realm_name=name, user_realm_name="master"
    )
    yield OldRealm(server, name, root)
    root.delete_realm(name)


@pytest.fixture
def old(made: OldRealm) -> OldRealm:
    made.remove(ADDED_SINCE)
    return made


@pytest.mark.server
@pytest.mark.timeout(600)
class TestKeycloak:
    def test_a_plan_tells_what_is_missing_and_changes_nothing(self, old: OldRealm) -> None:
        upkeep = RealmUpkeep(old.account("view-clients"))
        assert [(each.verb, each.owner, each.mapper["name"]) for each in upkeep.changes()] == [
            ("add", "emr-web", ADDED_SINCE)
        ]
        assert ADDED_SINCE not in old.mappers()

    def test_it_is_added_as_the_shipped_file_has_it_and_once(self, old: OldRealm) -> None:
        upkeep = RealmUpkeep(old.account("manage-clients"))
        before = old.root.get_client(old.client())
        assert len(upkeep.apply()) == 1
        [wanted] = [each for each in demanded()["clients"]["emr-web"] if each["name"] == ADDED_SINCE]
        # Keycloak adds what it takes for granted.
        found = told(old.mappers()[ADDED_SINCE])
        assert found | {"config": found["config"] | wanted["config"]} == found
        assert {**found, "config": None} == {**wanted, "config": None}
        assert (upkeep.apply(), upkeep.changes()) == ([], [])
        after = old.root.get_client(old.client())
        assert {**before, "protocolMappers": None} == {**after, "protocolMappers": None}

    def test_one_that_was_added_by_hand_under_another_name_is_as_good(self, old: OldRealm) -> None:
        [wanted] = [each for each in demanded()["clients"]["emr-web"] if each["name"] == ADDED_SINCE]
        own = dict(wanted) | {"name": "by hand"}
        old.root.add_mapper_to_client(old.client(), own)
        assert RealmUpkeep(old.account("manage-clients")).apply() == []
        old.remove("by hand")

    def test_one_that_says_something_else_is_set_right(self, old: OldRealm) -> None:
        upkeep = RealmUpkeep(old.account("manage-clients"))
        upkeep.apply()
        wrong = old.mappers()[ADDED_SINCE]
        wrong["config"]["access.token.claim"] = "false"
        old.root.update_client_mapper(old.client(), wrong["id"], wrong)
        assert [each.verb for each in upkeep.apply()] == ["change"]
        assert old.mappers()[ADDED_SINCE]["config"]["access.token.claim"] == "true"

    def test_a_scope_that_lost_its_mapper_gets_it_back(self, old: OldRealm) -> None:
        [scope] = [each for each in old.root.get_client_scopes() if each["name"] == "organization"]
        [mapper] = [each for each in scope["protocolMappers"] if each["name"] == "organization"]
        mapper["config"]["addOrganizationId"] = "false"
        old.root.update_mapper_in_client_scope(scope["id"], mapper["id"], mapper)
        RealmUpkeep(old.account("manage-clients")).apply()
        [scope] = [each for each in old.root.get_client_scopes() if each["name"] == "organization"]
        [mapper] = [each for each in scope["protocolMappers"] if each["name"] == "organization"]
        assert mapper["config"]["addOrganizationId"] == "true"

    def test_a_newly_imported_realm_lacks_nothing(self, keycloak_world: World, old: OldRealm) -> None:
        """The server's own administrator may look at every realm: the account may be of another one."""
        server = keycloak_world.provider.server
        master = KeycloakAdmin(server_url=server.url, username="root", password=server.secret, realm_name="master")
        made = master.create_client(
            {"clientId": f"emr-upkeep-{old.name}", "secret": server.secret, "serviceAccountsEnabled": True}
        )
        subject = master.get_client_service_account_user(made)["id"]
        own = str(master.get_client_id("emr-realm"))
        master.assign_client_role(subject, own, [master.get_client_role(own, "manage-clients")])
        settings = Identity(
            admin_url=server.url, upkeep_realm="master", upkeep_client_id=f"emr-upkeep-{old.name}",
            upkeep_client_secret=SecretStr(server.secret),
        )  # fmt: skip
        assert RealmUpkeep(settings).changes() == []
        master.delete_client(made)

    @pytest.mark.parametrize("roles", [("view-clients",), ("create-client", "manage-users")], ids="-".join)
    def test_nobody_changes_anything_without_the_right(self, old: OldRealm, roles: tuple[str, ...]) -> None:
        with pytest.raises(Unavailable, match="manage-clients"):
            RealmUpkeep(old.account(*roles)).apply()
        assert ADDED_SINCE not in old.mappers()

    def test_the_command_shows_it_and_does_it(self, old: OldRealm, monkeypatch: pytest.MonkeyPatch) -> None:
        given = old.account("manage-clients")
        for name in ("admin_url", "admin_realm", "upkeep_client_id"):
            monkeypatch.setenv(f"EMR_IDENTITY__{name.upper()}", getattr(given, name))
        monkeypatch.setenv("EMR_IDENTITY__UPKEEP_CLIENT_SECRET", old.server.secret)
        wanted = [{"step": "add", "of": "client", "name": "emr-web", "mapper": ADDED_SINCE}]
        for arguments, rows in ((["plan"], wanted), (["apply"], wanted), (["plan"], []), (["apply"], [])):
            done = CliRunner().invoke(realm, [*arguments, "--json"])
            assert (done.exit_code, json.loads(done.stdout)) == (0, rows)


class TestCommand:
    @pytest.mark.parametrize("missing", ["ADMIN_URL", "UPKEEP_CLIENT_SECRET"])
    def test_it_says_what_it_was_not_given(self, missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in {"ADMIN_URL", "UPKEEP_CLIENT_SECRET"} - {missing}:
            monkeypatch.setenv(f"EMR_IDENTITY__{name}", "http://127.0.0.1:9")
        done = CliRunner().invoke(realm, ["plan"])
        assert (done.exit_code, f"EMR_IDENTITY__{missing}" in done.output) == (2, True)

    def test_keycloak_that_does_not_answer_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("EMR_IDENTITY__ADMIN_URL", "http://127.0.0.1:9")
        monkeypatch.setenv("EMR_IDENTITY__UPKEEP_CLIENT_SECRET", "x")
        done = CliRunner().invoke(realm, ["plan"])
        assert (done.exit_code, "does not answer" in done.output) == (2, True)
