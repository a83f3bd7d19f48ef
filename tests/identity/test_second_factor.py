"""Administrators, privacy officers: nobody without a second factor, whatever the provider let pass."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from emr.identity.errors import RecentSignInNeeded
from emr.identity.principal import Principal, needs_second_factor
from emr_demo.provider.sign_ins import Code
from tests.identity.providers import DOCTOR, NURSE, WITH_CODE, Browser
from tests.identity.test_bearer import signed
from tests.identity.world import World


def stepped_up(world: World, browser: Browser, username: str, ask: str = "second-factor") -> Any:
    """Through the provider once more; the platform's answer to what comes back."""
    begun = browser.get(f"{world.base_url}/auth/step-up", params={"to": "/h/hoa-sen/whoami", "ask": ask})
    assert begun.status_code == 303, begun.text
    back = world.provider.answer(browser, begun.headers["location"], username)
    assert back, "the provider's pages do not lead back"
    return browser.get(back)


class TestWhoNeedsOne:
    @pytest.mark.parametrize("role", ["admin", "ops", "auditor"])
    def test_these_roles_do(self, role: str) -> None:
        assert needs_second_factor(Principal("s", "n", role, "person", "t"))

    def test_the_privacy_officer_does_in_any_role(self) -> None:
        assert needs_second_factor(Principal("s", "n", "nurse", "person", "t", duties=frozenset({"privacy"})))

    def test_others_and_machines_do_not(self) -> None:
        assert not needs_second_factor(Principal("s", "n", "doctor", "person", "t"))
        assert not needs_second_factor(Principal("s", "n", "lis", "machine", "t"))


class TestSession:
    @pytest.mark.parametrize("more", [{"role": "admin"}, {"role": "doctor", "duties": frozenset({"privacy"})}])
    def test_without_one_nothing_is_answered(self, here: World, more: dict[str, Any]) -> None:
        browser = here.sign_in()
        assert here.who(browser).status_code == 200
        here.grant(DOCTOR, "hoa-sen", **more)
        answer = here.who(browser)
        assert (answer.status_code, answer.json()["code"]) == (403, "second-factor-needed")

    def test_a_page_leads_to_proving_one(self, demo: World) -> None:
        demo.grant(DOCTOR, "hoa-sen", "admin")
        answer = demo.who(demo.sign_in(), accept="text/html")
        assert answer.status_code == 303
        assert answer.headers["location"] == "/auth/step-up?ask=second-factor&to=/h/hoa-sen/whoami"

    def test_having_proved_one_the_administrator_comes_in_with_a_new_session(self, here: World) -> None:
        here.grant(WITH_CODE, "hoa-sen", "admin")
        browser = here.sign_in(WITH_CODE)
        assert here.who(browser).status_code == 403
        former = browser.cookies.get("emr_session")
        answer = stepped_up(here, browser, WITH_CODE)
        assert (answer.status_code, answer.headers["location"]) == (303, "/h/hoa-sen/whoami")
        found = here.who(browser).json()
        assert (found["role"], found["strong"]) == ("admin", True)
        old = Browser()
        old.cookies.set("emr_session", former)
        assert here.who(old).status_code == 401

    def test_the_request_asks_for_it(self, here: World) -> None:
        begun = Browser().get(f"{here.base_url}/auth/step-up")
        asked = parse_qs(urlsplit(begun.headers["location"]).query)
        assert asked["acr_values"] == ["2"]

    def test_it_lasts_as_long_as_the_session_and_over_refreshes(self, here: World) -> None:
        here.grant(WITH_CODE, "hoa-sen", "admin")
        browser = here.sign_in(WITH_CODE)
        stepped_up(here, browser, WITH_CODE)
        for _ in range(2):
            here.age_tokens()
            assert here.who(browser).status_code == 200

    def test_a_provider_that_lets_somebody_pass_without_is_not_believed(self, demo: World) -> None:
        demo.grant(DOCTOR, "hoa-sen", "admin")
        browser = demo.sign_in()
        begun = browser.get(f"{demo.base_url}/auth/step-up", params={"to": "/h/hoa-sen/whoami"})
        weak = begun.headers["location"].replace("&acr_values=2", "")
        back = demo.provider.answer(browser, weak, DOCTOR)
        answer = browser.get(back)
        assert (answer.status_code, answer.json()["code"]) == (403, "second-factor-missing")
        assert demo.who(browser).status_code == 403

    def test_it_can_be_switched_off(self, demo: World) -> None:
        demo.grant(DOCTOR, "hoa-sen", "admin")
        browser = demo.sign_in()
        demo.identity._second_factor = False
        try:
            assert demo.who(browser).status_code == 200
        finally:
            demo.identity._second_factor = True


