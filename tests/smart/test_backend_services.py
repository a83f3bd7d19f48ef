"""Services without a person: signed assertions for short tokens (SMART App Launch 2.2, backend-services.html)."""

import base64
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import httpx
import pytest
from fhirpy import SyncFHIRClient
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from emr.smart.service import stop_app
from emr_demo.provider.people import subject_of
from tests.fhir.samples import made, observation, patient, post
from tests.fhir.samples import refusal as told
from tests.house import CAU_VONG, HOA_SEN, House
from tests.smart.apps import (
    Registered,
    as_platform,
    ask,
    claims,
    ec,
    registered,
    rsa,
    service,
    signed,
    token_url,
    with_token,
)  # fmt: skip

KEY, OTHER, CURVE = rsa(), rsa(), ec()


@pytest.fixture(scope="module")
def lab(live: House) -> Registered:
    return service(live, KEY, "system/Observation.cruds", "system/Patient.rs")


@pytest.fixture(scope="module")
def person(live: House) -> str:
    with live.client() as client:
        return str(made(client, patient())["id"])


def token(live: House, app: Registered, scope: str, key: RSAKey | ECKey = KEY) -> str:
    answer = ask(live, signed(claims(live, app), key), scope, app.slug)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


class TestDiscovery:
    def test_it_is_public_and_says_where(self, live: House) -> None:
        answer = httpx.get(f"{live.fhir()}/.well-known/smart-configuration", trust_env=False)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=3600"
        found = answer.json()
        assert found["token_endpoint"] == token_url(live)
        assert set(found["token_endpoint_auth_signing_alg_values_supported"]) == {"RS384", "ES384"}

    def test_an_unknown_hospital_has_none(self, live: House) -> None:
        address = f"{live.fhir('nowhere')}/.well-known/smart-configuration"
        assert httpx.get(address, trust_env=False).status_code == 404


class TestToken:
    @pytest.mark.parametrize("kind", ["RSA", "EC"])
    def test_for_a_signed_assertion(self, live: House, person: str, kind: str) -> None:
        key = {"RSA": KEY, "EC": CURVE}[kind]
        app = service(live, key, "system/Observation.cruds", "system/Patient.rs")
        answer = ask(live, signed(claims(live, app), key), "system/Patient.rs system/Observation.c")
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        found = answer.json()
        assert found["token_type"] == "Bearer"
        assert found["expires_in"] <= 300
        assert set(found["scope"].split()) == {"system/Patient.rs", "system/Observation.c"}
        assert "refresh_token" not in found
        with with_token(live, found["access_token"]) as client:
            assert client.get(f"/Patient/{person}").status_code == 200
            assert post(client, observation(person)).status_code == 201
            assert told(client.get("/Observation"))[:2] == (403, "scope-may-not")

    def test_what_it_was_not_registered_for_is_left_out(self, live: House, lab: Registered) -> None:
        answer = ask(live, signed(claims(live, lab), KEY), "system/Patient.cruds system/Condition.rs openid")
        assert answer.json()["scope"] == "system/Patient.rs"

    def test_no_scope_gives_more_than_the_role(self, live: House) -> None:
        app = service(live, KEY, "system/*.cruds", role="warehouse")
        with with_token(live, token(live, app, "system/*.cruds")) as client:
            assert told(post(client, patient()))[:2] == (403, "role-may-not")

    def test_the_trail_names_the_app(self, live: House, lab: Registered, person: str) -> None:
        with with_token(live, token(live, lab, "system/Patient.r")) as client:
            client.get(f"/Patient/{person}")
        rows = _rows(live, lab.id)
        actions = {row["action"] for row in rows}
        assert {"app.token-issued", "record.read"} <= actions
        assert {row["actor"]["subject"] for row in rows} == {subject_of(f"lis@{HOA_SEN}")}

    def test_fhirpy_with_such_a_token(self, live: House, lab: Registered, person: str) -> None:
        client = SyncFHIRClient(
            live.fhir(),
            authorization=f"Bearer {token(live, lab, 'system/Patient.rs')}",
            requests_config={"proxies": {"http": "", "https": ""}},
        )
        assert client.resources("Patient").search(_id=person).get()["id"] == person


