"""The provider is down: running sessions go on, tokens are verified with cached keys, sign-in says so."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import httpx
import pytest

from emr.identity.service import Identity
from tests.identity.providers import DOCTOR, Browser
from tests.identity.test_bearer import signed
from tests.identity.test_locks import PIN, WRONG, lock, try_pin, with_pin
from tests.identity.world import World


@contextmanager
def down(world: World) -> Iterator[None]:
    world.provider.stop()
    try:
        yield
    finally:
        world.provider.start()
        # A moment passes, so that the platform asks again.
        world.clock.ahead += timedelta(seconds=16)


class TestOutage:
    def test_care_goes_on_and_sign_in_says_so(self, here: World) -> None:
        browser = here.sign_in()
        fresh = here.provider.machine_token("hoa-sen")
        with down(here):
            here.clock.ahead += timedelta(seconds=6)
            here.age_tokens()
            assert [here.who(browser).status_code for _ in range(3)] == [200, 200, 200]
            assert here.bearer(fresh).status_code == 200
            answer = Browser().get(f"{here.base_url}/auth/sign-in")
            assert (answer.status_code, answer.json()["code"]) == (503, "identity-provider-unavailable")
            assert here.who(browser).status_code == 200
        here.age_tokens()
        assert here.who(browser).status_code == 200
        here.sign_in()

    def test_nothing_opens_up(self, demo: World) -> None:
        expired = signed(demo, exp=1)
        with down(demo):
            assert demo.who(Browser()).status_code == 401
            assert demo.bearer("a.b.c").status_code == 401
            assert demo.bearer(expired).status_code == 401

    def test_an_answer_that_was_on_its_way_is_refused(self, demo: World) -> None:
        browser = Browser()
        back = demo.provider.answer(browser, demo.begin(browser), "doctor@hoa-sen")
        with down(demo):
            assert browser.get(back).status_code == 503
            assert demo.who(browser).status_code == 401

    def test_a_locked_session_opens_with_its_pin_and_with_nothing_else(self, demo: World) -> None:
        browser = with_pin(demo)
        lock(demo, browser)
        with down(demo):
            assert demo.who(browser).status_code == 401
            assert try_pin(demo, browser, WRONG) == "4"
            assert demo.who(browser).status_code == 401
            assert try_pin(demo, browser, PIN) == "open"
            assert demo.who(browser).status_code == 200

    def test_a_second_factor_is_not_forgiven_and_cannot_be_proved(self, demo: World) -> None:
        browser = demo.sign_in()
        demo.grant(DOCTOR, "hoa-sen", "admin")
        with down(demo):
            demo.clock.ahead += timedelta(seconds=6)
            assert demo.who(browser).status_code == 403
            assert browser.get(f"{demo.base_url}/auth/step-up").status_code == 503

    def test_a_session_lives_no_longer_for_it(self, demo: World) -> None:
        browser = demo.sign_in()
        with down(demo):
            codes = []
            for _ in range(73):
                demo.clock.ahead += timedelta(minutes=10)
                codes.append(demo.who(browser).status_code)
        assert codes == [200] * 71 + [401] * 2

    def test_a_membership_that_is_taken_away_meanwhile_is_taken_away(self, demo: World) -> None:
        browser = demo.sign_in()
        with down(demo):
            demo.revoke(DOCTOR, "hoa-sen")
            assert demo.who(browser).status_code == 403

    def test_one_can_sign_out(self, demo: World) -> None:
        browser = demo.sign_in()
        with down(demo):
            assert browser.post(f"{demo.base_url}/auth/sign-out").status_code == 303
            assert demo.who(browser).status_code == 401

    def test_keys_are_trusted_for_the_stated_time_and_no_longer(self, demo: World) -> None:
        long = signed(demo, exp=int((demo.clock() + timedelta(days=9)).timestamp()))
        assert demo.bearer(signed(demo)).status_code == 200
        with down(demo):
            demo.clock.ahead += timedelta(hours=23)
            assert demo.bearer(long).status_code == 200
            demo.clock.ahead += timedelta(hours=2)
            other = long + "="
            assert demo.bearer(other).status_code in (401, 503)

    def test_a_platform_that_never_saw_the_provider_can_verify_nothing(self, demo: World) -> None:
        token = demo.provider.machine_token("hoa-sen")
        with down(demo):
            fresh = demo.portal.call(Identity, demo.settings, demo.runtime.databases.directory, demo.clock)
            kept, demo.app.state.identity = demo.app.state.identity, fresh
            try:
                assert demo.bearer(token).status_code == 503
            finally:
                demo.app.state.identity = kept
                demo.portal.call(fresh.close)

    @pytest.mark.parametrize(
        "rubbish",
        ["<html>", "", "[]", "{}", '{"issuer": 7}', '{"issuer": "https://evil.example"}', "\x00", '{"keys": [1]}'],
    )
    def test_rubbish_from_the_provider_is_like_no_answer(self, demo: World, rubbish: str) -> None:
        browser = demo.sign_in()
        with answering(demo, rubbish):
            demo.clock.ahead += timedelta(minutes=1)
            demo.age_tokens()
            assert demo.who(browser).status_code == 200
            assert Browser().get(f"{demo.base_url}/auth/sign-in").status_code == 503

    @pytest.mark.parametrize("keys", ["null", "7", '"x"', '[null, 1, "x", [], {}]', '[{"kty": "RSA", "kid": "a"}]'])
    def test_keys_that_are_none_verify_nothing(self, demo: World, keys: str) -> None:
        token = signed(demo)
        issuer = demo.provider.issuer
        document = f"""{{"issuer": "{issuer}", "authorization_endpoint": "{issuer}/a", "token_endpoint": "{issuer}/t",
            "jwks_uri": "{issuer}/k", "keys": {keys}}}"""
        with answering(demo, document):
            demo.clock.ahead += timedelta(hours=25)
            assert demo.bearer(token).status_code in (401, 503)


class Rubbish(httpx.AsyncBaseTransport):
    """Answers every question with the same text."""

    def __init__(self, text: str) -> None:
        self.text = text

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text=self.text)


@contextmanager
def answering(world: World, text: str) -> Iterator[None]:
    """A provider that says nothing but this."""
    provider = world.identity._provider
    kept, provider._http = provider._http, httpx.AsyncClient(transport=Rubbish(text))
    try:
        yield
    finally:
        provider._http = kept
