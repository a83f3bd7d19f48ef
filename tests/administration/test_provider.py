"""A hospital's own identity provider: looked at, given to Keycloak, taken away. The demo's provider plays the part."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.administration.world import Administration
from tests.house import HOA_SEN, House
from tests.identity.providers import DemoProvider, demo_provider


@pytest.fixture(scope="module")
def own(at_keycloak: Administration, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoProvider]:
    """A provider on loopback, which the hospital's file allows."""
    folder: Path = tmp_path_factory.mktemp("own")
    at_keycloak.allow_loopback()
    with demo_provider(folder, at_keycloak.house.url) as running:
        yield running


def linked(world: Administration) -> list[str]:
    organization = world.house.tenants[HOA_SEN].organization_id
    return [each["alias"] for each in world.server.administrator().get_organization_idps(organization)]


def form(issuer: str, **fields: str) -> dict[str, str]:
    return {"issuer": issuer, "client_id": "emr-keycloak", "secret": "ít-nhất-một", "domain": ""} | fields


@pytest.mark.usefixtures("own")
class TestUse:
    def test_bad_fields_are_named(self, at_keycloak: Administration) -> None:
        answer = at_keycloak.post("/provider", issuer="", client_id="", secret="", domain="không đúng")
        assert answer.status_code == 422
        assert all(f'href="#f-{name}"' in answer.text for name in ("issuer", "client_id", "secret", "domain"))

    @pytest.mark.parametrize(
        "issuer", ["ftp://sso.example", "http://sso.example", "https://user:x@sso.example", "https://10.0.0.1"]
    )
    def test_an_address_that_is_no_place_for_it_is_refused(self, at_keycloak: Administration, issuer: str) -> None:
        assert at_keycloak.post("/provider", **form(issuer)).status_code == 422
        assert linked(at_keycloak) == []

    def test_an_address_without_a_provider_is_refused_and_changes_nothing(self, at_keycloak: Administration) -> None:
        answer = at_keycloak.post("/provider", **form(at_keycloak.house.url))
        assert answer.status_code == 422
        assert "Không đọc được tài liệu cấu hình" in answer.text
        assert linked(at_keycloak) == []

    def test_another_issuer_in_its_document_is_refused(self, at_keycloak: Administration, own: DemoProvider) -> None:
        answer = at_keycloak.post("/provider", **form(own.issuer.replace("127.0.0.1", "127.0.0.2")))
        assert answer.status_code == 422
        assert linked(at_keycloak) == []

    def test_it_is_given_to_the_organization_and_taken_away(
        self, at_keycloak: Administration, own: DemoProvider
    ) -> None:
        assert at_keycloak.post("/provider", **form(own.issuer)).status_code == 303
        assert linked(at_keycloak) == [f"hospital-{HOA_SEN}"]
        assert own.issuer in at_keycloak.get("/provider").text
        assert at_keycloak.post("/provider", **form(own.issuer, client_id="other")).status_code == 303
        found = at_keycloak.server.administrator().get_idp(f"hospital-{HOA_SEN}")
        assert (found["config"]["clientId"], found["trustEmail"], found["config"]["authorizationUrl"]) == (
            "other", False, f"{own.issuer}/authorize",
        )  # fmt: skip
        assert at_keycloak.post("/provider/remove").status_code == 422
        assert at_keycloak.post("/provider/remove", sure="yes").status_code == 303
        assert linked(at_keycloak) == []
        assert at_keycloak.post("/provider/remove", sure="yes").status_code == 303

    def test_in_a_realm_without_the_flow_for_a_second_factor_it_is_kept_without(
        self, at_keycloak: Administration, own: DemoProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("emr.identity.brokers.AFTERWARDS", "of a later release")
        for client_id in ("made", "changed"):
            assert at_keycloak.post("/provider", **form(own.issuer, client_id=client_id)).status_code == 303
            found = at_keycloak.server.administrator().get_idp(f"hospital-{HOA_SEN}")
            assert (found["config"]["clientId"], "postBrokerLoginFlowAlias" in found) == (client_id, False)
        assert at_keycloak.post("/provider/remove", sure="yes").status_code == 303


class TestInTheDemo:
    def test_the_page_says_where_it_is_done(self, live: House) -> None:
        with live.client("admin", headers={"Accept": "text/html"}) as client:
            page = client.get(f"{live.url}/h/{HOA_SEN}/admin/provider")
            assert "không quản lý dịch vụ đăng nhập" in page.text
            answer = client.post(f"{live.url}/h/{HOA_SEN}/admin/provider", data=form("https://sso.example"))
        assert answer.status_code == 503