class TestRefusals:
    @pytest.mark.parametrize(
        "change",
        [
            {"aud": "https://elsewhere.example/token"},
            {"aud": ["https://elsewhere.example/token", "x"]},
            {"aud": None},
            {"iss": "app-other"},
            {"sub": "app-other"},
            {"exp": None},
            {"exp": 1},
            {"exp": timedelta(hours=1)},
            {"exp": "soon"},
            {"nbf": timedelta(minutes=10)},
            {"iat": timedelta(minutes=10)},
            {"jti": None},
            {"jti": ""},
            {"jti": "x" * 300},
        ],
        ids=[
            "another audience", "several audiences", "no audience", "another issuer", "another subject", "no end",
            "expired", "good for an hour", "an end that is no number", "not yet valid", "made in the future", "no jti",
            "an empty jti", "a long jti",
        ],
    )  # fmt: skip
    def test_an_assertion_that_says_something_wrong(self, live: House, lab: Registered, change: dict[str, Any]) -> None:
        # A span counts from the moment of the test, not from that of its collection.
        said = {
            name: int(time.time() + value.total_seconds()) if isinstance(value, timedelta) else value
            for name, value in change.items()
        }
        answer = ask(live, signed(claims(live, lab, **said), KEY), "system/Patient.rs")
        assert error(answer) == (401, "invalid_client")

    def test_an_audience_with_another_hospital(self, live: House, lab: Registered) -> None:
        assertion = signed(claims(live, lab, aud=token_url(live, CAU_VONG)), KEY)
        assert error(ask(live, assertion, "system/Patient.rs")) == (401, "invalid_client")
        assert error(ask(live, assertion, "system/Patient.rs", CAU_VONG)) == (401, "invalid_client")

    def test_a_replay(self, live: House, lab: Registered) -> None:
        assertion = signed(claims(live, lab), KEY)
        assert ask(live, assertion, "system/Patient.rs").status_code == 200
        assert error(ask(live, assertion, "system/Patient.rs")) == (401, "invalid_client")
        again = claims(live, lab, jti="the same")
        assert ask(live, signed(again, KEY), "system/Patient.rs").status_code == 200
        assert error(ask(live, signed(again | {"exp": again["exp"] + 1}, KEY), "system/Patient.rs"))[0] == 401

    def test_another_key_under_the_same_id(self, live: House, lab: Registered) -> None:
        assert error(ask(live, signed(claims(live, lab), OTHER), "system/Patient.rs")) == (401, "invalid_client")

    @pytest.mark.parametrize("header", [{"kid": "nine"}, {"kid": None}, {"alg": "RS256"}, {"typ": "at+jwt"}])
    def test_another_header(self, live: House, lab: Registered, header: dict[str, Any]) -> None:
        plain = RSAKey.import_key(KEY.as_pem(private=True), {"kid": "one"})
        head = {"alg": "RS384", "kid": "one", "typ": "JWT"} | header
        assertion = signed(claims(live, lab), _named(plain, head["alg"]), **{k: v for k, v in header.items() if v})
        if header.get("kid", "") is None:
            assertion = _without_kid(claims(live, lab), plain)
        assert error(ask(live, assertion, "system/Patient.rs")) == (401, "invalid_client")

    def test_the_public_key_as_a_shared_secret(self, live: House, lab: Registered) -> None:
        head, body, _ = signed(claims(live, lab), KEY).split(".")
        for algorithm in ("HS384", "none"):
            head = _part({"alg": algorithm, "kid": "one", "typ": "JWT"})
            forged = hmac.digest(KEY.as_pem(private=False), f"{head}.{body}".encode(), "sha384")
            assertion = f"{head}.{body}.{base64.urlsafe_b64encode(forged).rstrip(b'=').decode()}"
            assert error(ask(live, assertion, "system/Patient.rs")) == (401, "invalid_client")
            assert error(ask(live, f"{head}.{body}.", "system/Patient.rs")) == (401, "invalid_client")

    @pytest.mark.parametrize("text", ["", "a.b", "a.b.c", "e30.e30.e30", "x" * 20_000, "bnVsbA.bnVsbA.bnVsbA"])
    def test_what_is_no_assertion(self, live: House, text: str) -> None:
        assert error(ask(live, text, "system/Patient.rs")) == (401, "invalid_client")

    def test_a_stopped_app(self, live: House) -> None:
        app = service(live, KEY, "system/Patient.rs")
        held = token(live, app, "system/Patient.rs")
        as_platform(live, HOA_SEN, lambda work: stop_app(work, app.id))
        assert error(ask(live, signed(claims(live, app), KEY), "system/Patient.rs")) == (401, "invalid_client")
        with with_token(live, held) as client:
            assert client.get("/Patient").status_code == 401

    def test_a_member_that_is_none_any_more(self, live: House) -> None:
        app = service(live, KEY, "system/Patient.rs", role="pacs")
        held = token(live, app, "system/Patient.rs")
        update = "UPDATE directory.memberships SET active = %s WHERE subject = %s"
        live.sql(update, False, subject_of(f"pacs@{HOA_SEN}"))
        try:
            assert error(ask(live, signed(claims(live, app), KEY), "system/Patient.rs")) == (400, "invalid_grant")
            with with_token(live, held) as client:
                assert told(client.get("/Patient"))[:2] == (403, "not-a-member")
        finally:
            live.sql(update, True, subject_of(f"pacs@{HOA_SEN}"))

    def test_a_token_of_one_hospital_in_another(self, live: House, lab: Registered) -> None:
        with with_token(live, token(live, lab, "system/Patient.rs"), CAU_VONG) as client:
            assert told(client.get("/Patient"))[:2] == (403, "not-a-member")
            assert told(client.get("/Patient/nobody"))[:2] == (403, "not-a-member")

    def test_a_token_that_was_made_up_or_is_over(self, live: House, lab: Registered) -> None:
        with with_token(live, "emr_at_" + "x" * 43) as client:
            assert told(client.get("/Patient"))[:2] == (401, "token-refused")
        held = token(live, lab, "system/Patient.rs")
        live.sql("UPDATE directory.app_tokens SET expires_at = now() - interval '1 second'")
        with with_token(live, held) as client:
            assert told(client.get("/Patient"))[:2] == (401, "token-refused")

    @pytest.mark.parametrize(
        ("more", "said"),
        [
            ({"grant_type": "password"}, (400, "unsupported_grant_type")),
            ({"grant_type": "authorization_code", "code": "x"}, (400, "unauthorized_client")),
            ({"scope": ""}, (400, "invalid_scope")),
            ({"scope": "system/Robot.rs"}, (400, "invalid_scope")),
            ({"scope": "system/Condition.rs"}, (400, "invalid_scope")),
            ({"scope": "system/Patient.rs?birthdate=gt2000"}, (400, "invalid_scope")),
            ({"client_secret": "x"}, (401, "invalid_client")),
            ({"client_id": "app-other"}, (401, "invalid_client")),
            ({"client_assertion_type": "urn:x"}, (401, "invalid_client")),
        ],
    )
    def test_a_request_that_asks_wrongly(
        self, live: House, lab: Registered, more: dict[str, str], said: tuple[int, str]
    ) -> None:
        assertion = signed(claims(live, lab), KEY)
        assert error(ask(live, assertion, more.pop("scope", "system/Patient.rs"), **more)) == said

    def test_a_form_that_cannot_be_read(self, live: House) -> None:
        url = token_url(live)
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        twice = httpx.post(url, content=b"grant_type=a&grant_type=b", headers=form, trust_env=False)
        assert error(twice) == (400, "invalid_request")
        assert error(httpx.post(url, json={}, trust_env=False)) == (400, "invalid_request")
        assert error(httpx.post(url, content=b"a=" + b"x" * 70_000, headers=form, trust_env=False))[0] == 400
        assert error(httpx.post(url, content=b"a=%ff", headers=form, trust_env=False)) == (400, "invalid_request")

    def test_each_refusal_leaves_a_row_without_what_was_sent(self, live: House, lab: Registered) -> None:
        before = live.refusals()
        ask(live, signed(claims(live, lab, aud="https://elsewhere.example/"), KEY), "system/Patient.rs")
        assert live.refusals() == before + 1