class TestBearer:
    @pytest.mark.parametrize(
        ("claims", "status"),
        [
            ({"acr": "1"}, 403), ({"acr": None}, 403), ({"acr": 2}, 403), ({"acr": ["2"]}, 403), ({"amr": "mfa"}, 403),
            ({"amr": ["pwd"]}, 403), ({"acr": "2"}, 200), ({"amr": ["pwd", "mfa"]}, 200),
        ],
    )  # fmt: skip
    def test_the_token_itself_must_say_so(self, demo: World, claims: dict[str, Any], status: int) -> None:
        demo.grant(DOCTOR, "hoa-sen", "admin")
        token = signed(demo, sub=demo.provider.subject(DOCTOR), **({"acr": "1"} | claims))
        assert demo.bearer(token).status_code == status


class TestAgain:
    def test_every_sign_in_asks_anew(self, here: World) -> None:
        asked = parse_qs(urlsplit(here.begin(Browser())).query)
        assert (asked["prompt"], "acr_values" in asked) == (["login"], False)

    def test_who_is_signed_in_at_the_provider_is_not_let_in_without_being_asked(self, keycloak: World) -> None:
        """The next one at the PC presses "sign in": the provider's own cookie must not be enough."""
        browser = keycloak.sign_in()
        browser.cookies.delete("emr_session")
        url = keycloak.begin(browser)
        page = browser.get(url)
        while page.status_code in (302, 303):
            assert not page.headers["location"].startswith(keycloak.base_url), "let in without a question"
            page = browser.get(page.headers["location"])
        assert 'name="password"' in page.text

    @pytest.mark.parametrize(("seconds_ago", "status"), [(30, 303), (90, 400), (3600, 400)])
    def test_an_answer_by_an_old_authentication_is_refused(
        self, demo: World, monkeypatch: pytest.MonkeyPatch, seconds_ago: int, status: int
    ) -> None:
        browser = Browser()
        back = demo.provider.answer(browser, demo.begin(browser), DOCTOR)
        monkeypatch.setattr(Code, "get_auth_time", lambda code: int(code.made) - seconds_ago)
        assert browser.get(back).status_code == status

    def test_an_answer_that_does_not_say_when_it_was_asked_is_refused(
        self, demo: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        browser = Browser()
        back = demo.provider.answer(browser, demo.begin(browser), DOCTOR)
        monkeypatch.setattr("emr.identity.tokens.authenticated_at", lambda claims: None)
        assert browser.get(back).status_code == 400

    def test_the_moment_is_known_and_recent_for_five_minutes(self, here: World) -> None:
        browser = here.sign_in()
        found = here.who(browser).json()
        assert abs(found["authenticated_at"] - here.clock().timestamp()) < 30
        principal = Principal("s", "n", "doctor", "person", "t", authenticated_at=here.clock())
        here.identity.demand_recent(principal)
        here.clock.ahead += timedelta(minutes=5, seconds=1)
        with pytest.raises(RecentSignInNeeded):
            here.identity.demand_recent(principal)

    def test_who_never_is_asked_is_never_recent(self, demo: World) -> None:
        with pytest.raises(RecentSignInNeeded):
            demo.identity.demand_recent(Principal("s", "n", "lis", "machine", "t"))

    def test_showing_oneself_anew_makes_it_recent_and_keeps_the_second_factor(self, demo: World) -> None:
        demo.grant(WITH_CODE, "hoa-sen", "admin")
        browser = demo.sign_in(WITH_CODE)
        stepped_up(demo, browser, WITH_CODE)
        demo.sql("UPDATE directory.sessions SET authenticated_at = now() - interval '1 hour'")
        begun = browser.get(f"{demo.base_url}/auth/step-up", params={"to": "/", "ask": "again"})
        asked = parse_qs(urlsplit(begun.headers["location"]).query)
        assert (asked["prompt"], asked["acr_values"]) == (["login"], ["2"])
        browser.get(demo.provider.answer(browser, begun.headers["location"], WITH_CODE))
        found = demo.who(browser).json()
        assert found["strong"] is True
        assert abs(found["authenticated_at"] - demo.clock().timestamp()) < 30

    def test_somebody_else_who_comes_back_continues_nobodys_session(self, demo: World) -> None:
        demo.sql("DELETE FROM directory.sessions")
        browser = demo.sign_in()
        former = demo.who(browser).json()["session"]
        assert stepped_up(demo, browser, NURSE, "again").status_code == 303
        assert (demo.who(browser).status_code, demo.who(browser, "cau-vong").status_code) == (403, 200)
        subject = demo.provider.subject(NURSE)
        assert demo.sql("SELECT id, subject FROM directory.sessions WHERE revoked_at IS NULL") == [
            (demo.who(browser, "cau-vong").json()["session"], subject)
        ]
        assert demo.sql("SELECT subject FROM directory.sessions WHERE id = %s", former) != [(subject,)]
