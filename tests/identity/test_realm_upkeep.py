"""A realm that an older release imported gets what was added since, and keeps everything else."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from keycloak import KeycloakAdmin
from pydantic import SecretStr
from typer.testing import CliRunner

from emr.fleet.realm import realm
from emr.identity import realm_flows
from emr.identity.brokers import AFTERWARDS
from emr.identity.realm_flows import demanded_flows
from emr.identity.realm_mappers import demanded
from emr.identity.realm_upkeep import RealmUpkeep
from emr.kernel.errors import Unavailable
from emr.settings import Identity
from tests.identity.world import World
from tests.servers.keycloak import REALM_FILE, KeycloakServer

ADDED_SINCE: Final = "identity provider"
LOOK: Final = ("view-clients", "view-realm", "view-identity-providers")
OWN_STEP: Final = "auth-recovery-authn-code-form"
SAYS: Final = ("authorization", "token")
CHANGE: Final = ("manage-clients", "manage-realm", "manage-identity-providers")
OURS: Final = "hospital-a"
OTHERS: Final = {"hospital-b": "emr sign-in", "province": None}
"""Providers with what each names as its flow afterwards: one that somebody chose, and one that is no hospital's."""


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

    def test_the_flow_after_a_hospital_s_provider_is_the_shipped_file_s(self) -> None:
        file = shipped()
        assert demanded_flows() == {
            kind: [each for each in file[kind] if each["alias"].startswith(AFTERWARDS)]
            for kind in ("authenticationFlows", "authenticatorConfig")
        }


@dataclass(frozen=True)
class OldRealm:
    """A realm of the shipped file as it was before a mapper was added, on a Keycloak that has the new one too."""

    server: KeycloakServer
    name: str
    root: KeycloakAdmin
    imported: list[dict[str, Any]] = field(default_factory=list)
    """The steps of the flow after a hospital's provider, as the import made them."""
    accounts: dict[tuple[str, ...], Identity] = field(default_factory=dict)

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

    def steps(self) -> list[dict[str, Any]]:
        """The flow after a hospital's provider without Keycloak's ids."""
        ids = ("id", "flowId", "authenticationConfig")
        return [
            {name: value for name, value in each.items() if name not in ids} | {"config": self.config(each)}
            for each in self.root.get_authentication_flow_executions(AFTERWARDS)
        ]

    def by_name(self) -> dict[str, dict[str, Any]]:
        """The steps of it by authenticator or flow; of several of one name the last."""
        found = self.root.get_authentication_flow_executions(AFTERWARDS)
        return {each.get("providerId") or each["displayName"]: each for each in found}

    def config(self, step: dict[str, Any]) -> dict[str, Any] | None:
        known = step.get("authenticationConfig")
        return {**self.root.get_authenticator_config(known), "id": None} if known else None

    def flows(self) -> dict[str, str]:
        """Name and Keycloak's own id."""
        return {each["alias"]: each["id"] for each in self.root.get_authentication_flows()}

    def afterwards(self, provider: str) -> str | None:
        """The flow that it names."""
        found: str | None = self.root.get_idp(provider).get("postBrokerLoginFlowAlias")
        return found

    def unbind(self) -> None:
        self.root.update_idp(OURS, dict(self.root.get_idp(OURS)) | {"postBrokerLoginFlowAlias": ""})

    def account(self, *roles: str) -> Identity:
        """Settings with an account of this realm that has these roles of realm-management."""
        if roles not in self.accounts:
            self.accounts[roles] = self._account(roles)
        return self.accounts[roles]

    def _account(self, roles: tuple[str, ...]) -> Identity:
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


def provider(alias: str, flow: str | None) -> dict[str, Any]:
    config = {"clientId": "emr", "clientSecret": "x", **{f"{each}Url": f"https://x.example/{each}" for each in SAYS}}
    named = {"postBrokerLoginFlowAlias": flow} if flow else {}
    return {"alias": alias, "providerId": "oidc", "enabled": True, "config": config} | named


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
    wanted["identityProviders"] = [provider(each, flow) for each, flow in {OURS: AFTERWARDS, **OTHERS}.items()]
    server.administrator().create_realm(wanted)
    root = KeycloakAdmin(
        server_url=server.url, username="root", password=server.secret, realm_name=name, user_realm_name="master"
    )
    made = OldRealm(server, name, root)
    made.imported.extend(made.steps())
    yield made
    root.delete_realm(name)


@pytest.fixture
def old(made: OldRealm) -> OldRealm:
    """It lacks the mapper."""
    if AFTERWARDS not in made.flows():
        RealmUpkeep(made.account(*CHANGE)).apply()
    made.remove(ADDED_SINCE)
    return made


@pytest.fixture
def bare(made: OldRealm) -> OldRealm:
    """It lacks the flow."""
    if ADDED_SINCE not in made.mappers():
        [wanted] = [each for each in demanded()["clients"]["emr-web"] if each["name"] == ADDED_SINCE]
        made.root.add_mapper_to_client(made.client(), dict(wanted))
    made.unbind()
    made.root.delete_authentication_flow(made.flows()[AFTERWARDS])
    return made


