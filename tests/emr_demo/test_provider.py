"""The demo's OpenID provider: what it refuses, and what it keeps."""

import base64
import hashlib
import html
import re
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt

from emr.identity.principal import DEPARTMENT_ROLES, HOSPITAL_ROLES
from emr.settings import Settings
from emr_demo.provider.app import Provider
from emr_demo.provider.config import NotForProduction, ProviderConfig
from emr_demo.provider.mint import NoSuchAccount, mint_token
from emr_demo.provider.people import hospital, organization_id, subject_of
from emr_demo.provider.run import ProviderNotRunning, running
from emr_demo.provider.secrets_folder import web_secret
from tests.servers.ports import free_port

VERIFIER = "v" * 50
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
PLATFORM = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> ProviderConfig:
    return ProviderConfig(
        profile="test",
        issuer=f"http://127.0.0.1:{free_port()}",
        platform_url=PLATFORM,
        folder=tmp_path_factory.mktemp("data"),
        hospitals=(hospital("hoa-sen", "Bệnh viện Hoa Sen"), hospital("cau-vong", "Trung tâm Y tế Cầu Vồng")),
    )


@pytest.fixture(scope="module")
def provider(config: ProviderConfig) -> Iterator[Provider]:
    with running(config) as made:
        yield made


def authorize(config: ProviderConfig, **changes: str) -> httpx.Response:
    asked = {
        "client_id": "emr-web", "response_type": "code", "redirect_uri": config.redirect_uri, "state": "s",
        "scope": "openid profile organization:*", "nonce": "n", "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }  # fmt: skip
    whole = {name: value for name, value in (asked | changes).items() if value}
    return httpx.get(f"{config.issuer}/authorize", params=whole, trust_env=False)


def code(config: ProviderConfig, username: str = "doctor@hoa-sen") -> str:
    hidden = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', authorize(config).text)
    fields = {name: html.unescape(value) for name, value in hidden} | {"account": subject_of(username)}
    answer = httpx.post(f"{config.issuer}/authorize", data=fields, trust_env=False)
    return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]


def token(config: ProviderConfig, secret: str | None = None, **form: str) -> httpx.Response:
    auth = ("emr-web", secret if secret is not None else web_secret(config.folder))
    return httpx.post(f"{config.issuer}/token", data=form, auth=auth, trust_env=False)


def redeem(config: ProviderConfig, value: str, **changes: str) -> httpx.Response:
    form = {"grant_type": "authorization_code", "code": value, "redirect_uri": config.redirect_uri}
    return token(config, **(form | {"code_verifier": VERIFIER} | changes))


