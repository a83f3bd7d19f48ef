"""Sessions under attack: what `platform/docs/access-and-audit.md` maps to tests, where no other file has it."""

import ast
import re
import secrets
from pathlib import Path

import httpx
import pytest

from emr.identity.provider import GrantRefused
from tests.identity.providers import DOCTOR, Browser
from tests.identity.world import World

ROOT = Path(__file__).parents[2]
ELSEWHERE = ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/\t/evil.example"]


def refresh_token(world: World, session: str) -> str:
    sealed = world.sql("SELECT refresh_token FROM directory.sessions WHERE id = %s", session)[0][0]
    found = world.identity._sessions._sealed.open(bytes(sealed), context=session)
    assert found
    return str(found)


class TestStolenRefreshToken:
    def test_used_by_a_thief_first_the_session_ends_for_both(self, here: World) -> None:
        browser = here.sign_in()
        session, subject = here.who(browser).json()["session"], here.provider.subject(DOCTOR)
        stolen = refresh_token(here, session)
        theirs = here.call(here.identity._flow.refresh, stolen, subject)
        here.age_tokens()
        assert here.who(browser).status_code == 401
        with pytest.raises(GrantRefused):
            here.call(here.identity._flow.refresh, theirs.refresh_token, subject)

    def test_used_by_a_thief_later_it_is_worth_nothing(self, here: World) -> None:
        browser = here.sign_in()
        session, subject = here.who(browser).json()["session"], here.provider.subject(DOCTOR)
        stolen = refresh_token(here, session)
        here.age_tokens()
        assert here.who(browser).status_code == 200
        with pytest.raises(GrantRefused):
            here.call(here.identity._flow.refresh, stolen, subject)

    def test_the_row_of_one_session_does_not_open_in_another(self, demo: World) -> None:
        mine, other = demo.sign_in(), demo.sign_in()
        a, b = demo.who(mine).json()["session"], demo.who(other).json()["session"]
        demo.sql(
            "UPDATE directory.sessions SET refresh_token = (SELECT refresh_token FROM directory.sessions WHERE id = %s)"
            " WHERE id = %s",
            a,
            b,
        )
        demo.age_tokens()
        assert demo.who(other).status_code == 401


class TestFixation:
    def test_a_planted_cookie_is_never_taken_over(self, here: World) -> None:
        browser = Browser()
        browser.cookies.set("emr_session", "planted-by-somebody-else-who-waits")
        here.sign_in(browser=browser)
        held = [cookie.value for cookie in browser.cookies.jar if cookie.name == "emr_session" and cookie.domain]
        assert held
        assert "planted-by-somebody-else-who-waits" not in held
        thief = Browser()
        thief.cookies.set("emr_session", "planted-by-somebody-else-who-waits")
        assert here.who(thief).status_code == 401

    def test_proving_more_makes_a_new_session_and_ends_the_former(self, here: World) -> None:
        browser = here.sign_in()
        former = browser.cookies.get("emr_session")
        begun = browser.get(f"{here.base_url}/auth/step-up", params={"to": "/h/hoa-sen/", "ask": "again"})
        browser.get(here.provider.answer(browser, begun.headers["location"], DOCTOR))
        assert browser.cookies.get("emr_session") != former
        old = Browser()
        old.cookies.set("emr_session", former or "")
        assert here.who(old).status_code == 401
        assert here.who(browser).status_code == 200


class TestOpenRedirects:
    @pytest.mark.parametrize("to", ELSEWHERE)
    def test_proving_more_leads_nowhere_else(self, demo: World, to: str) -> None:
        answer = httpx.get(f"{demo.base_url}/auth/step-up", params={"to": to}, trust_env=False)
        assert (answer.status_code, "location" in answer.headers) == (400, False)

    @pytest.mark.parametrize("to", ELSEWHERE)
    def test_signing_out_leads_nowhere_else_and_ends_nothing(self, demo: World, to: str) -> None:
        browser = demo.sign_in()
        answer = browser.post(f"{demo.base_url}/auth/sign-out", data={"to": to})
        assert (answer.status_code, "location" in answer.headers) == (400, False)
        assert demo.who(browser).status_code == 200


class TestGuessing:
    """Passwords are Keycloak's: the shipped realm lets an account wait after ten wrong ones."""

    def test_the_account_waits_and_nobody_else_does(self, keycloak: World) -> None:
        provider, username = keycloak.provider, f"guessed{secrets.token_hex(4)}@hoa-sen"
        provider.subjects[username] = provider.server.add_person(username, provider.organizations["hoa-sen"])
        right = provider.server.password
        try:
            for _ in range(10):
                provider.server.password = secrets.token_urlsafe(18)
                assert not self.lets_in(keycloak, username)
        finally:
            provider.server.password = right
        assert not self.lets_in(keycloak, username)
        assert self.lets_in(keycloak, DOCTOR)

    def lets_in(self, world: World, username: str) -> bool:
        browser = Browser()
        return bool(world.provider.answer(browser, world.begin(browser), username))


class TestTheTable:
    """The page names a test for each attack; one that is renamed or dropped is missed here."""

    def test_every_test_that_it_names_is_there(self) -> None:
        page = (ROOT / "platform" / "docs" / "access-and-audit.md").read_text("utf-8")
        named = re.findall(r"`(test_\w+)\.(Test\w+)(?:\.(test_\w+))?`", page)
        assert len(named) > 20
        missing = [each for each in named if not _stands(*each)]
        assert not missing


def _stands(file: str, name: str, test: str) -> bool:
    for path in (*ROOT.glob(f"tests/*/{file}.py"),):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and node.name == name:
                return not test or any(getattr(each, "name", "") == test for each in node.body)
    return False