class TestIntrospection:
    def test_of_ones_own_and_of_no_other(self, live: House, lab: Registered) -> None:
        other = service(live, OTHER, "system/Patient.rs")
        held = token(live, lab, "system/Patient.rs")
        found = _told_of(live, lab, KEY, "introspect", held).json()
        assert found["active"] is True
        assert (found["client_id"], found["scope"], found["aud"]) == (lab.id, "system/Patient.rs", live.fhir())
        assert _told_of(live, other, OTHER, "introspect", held).json() == {"active": False}
        assert _told_of(live, lab, KEY, "introspect", "emr_at_x").json() == {"active": False}
        assert _told_of(live, lab, KEY, "introspect", live.token()).json() == {"active": False}

    def test_a_token_that_was_revoked(self, live: House, lab: Registered) -> None:
        other = service(live, OTHER, "system/Patient.rs")
        held = token(live, lab, "system/Patient.rs")
        assert _told_of(live, other, OTHER, "revoke", held).status_code == 200
        assert _told_of(live, lab, KEY, "introspect", held).json()["active"] is True
        assert _told_of(live, lab, KEY, "revoke", held).status_code == 200
        assert _told_of(live, lab, KEY, "introspect", held).json() == {"active": False}
        with with_token(live, held) as client:
            assert client.get("/Patient").status_code == 401


