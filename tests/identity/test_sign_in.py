"""Signing in and out through real pages, with the demo's provider and with Keycloak."""

import re
from datetime import timedelta
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

import httpx
import pytest

from tests.identity.providers import DOCTOR, NURSE, STRANGER, Browser
from tests.identity.world import World


def edited(url: str, **changes: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query=urlencode(dict(parse_qsl(parts.query)) | changes)))


class TestSignIn:
    def test_nobody_is_nobody(self, here: World) -> None:
        answer = here.who(Browser())
        assert (answer.status_code, answer.json()["code"]) == (401, "not-signed-in")

    def test_a_made_up_cookie_is_nobody(self, here: World) -> None:
        browser = Browser()
        browser.cookies.set("emr_session", "x" * 43)
        assert here.who(browser).status_code == 401

    def test_a_stranger_to_every_hospital_is_refused_in_the_same_words_everywhere(self, here: World) -> None:
        browser = here.sign_in(STRANGER)
        answers = [here.who(browser, slug) for slug in ("hoa-sen", "cau-vong")]
        assert [answer.status_code for answer in answers] == [403, 403]
        assert answers[0].json() == answers[1].json()

    def test_a_member_of_another_hospital_is_refused(self, here: World) -> None:
        answer = here.who(here.sign_in(NURSE), "hoa-sen")
        assert (answer.status_code, answer.json()["code"]) == (403, "not-a-member")

    def test_a_row_of_ours_without_the_providers_organization_is_not_enough(self, here: World) -> None:
        here.grant(NURSE, "hoa-sen", "nurse")
        assert here.who(here.sign_in(NURSE), "hoa-sen").status_code == 403

    def test_the_providers_organization_without_a_row_of_ours_is_not_enough(self, here: World) -> None:
        here.revoke(DOCTOR, "hoa-sen")
        assert here.who(here.sign_in()).status_code == 403

    def test_a_member_comes_in_with_the_role_of_our_own_row(self, here: World) -> None:
        found = here.who(here.sign_in()).json()
        assert (found["role"], found["kind"]) == ("doctor", "person")
        assert found["subject"] == here.provider.subject(DOCTOR)
        assert found["name"] == f"Thử {DOCTOR}"
        assert found["tenant"] == here.tenant("hoa-sen").id
        assert found["session"]

    def test_one_leads_back_to_the_page_that_was_asked_for(self, here: World) -> None:
        browser = Browser()
        back = here.provider.answer(browser, here.begin(browser, "/h/hoa-sen/patients/1?tab=notes"), DOCTOR)
        assert browser.get(back).headers["location"] == "/h/hoa-sen/patients/1?tab=notes"

    def test_the_request_asks_for_pkce_state_and_nonce(self, here: World) -> None:
        asked = parse_qs(urlsplit(here.begin(Browser())).query)
        assert asked["code_challenge_method"] == ["S256"]
        assert asked["redirect_uri"] == [f"{here.base_url}/auth/callback"]
        assert min(len(asked[name][0]) for name in ("state", "nonce", "code_challenge")) >= 32

    def test_the_session_is_in_an_opaque_cookie_that_scripts_cannot_read(self, here: World) -> None:
        browser = Browser()
        answer = browser.get(here.provider.answer(browser, here.begin(browser), DOCTOR))
        cookie = next(each for each in answer.headers.get_list("set-cookie") if each.startswith("emr_session="))
        assert re.fullmatch(r"emr_session=[\w-]{43}; HttpOnly; Path=/; SameSite=lax", cookie)

    def test_neither_the_cookie_nor_a_token_is_in_the_database(self, here: World) -> None:
        browser = here.sign_in()
        stored = here.sql("SELECT s::text, refresh_token, id_token FROM directory.sessions s")
        assert browser.cookies["emr_session"] not in str(stored)
        assert b"eyJ" not in b"".join(bytes(row[1]) + bytes(row[2]) for row in stored if row[1] and row[2])

    def test_a_new_sign_in_ends_the_browsers_former_session(self, here: World) -> None:
        browser = here.sign_in()
        former = Browser()
        former.cookies.set("emr_session", browser.cookies["emr_session"])
        here.sign_in(browser=browser)
        assert (here.who(former).status_code, here.who(browser).status_code) == (401, 200)

    def test_hospitals_are_listed_ones_own_first(self, here: World) -> None:
        found = here.sign_in(DOCTOR).get(f"{here.base_url}/choices").json()
        assert found["person"]
        assert found["hospitals"] == [["hoa-sen", "doctor"], ["cau-vong", ""]]

    def test_a_sign_in_leaves_a_row_in_the_directorys_audit(self, here: World) -> None:
        before = here.sql("SELECT coalesce(max(seq), 0) FROM directory.audit_journal")[0][0]
        here.sign_in()
        rows = here.sql("SELECT row FROM directory.audit_journal WHERE seq > %s", before)
        assert ['"action":"session.started"' in row[0] for row in rows] == [True]