class TestStart:
    def test_production_is_refused(self, config: ProviderConfig) -> None:
        with pytest.raises(NotForProduction):
            replace(config, profile="production")

    def test_production_is_the_default(self, config: ProviderConfig, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("EMR_PROFILE", raising=False)
        with pytest.raises(NotForProduction):
            replace(config, profile=Settings().profile)

    @pytest.mark.parametrize("address", ["http://0.0.0.0:1", "http://10.0.0.1:1", "http://emr.example", "http:///x"])
    def test_only_loopback_is_served(self, config: ProviderConfig, address: str) -> None:
        for field in ("issuer", "platform_url"):
            with pytest.raises(NotForProduction):
                replace(config, **{field: address})

    def test_another_host_name_is_refused(self, config: ProviderConfig, provider: Provider) -> None:
        answer = httpx.get(f"{config.issuer}/keys", headers={"Host": "evil.example"}, trust_env=False)
        assert answer.status_code == 400

    def test_its_secrets_are_for_its_owner_only(self, config: ProviderConfig, provider: Provider) -> None:
        code(config)
        modes = {path.name: path.stat().st_mode & 0o777 for path in config.folder.iterdir()}
        assert set(modes.values()) == {0o600}

    def test_no_private_key_is_published(self, config: ProviderConfig, provider: Provider) -> None:
        (key,) = httpx.get(f"{config.issuer}/keys", trust_env=False).json()["keys"]
        assert set(key) == {"kty", "n", "e", "kid", "use", "alg"}


class TestAuthorize:
    def test_every_role_of_every_hospital_can_be_chosen_and_no_machine(
        self, config: ProviderConfig, provider: Provider
    ) -> None:
        page = authorize(config).text
        people = [f"{role}@{slug}" for slug in ("hoa-sen", "cau-vong") for role in (*HOSPITAL_ROLES, "privacy")]
        people.insert(len(HOSPITAL_ROLES) + 1, "visiting@hoa-sen")
        people += [f"{role}@city" for role in DEPARTMENT_ROLES]
        assert re.findall(r"<small>([^<]+)</small>", page) == people

    @pytest.mark.parametrize(
        "changes",
        [
            {"client_id": "other"}, {"client_id": ""}, {"redirect_uri": "https://evil.example/"}, {"redirect_uri": ""},
            {"redirect_uri": f"{PLATFORM}/auth/callback/../x"}, {"redirect_uri": f"{PLATFORM}/auth/callback?x=1"},
        ],
        ids=str,
    )  # fmt: skip
    def test_an_unknown_client_or_address_stays_here(
        self, config: ProviderConfig, provider: Provider, changes: dict[str, str]
    ) -> None:
        answer = authorize(config, **changes)
        assert (answer.status_code, "location" in answer.headers) == (400, False)

    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            ({"code_challenge": ""}, "invalid_request"), ({"code_challenge_method": "plain"}, "invalid_request"),
            ({"code_challenge_method": ""}, "invalid_request"), ({"code_challenge": "short"}, "invalid_request"),
            ({"response_type": "token"}, "unsupported_response_type"), ({"prompt": "none"}, "login_required"),
        ],
        ids=str,
    )  # fmt: skip
    def test_what_is_wrong_is_told_to_the_client(
        self, config: ProviderConfig, provider: Provider, changes: dict[str, str], error: str
    ) -> None:
        answer = parse_qs(urlsplit(authorize(config, **changes).headers["location"]).query)
        assert (answer["error"], answer["state"], answer["iss"]) == ([error], ["s"], [config.issuer])

    def test_a_machine_or_nobody_cannot_be_chosen(self, config: ProviderConfig, provider: Provider) -> None:
        hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', authorize(config).text))
        for account in (subject_of("lis@hoa-sen"), "nobody", ""):
            answer = httpx.post(f"{config.issuer}/authorize", data=hidden | {"account": account}, trust_env=False)
            assert "code=" not in answer.headers.get("location", "")


class TestToken:
    def test_a_code_is_good_once(self, config: ProviderConfig, provider: Provider) -> None:
        value = code(config)
        assert [redeem(config, value).status_code for _ in range(2)] == [200, 400]

    @pytest.mark.parametrize(
        "changes",
        [{"code_verifier": "w" * 50}, {"code_verifier": ""}, {"redirect_uri": f"{PLATFORM}/"}, {"code": "x"}],
        ids=str,
    )
    def test_a_code_without_its_proof_is_spent(
        self, config: ProviderConfig, provider: Provider, changes: dict[str, str]
    ) -> None:
        value = code(config)
        assert redeem(config, value, **changes).status_code == 400
        spent = "code" not in changes
        assert redeem(config, value).status_code == (400 if spent else 200)

    def test_a_wrong_client_secret_is_refused(self, config: ProviderConfig, provider: Provider) -> None:
        answer = token(config, "wrong", grant_type="authorization_code", code=code(config), code_verifier=VERIFIER)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")

    @pytest.mark.parametrize("grant", ["password", "client_credentials", "implicit", ""])
    def test_other_grants_are_refused(self, config: ProviderConfig, provider: Provider, grant: str) -> None:
        assert token(config, grant_type=grant, username="x", password="x").status_code in (400, 401)

    def test_refresh_tokens_rotate_and_a_used_one_ends_it_all(self, config: ProviderConfig, provider: Provider) -> None:
        first = redeem(config, code(config)).json()["refresh_token"]
        second = token(config, grant_type="refresh_token", refresh_token=first).json()["refresh_token"]
        again = token(config, grant_type="refresh_token", refresh_token=first)
        assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
        assert token(config, grant_type="refresh_token", refresh_token=second).status_code == 400

    def test_the_organization_has_keycloaks_shape(self, config: ProviderConfig, provider: Provider) -> None:
        claims: Any = jwt.decode(redeem(config, code(config)).json()["access_token"], provider.state.signer.key).claims
        assert claims["organization"] == {
            "hoa-sen": {
                "id": organization_id("hoa-sen"),
                "groups": ["/doctor"],
                "resource_access": {"emr-api": {"roles": ["doctor"]}},
            }
        }
        assert (claims["aud"], claims["typ"], claims["iss"]) == ("emr-api", "Bearer", config.issuer)