class TestKeysAtAnAddress:
    """The hospital of this test allows this machine by its file, as `receivers` says."""

    @pytest.fixture
    def keys(self) -> Iterator[type["_Keys"]]:
        _Keys.served, _Keys.asked = [KEY.as_dict(private=False)], 0
        server = HTTPServer(("127.0.0.1", 0), _Keys)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        _Keys.url = f"http://127.0.0.1:{server.server_port}/keys"
        yield _Keys
        server.shutdown()
        server.server_close()

    def test_a_place_that_the_hospital_has_not_allowed(self, live: House, keys: type["_Keys"]) -> None:
        app = self._app(live, keys)
        assert error(ask(live, signed(claims(live, app), KEY), "system/Patient.rs")) == (401, "invalid_client")
        assert keys.asked == 0

    def test_keys_that_change(self, live: House, keys: type["_Keys"]) -> None:
        allowed = '{"receivers": [{"cidr": "127.0.0.0/8", "http": true}]}'
        with _file_says(live, allowed):
            app = self._app(live, keys)
            assert ask(live, signed(claims(live, app), KEY), "system/Patient.rs").status_code == 200
            assert ask(live, signed(claims(live, app), KEY), "system/Patient.rs").status_code == 200
            assert keys.asked == 1
            assert error(ask(live, signed(claims(live, app), CURVE), "system/Patient.rs"))[0] == 401
            assert keys.asked == 1, "a made-up key id must not make us ask again at once"

    @staticmethod
    def _app(live: House, keys: type["_Keys"]) -> Registered:
        return registered(
            live,
            name="Máy",
            kind="service",
            scopes=["system/Patient.rs"],
            jwks_uri=keys.url,
            member=subject_of(f"lis@{HOA_SEN}"),
        )


@contextmanager
def _file_says(live: House, subscriptions: str) -> Iterator[None]:
    """What the hospital's file says of receivers, until the test is over."""
    where = "UPDATE directory.tenants SET definition = jsonb_set(definition, '{subscriptions}', %s) WHERE slug = %s"
    live.sql(where, subscriptions, HOA_SEN)
    live.heard()
    yield
    live.sql("UPDATE directory.tenants SET definition = definition - 'subscriptions' WHERE slug = %s", HOA_SEN)
    live.heard()


class _Keys(BaseHTTPRequestHandler):
    served: ClassVar[list[dict[str, Any]]] = []
    asked: ClassVar[int] = 0
    url: ClassVar[str] = ""

    def do_GET(self) -> None:
        _Keys.asked += 1
        body = json.dumps({"keys": self.served}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the interface of the library
        """Nobody listens."""


def _told_of(live: House, app: Registered, key: RSAKey, name: str, given: str) -> httpx.Response:
    form = {
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": signed(claims(live, app), key),
        "token": given,
    }
    return httpx.post(f"{live.url}/h/{app.slug}/smart/{name}", data=form, trust_env=False)


def _rows(live: House, app: str) -> list[dict[str, Any]]:
    schema = live.tenants[HOA_SEN].schema
    found = live.sql("SELECT row FROM cell.audit_journal WHERE tenant = %s", schema)
    found += live.sql(f"SELECT row FROM {schema}.audit_events")
    rows = [json.loads(each[0]) for each in found]
    return [row for row in rows if row["detail"].get("app") == app]


def _part(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def _named(key: RSAKey, algorithm: str) -> RSAKey:
    return RSAKey.import_key(key.as_dict(private=True) | {"alg": algorithm, "kid": "one"})


def _without_kid(said: dict[str, Any], key: RSAKey) -> str:
    return jwt.encode({"alg": "RS384", "typ": "JWT"}, said, key, ["RS384"])