class TestCallback:
    def test_an_answer_without_a_sign_in_under_way_is_refused(self, here: World) -> None:
        browser = Browser()
        back = here.provider.answer(browser, here.begin(browser), DOCTOR)
        answer = Browser().get(back)
        assert (answer.status_code, answer.json()["code"]) == (400, "sign-in-refused")

    def test_a_replayed_answer_is_refused(self, here: World) -> None:
        browser = Browser()
        back = here.provider.answer(browser, here.begin(browser), DOCTOR)
        assert [browser.get(back).status_code for _ in range(2)] == [303, 400]

    def test_a_replayed_code_is_refused_even_with_the_cookie_of_the_sign_in(self, here: World) -> None:
        browser, thief = Browser(), Browser()
        back = here.provider.answer(browser, here.begin(browser), DOCTOR)
        for cookie in browser.cookies.jar:
            if cookie.name.startswith("emr_sign_in_"):
                thief.cookies.set(cookie.name, cookie.value or "")
        assert browser.get(back).status_code == 303
        assert thief.get(back).status_code == 400

    def test_a_code_of_another_sign_in_is_refused(self, here: World) -> None:
        victim, attacker = Browser(), Browser()
        here.begin(victim)
        state = parse_qs(urlsplit(here.begin(victim)).query)["state"][0]
        stolen = here.provider.answer(attacker, here.begin(attacker), DOCTOR)
        assert victim.get(edited(stolen, state=state)).status_code == 400

    @pytest.mark.parametrize("changes", [{"state": "x"}, {"iss": "https://evil.example"}, {"code": "x"}])
    def test_a_changed_answer_is_refused(self, here: World, changes: dict[str, str]) -> None:
        browser = Browser()
        back = here.provider.answer(browser, here.begin(browser), DOCTOR)
        assert browser.get(edited(back, **changes)).status_code == 400
        assert here.who(browser).status_code == 401

    def test_an_altered_cookie_of_the_sign_in_is_refused_and_opens_nothing(self, demo: World) -> None:
        browser = Browser()
        back = demo.provider.answer(browser, demo.begin(browser), DOCTOR)
        held = next(each for each in browser.cookies.jar if each.name.startswith("emr_sign_in_"))
        right = str(held.value)
        for altered in (f"{right[:-8]}AAAAAAA=", right[: len(right) // 2], "x", "%"):
            held.value = altered
            answer = browser.get(back)
            assert (answer.status_code, answer.json()["code"]) == (400, "sign-in-refused")
            assert demo.who(browser).status_code == 401

    def test_an_answer_without_an_issuer_is_refused(self, here: World) -> None:
        browser = Browser()
        back = here.provider.answer(browser, here.begin(browser), DOCTOR)
        assert browser.get(re.sub(r"&iss=[^&]*", "", back)).status_code == 400

    def test_a_parameter_given_twice_is_refused(self, here: World) -> None:
        browser = Browser()
        back = here.provider.answer(browser, here.begin(browser), DOCTOR)
        assert browser.get(f"{back}&code=other").status_code == 400

    def test_a_sign_in_older_than_ten_minutes_is_refused(self, demo: World) -> None:
        browser = Browser()
        back = demo.provider.answer(browser, demo.begin(browser), DOCTOR)
        demo.clock.ahead += timedelta(minutes=11)
        assert browser.get(back).status_code == 400

    def test_two_tabs_do_not_disturb_each_other(self, here: World) -> None:
        browser = Browser()
        first, second = here.begin(browser, "/h/hoa-sen/a"), here.begin(browser, "/h/hoa-sen/b")
        back = here.provider.answer(browser, first, DOCTOR)
        assert browser.get(back).headers["location"] == "/h/hoa-sen/a"
        assert second != first

    @pytest.mark.parametrize(
        "to",
        [
            "https://evil.example/", "//evil.example", "/\\evil.example", "\\/evil.example", "javascript:alert(1)",
            "evil", "", "/\t/evil.example", "/h/\r\nSet-Cookie: a=b", "/" + "a" * 2500, "/?x", "http:/x", "///x",
        ],
    )  # fmt: skip
    def test_an_address_that_leads_elsewhere_is_refused(self, demo: World, to: str) -> None:
        answer = httpx.get(f"{demo.base_url}/auth/sign-in", params={"to": to}, trust_env=False)
        assert (answer.status_code, answer.json()["code"]) == (400, "unsafe-return")
        assert "location" not in answer.headers


class TestSignOut:
    def test_it_ends_the_session_here_and_at_the_provider_and_leads_home(self, here: World) -> None:
        browser = here.sign_in()
        cookie = browser.cookies["emr_session"]
        out = browser.post(f"{here.base_url}/auth/sign-out", headers={"Sec-Fetch-Site": "same-origin"})
        assert out.status_code == 303
        home = browser.get(out.headers["location"])
        assert (home.status_code, home.headers["location"]) == (302, f"{here.base_url}/")
        kept = Browser()
        kept.cookies.set("emr_session", cookie)
        assert here.who(kept).status_code == 401

    def test_the_next_sign_in_asks_again(self, here: World) -> None:
        browser = here.sign_in()
        out = browser.post(f"{here.base_url}/auth/sign-out")
        browser.get(out.headers["location"])
        assert browser.get(here.begin(browser)).status_code == 200

    def test_another_site_cannot_sign_someone_out(self, here: World) -> None:
        browser = here.sign_in()
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
            assert browser.post(f"{here.base_url}/auth/sign-out", headers=headers).status_code == 403
        assert here.who(browser).status_code == 200

    def test_whoever_is_not_signed_in_is_led_home(self, here: World) -> None:
        assert Browser().post(f"{here.base_url}/auth/sign-out").headers["location"] == "/"


class TestChange:
    @pytest.mark.parametrize(
        "headers",
        [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}],
        ids=str,
    )
    def test_one_that_another_site_sends_is_refused(self, demo: World, headers: dict[str, str]) -> None:
        browser = demo.sign_in()
        answer = browser.post(f"{demo.base_url}/h/hoa-sen/change", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "foreign-form")

    def test_ones_own_page_and_a_program_may(self, demo: World) -> None:
        browser = demo.sign_in()
        for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": demo.base_url}, {}):
            assert browser.post(f"{demo.base_url}/h/hoa-sen/change", headers=headers).status_code == 200

    def test_a_bearer_token_needs_no_origin(self, demo: World) -> None:
        headers = {
            "Authorization": f"Bearer {demo.provider.machine_token('hoa-sen')}",
            "Sec-Fetch-Site": "cross-site",
        }
        answer = httpx.post(f"{demo.base_url}/h/hoa-sen/change", headers=headers, trust_env=False)
        assert answer.status_code == 200


class TestRefusals:
    def test_each_leaves_one_row_in_the_directorys_audit(self, demo: World) -> None:
        browser = demo.sign_in()
        before = demo.sql("SELECT coalesce(max(seq), 0) FROM directory.audit_journal")[0][0]
        browser.get(f"{demo.base_url}/auth/callback", params={"state": "x", "code": "x"})
        browser.post(f"{demo.base_url}/auth/sign-out", headers={"Sec-Fetch-Site": "cross-site"})
        browser.post(f"{demo.base_url}/auth/backchannel-logout", data={"logout_token": "x"})
        codes = "SELECT row::json->'detail'->'codes'->>0 FROM directory.audit_journal WHERE seq > %s ORDER BY seq"
        rows = demo.sql(codes, before)
        assert [row[0] for row in rows] == ["sign-in-refused", "foreign-form", "logout-token-refused"]