class TestRestart:
    def test_sign_ins_and_keys_outlive_it(self, config: ProviderConfig, tmp_path: Path) -> None:
        own = replace(config, folder=tmp_path, issuer=f"http://127.0.0.1:{free_port()}")
        with running(own) as before:
            granted = redeem(own, code(own)).json()
            kid = before.state.signer.key.kid
        with running(own) as after:
            again = token(own, grant_type="refresh_token", refresh_token=granted["refresh_token"])
            assert (again.status_code, after.state.signer.key.kid) == (200, kid)

    def test_a_taken_port_is_said(self, config: ProviderConfig, provider: Provider) -> None:
        with pytest.raises(ProviderNotRunning), running(config):
            pass


class TestEndSession:
    def test_another_address_to_go_to_is_refused(self, config: ProviderConfig, provider: Provider) -> None:
        hint = redeem(config, code(config)).json()["id_token"]
        asked = {"id_token_hint": hint, "post_logout_redirect_uri": "https://evil.example/"}
        assert "location" not in httpx.get(f"{config.issuer}/logout", params=asked, trust_env=False).headers

    def test_without_a_hint_nothing_ends(self, config: ProviderConfig, provider: Provider) -> None:
        granted = redeem(config, code(config)).json()
        answer = httpx.get(f"{config.issuer}/logout", params={"client_id": "emr-web"}, trust_env=False)
        assert answer.status_code == 200
        assert token(config, grant_type="refresh_token", refresh_token=granted["refresh_token"]).status_code == 200

    def test_it_ends_even_if_the_platform_does_not_answer(self, config: ProviderConfig, provider: Provider) -> None:
        granted = redeem(config, code(config)).json()
        asked = {"id_token_hint": granted["id_token"], "post_logout_redirect_uri": f"{PLATFORM}/"}
        answer = httpx.get(f"{config.issuer}/logout", params=asked, trust_env=False)
        assert (answer.status_code, answer.headers["location"]) == (302, f"{PLATFORM}/")
        assert token(config, grant_type="refresh_token", refresh_token=granted["refresh_token"]).status_code == 400


class TestUserinfo:
    def test_a_token_that_is_none_is_refused(self, config: ProviderConfig, provider: Provider) -> None:
        for header in ({}, {"Authorization": "Bearer x"}, {"Authorization": f"Bearer {secrets.token_hex(20)}"}):
            assert httpx.get(f"{config.issuer}/userinfo", headers=header, trust_env=False).status_code == 401

    def test_it_says_who(self, config: ProviderConfig, provider: Provider) -> None:
        access = redeem(config, code(config)).json()["access_token"]
        header = {"Authorization": f"Bearer {access}"}
        found = httpx.get(f"{config.issuer}/userinfo", headers=header, trust_env=False).json()
        assert (found["sub"], found["preferred_username"]) == (subject_of("doctor@hoa-sen"), "doctor@hoa-sen")


class TestMintToken:
    def test_it_is_a_token_of_that_account(self, config: ProviderConfig, provider: Provider) -> None:
        minted = mint_token(config.folder, tenant="hoa-sen", role="doctor")
        claims: Any = jwt.decode(minted, provider.state.signer.key).claims
        assert (claims["sub"], list(claims["organization"])) == (subject_of("doctor@hoa-sen"), ["hoa-sen"])

    @pytest.mark.parametrize(("tenant", "role"), [("hoa-sen", "root"), ("nowhere", "doctor"), ("", "")])
    def test_an_account_that_is_not_there_is_said(
        self, config: ProviderConfig, provider: Provider, tenant: str, role: str
    ) -> None:
        with pytest.raises(NoSuchAccount):
            mint_token(config.folder, tenant=tenant, role=role)

    def test_a_provider_that_does_not_run_is_said(self, tmp_path: Path) -> None:
        with pytest.raises(ProviderNotRunning):
            mint_token(tmp_path, tenant="hoa-sen", role="doctor")
