"""Locked sessions: by their owner or by time, and the PIN that opens them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import pytest

from emr.identity.errors import NotAMember, NotSignedIn, PinRefused, PinTooSimple
from tests.identity.providers import DOCTOR, NURSE, Browser
from tests.identity.world import World

PIN, WRONG = "280719", "280718"


def state(world: World, browser: Browser, slug: str = "hoa-sen"):
    cookie = browser.cookies.get("emr_session")
    return world.call(world.identity.locks.state, cookie, world.tenant(slug))


def lock(world: World, browser: Browser) -> None:
    world.call(world.identity.locks.lock, state(world, browser).session_id)


def with_pin(world: World, username: str = DOCTOR) -> Browser:
    browser = world.sign_in(username)
    world.call(world.identity.pins.set, world.provider.subject(username), PIN)
    return browser


def try_pin(world: World, browser: Browser, pin: str) -> str:
    """What becomes of one try: "open", how many tries are left, or "over"."""
    try:
        world.call(world.identity.locks.open, state(world, browser), pin)
    except PinRefused as refusal:
        return str(refusal.left)
    except NotSignedIn:
        return "over"
    return "open"


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


class TestLock:
    def test_nobody_has_nothing_to_lock(self, demo: World) -> None:
        with pytest.raises(NotSignedIn):
            state(demo, Browser())

    def test_a_stranger_to_the_hospital_has_nothing_to_lock_there(self, demo: World) -> None:
        with pytest.raises(NotAMember):
            state(demo, demo.sign_in(), "cau-vong")

    def test_a_locked_session_may_do_nothing_in_any_hospital(self, demo: World) -> None:
        demo.grant(DOCTOR, "cau-vong", "doctor")
        browser = demo.sign_in()
        lock(demo, browser)
        assert refusal(demo.who(browser)) == (401, "session-locked")
        assert refusal(browser.post(f"{demo.base_url}/h/hoa-sen/change")) == (401, "session-locked")
        assert demo.who(browser, "cau-vong").status_code != 200

    def test_the_page_to_choose_a_hospital_knows_nobody(self, demo: World) -> None:
        browser = demo.sign_in()
        lock(demo, browser)
        assert browser.get(f"{demo.base_url}/choices").json()["person"] == ""

    def test_another_session_of_the_same_person_goes_on(self, demo: World) -> None:
        here, there = demo.sign_in(), demo.sign_in()
        lock(demo, here)
        assert (demo.who(here).status_code, demo.who(there).status_code) == (401, 200)

    def test_another_person_may_sign_in_over_it_and_ends_it(self, demo: World) -> None:
        browser = with_pin(demo)
        lock(demo, browser)
        former = browser.cookies.get("emr_session")
        demo.sign_in(NURSE, browser=browser)
        assert demo.who(browser, "cau-vong").json()["role"] == "nurse"
        old = Browser()
        old.cookies.set("emr_session", former)
        assert refusal(demo.who(old)) == (401, "not-signed-in")


class TestIdle:
    def test_after_the_hospitals_minutes_it_is_locked_and_not_over(self, demo: World) -> None:
        browser = with_pin(demo)
        assert demo.who(browser).status_code == 200
        demo.sql("UPDATE directory.sessions SET token_expires_at = now() + interval '1 day'")
        demo.clock.ahead += timedelta(minutes=15, seconds=1)
        assert refusal(demo.who(browser)) == (401, "session-locked")
        assert try_pin(demo, browser, PIN) == "open"
        assert demo.who(browser).status_code == 200

    def test_a_clock_that_goes_back_does_not_open_it(self, demo: World) -> None:
        browser = demo.sign_in()
        demo.clock.ahead += timedelta(minutes=16)
        assert demo.who(browser).status_code == 401
        demo.clock.ahead -= timedelta(minutes=16)
        assert refusal(demo.who(browser)) == (401, "session-locked")

    def test_finding_it_idle_leaves_one_row_in_the_hospitals_trail(self, demo: World) -> None:
        browser = demo.sign_in()
        session = demo.who(browser).json()["session"]
        demo.clock.ahead += timedelta(minutes=16)
        for _ in range(3):
            demo.who(browser)
        rows = demo.sql("SELECT row FROM cell.audit_journal WHERE row LIKE %s", f"%{session}%")
        assert sum('"session.locked"' in row for (row,) in rows) == 1

    def test_looking_at_the_hospitals_to_choose_from_is_no_use(self, demo: World) -> None:
        browser = demo.sign_in()
        demo.sql("UPDATE directory.sessions SET token_expires_at = now() + interval '1 day'")
        for _ in range(4):
            demo.clock.ahead += timedelta(minutes=5)
            browser.get(f"{demo.base_url}/choices")
        assert refusal(demo.who(browser)) == (401, "session-locked")

    def test_the_strictest_hospital_where_it_was_used_counts_everywhere(self, demo: World) -> None:
        demo.grant(DOCTOR, "cau-vong", "doctor")
        demo.sql(
            'UPDATE directory.tenants SET definition = definition || \'{"sessions": {"lock_minutes": 5}}\''
            " WHERE slug = 'hoa-sen'"
        )
        demo.portal.call(demo.runtime.registry.refresh)
        try:
            browser = demo.sign_in()
            assert demo.who(browser).status_code == 200
            subject = demo.provider.subject(DOCTOR)
            cau_vong = demo.tenant("cau-vong").organization_id
            demo.sql(
                "UPDATE directory.sessions SET organization_ids = organization_ids || %s::text,"
                " token_expires_at = now() + interval '1 day' WHERE subject = %s",
                cau_vong,
                subject,
            )
            assert demo.who(browser, "cau-vong").status_code == 200
            demo.clock.ahead += timedelta(minutes=6)
            assert refusal(demo.who(browser, "cau-vong")) == (401, "session-locked")
        finally:
            demo.sql("UPDATE directory.tenants SET definition = definition - 'sessions' WHERE slug = 'hoa-sen'")
            demo.portal.call(demo.runtime.registry.refresh)

    def test_after_the_hospitals_hours_it_is_over(self, demo: World) -> None:
        browser = demo.sign_in()
        demo.sql("UPDATE directory.sessions SET created_at = now() - interval '12 hours 1 second'")
        assert refusal(demo.who(browser)) == (401, "not-signed-in")


class TestPin:
    @pytest.mark.parametrize(
        "pin", ["", "12345", "1234567", "123456", "654321", "111111", "121212", "abcdef", "１２３８７２", "12 456"]
    )
    def test_what_is_guessed_first_is_no_pin(self, demo: World, pin: str) -> None:
        with pytest.raises(PinTooSimple):
            demo.call(demo.identity.pins.set, "somebody", pin)

    def test_it_is_kept_as_a_slow_hash_with_salt_of_its_own(self, demo: World) -> None:
        for subject in ("one", "two"):
            demo.call(demo.identity.pins.set, subject, PIN)
        kept = demo.sql("SELECT hash FROM directory.pins WHERE subject IN ('one', 'two')")
        assert len({each for (each,) in kept}) == 2
        assert not any(PIN in each for (each,) in kept)

    def test_the_hash_is_worth_nothing_without_the_platforms_key(self, demo: World) -> None:
        demo.call(demo.identity.pins.set, "one", PIN)
        kept, demo.identity.pins._key = demo.identity.pins._key, b"another key of thirty-two bytes."
        try:
            assert not demo.call(demo.identity.pins.matches, "one", PIN)
        finally:
            demo.identity.pins._key = kept
        assert demo.call(demo.identity.pins.matches, "one", PIN)

    def test_somebody_elses_opens_nothing(self, demo: World) -> None:
        browser = demo.sign_in()
        demo.call(demo.identity.pins.set, demo.provider.subject(NURSE), PIN)
        demo.call(demo.identity.pins.remove, demo.provider.subject(DOCTOR))
        lock(demo, browser)
        assert try_pin(demo, browser, PIN) == "4"


class TestOpen:
    def test_the_right_one_opens_it(self, demo: World) -> None:
        browser = with_pin(demo)
        lock(demo, browser)
        assert try_pin(demo, browser, PIN) == "open"
        assert demo.who(browser).status_code == 200

    def test_five_wrong_ones_end_the_session(self, demo: World) -> None:
        browser = with_pin(demo)
        lock(demo, browser)
        assert [try_pin(demo, browser, WRONG) for _ in range(5)] == ["4", "3", "2", "1", "over"]
        assert refusal(demo.who(browser)) == (401, "not-signed-in")
        with pytest.raises(NotSignedIn):
            state(demo, browser)

    def test_the_right_one_gives_the_tries_back(self, demo: World) -> None:
        browser = with_pin(demo)
        lock(demo, browser)
        assert [try_pin(demo, browser, pin) for pin in (WRONG, WRONG, PIN)] == ["4", "3", "open"]
        lock(demo, browser)
        assert try_pin(demo, browser, WRONG) == "4"

    def test_many_at_once_are_no_more_tries(self, demo: World) -> None:
        browser = with_pin(demo)
        lock(demo, browser)
        found = state(demo, browser)
        guesses = [f"{number:06}" for number in range(100000, 100020)]
        compared: list[str] = []
        matches = demo.identity.pins.matches

        async def counted(subject: str, pin: str) -> bool:
            compared.append(pin)
            return await matches(subject, pin)

        demo.identity.pins.matches = counted
        try:

            def guess(pin: str) -> None:
                with pytest.raises((PinRefused, NotSignedIn)):
                    demo.call(demo.identity.locks.open, found, pin)

            with ThreadPoolExecutor(10) as threads:
                list(threads.map(guess, guesses))
        finally:
            demo.identity.pins.matches = matches
        assert len(compared) <= 5
        assert demo.who(browser).status_code == 401

    def test_guessing_at_one_pc_locks_nobody_out_elsewhere(self, demo: World) -> None:
        guessed, other = with_pin(demo), demo.sign_in()
        lock(demo, guessed)
        for _ in range(5):
            try_pin(demo, guessed, WRONG)
        assert demo.who(other).status_code == 200
        lock(demo, other)
        assert try_pin(demo, other, PIN) == "open"
        assert demo.who(demo.sign_in()).status_code == 200

    def test_who_was_locked_out_at_the_provider_meanwhile_does_not_get_in(self, here: World) -> None:
        browser = with_pin(here)
        lock(here, browser)
        here.provider.disable(DOCTOR)
        try:
            here.clock.ahead += timedelta(minutes=1)
            assert try_pin(here, browser, PIN) == "open"
            assert here.who(browser).status_code == 401
        finally:
            here.provider.enable(DOCTOR)
