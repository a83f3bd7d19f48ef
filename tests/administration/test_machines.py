"""Machine clients by the administrator's pages, with a real Keycloak behind them."""

import html
import re
import secrets
from dataclasses import dataclass

import httpx

from tests.administration.world import Administration
from tests.house import CAU_VONG, HOA_SEN, House


@dataclass
class Machine:
    client_id: str
    secret: str
    subject: str


def connect(world: Administration, **fields: str) -> Machine:
    """A machine client, as its page shows it once."""
    asked = {"name": "LIS thử", "role": "lis", "scopes": "", "proof": "secret"} | fields
    answer = world.post("/machines/new", **asked)
    assert answer.status_code == 200, answer.text
    return shown(world, answer.text)


def shown(world: Administration, page: str) -> Machine:
    client_id = re.search(r"data-client>([^<]+)<", page)
    secret = re.search(r"data-secret>([^<]+)<", page)
    assert client_id is not None
    (row,) = world.house.sql("SELECT subject FROM directory.machine_clients WHERE client_id = %s", client_id[1])
    return Machine(client_id[1], html.unescape(secret[1]) if secret else "", row[0])


def token(world: Administration, machine: Machine) -> str:
    """A bearer token by client credentials, "" when there is none to be had."""
    answer = httpx.post(
        f"{world.server.issuer}/protocol/openid-connect/token",
        data={
            "grant_type": "client_credentials", "client_id": machine.client_id, "client_secret": machine.secret,
        },
        trust_env=False,
    )  # fmt: skip
    return str(answer.json().get("access_token", ""))


def ask(world: Administration, bearer: str, path: str = "Observation", slug: str = HOA_SEN) -> int:
    url = f"{world.house.url}/h/{slug}/fhir/{path}"
    return httpx.get(url, headers={"Authorization": f"Bearer {bearer}"}, trust_env=False).status_code


class TestConnect:
    def test_bad_fields_are_named_and_nothing_is_made(self, at_keycloak: Administration) -> None:
        answer = at_keycloak.post("/machines/new", name="", role="admin", scopes="user/*.rs", proof="no")
        assert answer.status_code == 422
        assert all(f'href="#f-{name}"' in answer.text for name in ("name", "role", "scopes", "proof"))

    def test_keys_over_plain_http_or_inside_a_network_are_refused(self, at_keycloak: Administration) -> None:
        for url in ("http://lis.example/jwks", "https://127.0.0.1/jwks"):
            answer = at_keycloak.post("/machines/new", name="LIS", role="lis", proof="keys", jwks_url=url)
            assert answer.status_code == 422, url
            assert 'href="#f-jwks_url"' in answer.text

    def test_its_secret_brings_tokens_for_this_hospital_alone(self, at_keycloak: Administration) -> None:
        bearer = token(at_keycloak, connect(at_keycloak))
        assert ask(at_keycloak, bearer) == 200
        assert ask(at_keycloak, bearer, slug=CAU_VONG) == 403

    def test_its_scopes_limit_its_role(self, at_keycloak: Administration) -> None:
        bearer = token(at_keycloak, connect(at_keycloak, scopes="system/Observation.rs"))
        assert ask(at_keycloak, bearer) == 200
        assert ask(at_keycloak, bearer, "Patient") == 403

    def test_the_secret_is_nowhere_in_the_database(self, at_keycloak: Administration) -> None:
        machine = connect(at_keycloak)
        rows = at_keycloak.house.sql("SELECT c::text FROM directory.machine_clients c")
        assert machine.secret not in str(rows)
        assert "eyJ" not in str(rows)

    def test_one_with_keys_has_no_secret(self, at_keycloak: Administration) -> None:
        machine = connect(at_keycloak, proof="keys", jwks_url="https://lis.hoa-sen.example/jwks.json")
        assert machine.secret == ""
        admin = at_keycloak.server.administrator()
        client = admin.get_client(admin.get_client_id(machine.client_id))
        assert client["clientAuthenticatorType"] == "client-jwt"
        assert client["attributes"]["jwks.url"] == "https://lis.hoa-sen.example/jwks.json"


class TestRotate:
    def test_it_asks_first(self, at_keycloak: Administration) -> None:
        machine = connect(at_keycloak)
        assert at_keycloak.post(f"/machines/{machine.subject}/secret").status_code == 422
        assert token(at_keycloak, machine)

    def test_the_old_secret_is_over_and_the_machine_is_the_same(self, at_keycloak: Administration) -> None:
        machine = connect(at_keycloak)
        answer = at_keycloak.post(f"/machines/{machine.subject}/secret", **{"sure-rotate": "yes"})
        renewed = shown(at_keycloak, answer.text)
        assert (renewed.subject, renewed.secret != machine.secret) == (machine.subject, True)
        assert token(at_keycloak, machine) == ""
        assert ask(at_keycloak, token(at_keycloak, renewed)) == 200

    def test_not_for_another_hospital_s(self, at_keycloak: Administration) -> None:
        subject = f"service-{secrets.token_hex(4)}"
        at_keycloak.grant(subject, "lis", CAU_VONG)
        assert at_keycloak.post(f"/machines/{subject}/secret", **{"sure-rotate": "yes"}).status_code == 404
        assert at_keycloak.post(f"/machines/{subject}/remove", **{"sure-remove": "yes"}).status_code == 404
        assert at_keycloak.member(subject, CAU_VONG) == ("lis", True)


class TestRemove:
    def test_its_tokens_are_over_at_once_and_the_client_is_gone(self, at_keycloak: Administration) -> None:
        machine = connect(at_keycloak)
        bearer = token(at_keycloak, machine)
        answer = at_keycloak.post(f"/machines/{machine.subject}/remove", **{"sure-remove": "yes"})
        assert answer.status_code == 303
        assert ask(at_keycloak, bearer) == 403
        assert token(at_keycloak, machine) == ""
        assert at_keycloak.server.administrator().get_client_id(machine.client_id) is None


class TestInTheDemo:
    def test_the_page_says_where_it_is_done(self, live: House) -> None:
        with live.client("admin", headers={"Accept": "text/html"}) as client:
            page = client.get(f"{live.url}/h/{HOA_SEN}/admin/machines")
        assert page.status_code == 200
        assert "không quản lý dịch vụ đăng nhập" in page.text
        assert "/admin/machines/new" not in page.text