@pytest.mark.server
@pytest.mark.timeout(600)
class TestKeycloak:
    def test_a_plan_tells_what_is_missing_and_changes_nothing(self, old: OldRealm) -> None:
        upkeep = RealmUpkeep(old.account(*LOOK))
        assert [(each.verb, each.name, each.what) for each in upkeep.changes()] == [
            ("add", "emr-web", f"mapper {ADDED_SINCE}")
        ]
        assert ADDED_SINCE not in old.mappers()

    def test_it_is_added_as_the_shipped_file_has_it_and_once(self, old: OldRealm) -> None:
        upkeep = RealmUpkeep(old.account(*CHANGE))
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
        assert RealmUpkeep(old.account(*CHANGE)).apply() == []
        old.remove("by hand")

    def test_one_that_says_something_else_is_set_right(self, old: OldRealm) -> None:
        upkeep = RealmUpkeep(old.account(*CHANGE))
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
        RealmUpkeep(old.account(*CHANGE)).apply()
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
        master.assign_client_role(subject, own, [master.get_client_role(own, each) for each in CHANGE])
        settings = Identity(
            admin_url=server.url, upkeep_realm="master", upkeep_client_id=f"emr-upkeep-{old.name}",
            upkeep_client_secret=SecretStr(server.secret),
        )  # fmt: skip
        assert RealmUpkeep(settings).changes() == []
        master.delete_client(made)

    @pytest.mark.parametrize("roles", [LOOK, CHANGE[1:], CHANGE[::2], CHANGE[:2]], ids="-".join)
    def test_nobody_changes_anything_without_the_right(self, old: OldRealm, roles: tuple[str, ...]) -> None:
        with pytest.raises(Unavailable, match="manage-clients"):
            RealmUpkeep(old.account(*roles)).apply()
        assert ADDED_SINCE not in old.mappers()

    def test_the_command_shows_it_and_does_it(self, old: OldRealm, monkeypatch: pytest.MonkeyPatch) -> None:
        given = old.account(*CHANGE)
        for name in ("admin_url", "admin_realm", "upkeep_client_id"):
            monkeypatch.setenv(f"EMR_IDENTITY__{name.upper()}", getattr(given, name))
        monkeypatch.setenv("EMR_IDENTITY__UPKEEP_CLIENT_SECRET", old.server.secret)
        wanted = [{"step": "add", "of": "client", "name": "emr-web", "what": f"mapper {ADDED_SINCE}"}]
        for arguments, rows in ((["plan"], wanted), (["apply"], wanted), (["plan"], []), (["apply"], [])):
            done = CliRunner().invoke(realm, [*arguments, "--json"])
            assert (done.exit_code, json.loads(done.stdout)) == (0, rows)


@pytest.mark.server
@pytest.mark.timeout(600)
class TestFlow:
    def test_it_is_made_as_the_import_makes_it_and_given_to_the_hospital_s_provider(self, bare: OldRealm) -> None:
        upkeep, before = RealmUpkeep(bare.account(*CHANGE)), bare.flows()
        plan = RealmUpkeep(bare.account(*LOOK)).changes()
        assert (bare.flows(), bare.afterwards(OURS)) == (before, None)
        assert [(each.verb, each.of, each.name) for each in (plan[0], plan[-1])] == [
            ("add", "flow", AFTERWARDS), ("bind", "provider", OURS),
        ]  # fmt: skip
        assert len(plan) == 1 + len(bare.imported) + 1
        assert upkeep.apply() == plan
        assert bare.steps() == bare.imported
        assert bare.afterwards(OURS) == AFTERWARDS
        assert {each: bare.afterwards(each) for each in OTHERS} == OTHERS
        made = bare.flows()
        assert {**before, AFTERWARDS: made[AFTERWARDS]} == made
        assert (upkeep.apply(), bare.flows()) == ([], made)

    def test_one_that_was_begun_is_finished_and_what_is_the_installation_s_own_stays(self, bare: OldRealm) -> None:
        root, upkeep = bare.root, RealmUpkeep(bare.account(*CHANGE))
        upkeep.apply()
        root.create_authentication_flow_execution({"provider": OWN_STEP}, AFTERWARDS)
        found = bare.by_name()
        root.delete_authentication_flow_execution(found["auth-otp-form"]["id"])
        root.delete_authenticator_config(found["conditional-credential"]["authenticationConfig"])
        for name, requirement in (("webauthn-authenticator", "DISABLED"), (f"{AFTERWARDS} 2", "REQUIRED")):
            root.update_authentication_flow_executions(found[name] | {"requirement": requirement}, AFTERWARDS)
        assert [(each.verb, each.what.split(",")[0]) for each in upkeep.apply()] == [
            ("change", "step webauthn-authenticator"),
            ("change", "step conditional-credential"),
            ("add", "step auth-otp-form"),
        ]
        assert upkeep.changes() == []
        found = bare.by_name()
        assert (found[OWN_STEP]["requirement"], found[f"{AFTERWARDS} 2"]["requirement"]) == ("DISABLED", "REQUIRED")
        loosened = found[f"{AFTERWARDS} 2"] | {"requirement": "CONDITIONAL"}
        root.update_authentication_flow_executions(loosened, AFTERWARDS)
        root.delete_authentication_flow_execution(found[OWN_STEP]["id"])
        assert bare.steps() == bare.imported

    def test_one_that_somebody_made_by_hand_under_other_names_is_as_good_and_no_provider_is_overlooked(
        self, bare: OldRealm, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Keycloak tells of a hundred providers at most; here a page is as long as that is in life."""
        upkeep = RealmUpkeep(bare.account(*CHANGE))
        upkeep.apply()
        for step in bare.root.get_authentication_flow_executions(AFTERWARDS):
            if step.get("authenticationFlow"):
                named = step | {"displayName": f"by hand {step['displayName']}"}
                bare.root.update_authentication_flow_executions(named, AFTERWARDS)
        assert bare.by_name().keys() >= {f"by hand {AFTERWARDS} {each}" for each in (1, 2, "key", "code")}
        bare.unbind()
        monkeypatch.setattr(realm_flows, "_PAGE", 1)
        assert [(each.verb, each.name) for each in upkeep.changes()] == [("bind", OURS)]


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
