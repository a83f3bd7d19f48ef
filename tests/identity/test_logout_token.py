"""Logout tokens that do not count (OpenID Connect Back-Channel Logout 1.0, 2.6), and replays."""

import time
from typing import Any

import httpx
import pytest
from joserfc import jwt

from emr_demo.provider.people import subject_of
from tests.identity.providers import DOCTOR
from tests.identity.world import World, lasting

EVENT = "http://schemas.openid.net/event/backchannel-logout"


def token(world: World, *, typ: str = "logout+jwt", **changes: Any) -> str:
    signer = world.provider.provider.state.signer
    claims: dict[str, Any] = {
        "iss": signer.issuer, "aud": "emr-web", "sub": subject_of(DOCTOR), "typ": "Logout", "iat": int(time.time()),
        "exp": int(time.time()) + 120, "jti": f"t{time.monotonic_ns()}", "events": {EVENT: {}},
    }  # fmt: skip
    whole = {name: value for name, value in (claims | changes).items() if value is not None}
    return jwt.encode({"alg": "RS256", "kid": signer.key.kid, "typ": typ}, whole, signer.key, ["RS256"])


def post(world: World, logout_token: str) -> httpx.Response:
    return httpx.post(f"{world.base_url}/auth/backchannel-logout", data={"logout_token": logout_token}, trust_env=False)


class TestLogoutToken:
    @pytest.mark.parametrize(
        "changes",
        [
            {"typ": "JWT"}, {"aud": "emr-api"}, {"aud": None}, {"iss": "https://evil.example"}, {"events": None},
            {"events": {}}, {"events": {EVENT: 1}}, {"events": [EVENT]}, {"nonce": "n"}, {"sub": None}, {"jti": None},
            {"exp": None}, {"exp": int(time.time()) - 60}, {"iat": None}, {"sub": 7},
        ],
        ids=lasting,
    )  # fmt: skip
    def test_one_that_breaks_a_rule_ends_nothing(self, demo: World, changes: dict[str, Any]) -> None:
        browser = demo.sign_in()
        answer = post(demo, token(demo, **changes))
        assert (answer.status_code, answer.json()["code"]) == (400, "logout-token-refused")
        assert demo.who(browser).status_code == 200

    def test_other_tokens_are_none(self, demo: World) -> None:
        browser = demo.sign_in()
        for other in (demo.provider.machine_token("hoa-sen"), "", "x", "a.b.c"):
            assert post(demo, other).status_code in (400, 422)
        assert demo.who(browser).status_code == 200

    def test_a_subject_alone_ends_all_of_that_persons_sessions(self, demo: World) -> None:
        browsers = [demo.sign_in() for _ in range(2)]
        answer = post(demo, token(demo))
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        assert [demo.who(browser).status_code for browser in browsers] == [401, 401]

    def test_a_replay_is_refused(self, demo: World) -> None:
        said = token(demo)
        assert [post(demo, said).status_code for _ in range(2)] == [200, 400]

    def test_what_began_after_it_goes_on(self, demo: World) -> None:
        browser = demo.sign_in()
        said = token(demo, iat=int(time.time()) - 60)
        assert post(demo, said).status_code == 200
        assert demo.who(browser).status_code == 200

    def test_a_session_of_someone_else_is_not_ended_by_its_id(self, demo: World) -> None:
        browser = demo.sign_in()
        sid = demo.sql("SELECT provider_session FROM directory.sessions ORDER BY created_at DESC LIMIT 1")[0][0]
        assert post(demo, token(demo, sid=sid, sub=subject_of("nurse@cau-vong"))).status_code == 200
        assert demo.who(browser).status_code == 200
        assert post(demo, token(demo, sid=sid, sub=None)).status_code == 200
        assert demo.who(browser).status_code == 401
