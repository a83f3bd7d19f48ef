"""The realm that the chart ships: how people and machines sign in, and nobody in it."""

import json
from typing import Any

import pytest

from emr.identity.principal import ROLES, SUPPORT_ROLES, SYSTEM_ROLE
from tests.helm.chart import CHART, one, render

REALM: dict[str, Any] = json.loads((CHART / "files/emr-realm.json").read_text("utf-8"))


def client(name: str) -> dict[str, Any]:
    (found,) = [entry for entry in REALM["clients"] if entry["clientId"] == name]
    return dict(found)


class TestRealm:
    def test_nobody_is_in_it(self) -> None:
        assert "organizations" not in REALM
        assert [user["username"] for user in REALM["users"]] == ["service-account-emr-admin"]
        assert "credentials" not in REALM["users"][0]

    def test_every_secret_comes_from_the_environment(self) -> None:
        assert {entry["secret"] for entry in REALM["clients"]} == {
            "${EMR_API_SECRET}", "${EMR_WEB_SECRET}", "${EMR_ADMIN_SECRET}",
        }  # fmt: skip

    def test_people_sign_in_by_code_with_pkce_and_come_back_to_one_address(self) -> None:
        web = client("emr-web")
        assert web["standardFlowEnabled"] is True
        assert not any(web[flow] for flow in ("implicitFlowEnabled", "directAccessGrantsEnabled", "publicClient"))
        assert web["attributes"]["pkce.code.challenge.method"] == "S256"
        assert web["redirectUris"] == ["${EMR_BASE_URL}/auth/callback"]

    def test_signing_out_anywhere_ends_the_session_here(self) -> None:
        attributes = client("emr-web")["attributes"]
        assert attributes["backchannel.logout.url"] == "${EMR_BASE_URL}/auth/backchannel-logout"
        assert attributes["backchannel.logout.session.required"] == "true"

    def test_tokens_are_short_and_refresh_tokens_work_once(self) -> None:
        assert REALM["accessTokenLifespan"] <= 120
        assert REALM["revokeRefreshToken"] is True
        assert REALM["refreshTokenMaxReuse"] == 0

    def test_the_organization_claim_holds_ids(self) -> None:
        (scope,) = [entry for entry in REALM["clientScopes"] if entry["name"] == "organization"]
        mapper = scope["protocolMappers"][0]["config"]
        assert mapper["addOrganizationId"] == "true"
        assert mapper["jsonType.label"] == "JSON"

    def test_its_roles_are_the_platform_s(self) -> None:
        assert {role["name"] for role in REALM["roles"]["client"]["emr-api"]} == ROLES - {SYSTEM_ROLE, *SUPPORT_ROLES}


@pytest.mark.server
class TestConfigMap:
    def test_it_holds_the_file(self) -> None:
        assert json.loads(one("ConfigMap", "emr-realm")["data"]["emr-realm.json"]) == REALM

    def test_an_installation_with_its_own_realm_goes_without(self) -> None:
        names = [m["metadata"]["name"] for m in render({"realm": {"configMap": False}})]
        assert "emr-realm" not in names
