"""Sessions in the lists of their owner and of a hospital's administrator."""

from datetime import timedelta

import pytest

from emr.kernel.errors import NotFound
from tests.identity.providers import DOCTOR, NURSE, Browser
from tests.identity.world import World

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36"


@pytest.fixture(autouse=True)
def alone(demo: World) -> None:
    demo.sql("DELETE FROM directory.sessions")


def session_of(world: World, browser: Browser, slug: str = "hoa-sen") -> str:
    return str(world.who(browser, slug).json()["session"])


class TestOfPerson:
    def test_nobody_has_none(self, demo: World) -> None:
        assert demo.call(demo.identity.lists.of_person, "nobody") == []

    def test_all_of_ones_own_and_nobody_elses(self, demo: World) -> None:
        here, there = demo.sign_in(), demo.sign_in()
        demo.sign_in(NURSE)
        found = demo.call(demo.identity.lists.of_person, demo.provider.subject(DOCTOR))
        assert {each.id for each in found} == {session_of(demo, here), session_of(demo, there)}

    def test_it_says_on_what_and_since_when(self, demo: World) -> None:
        browser = Browser()
        browser.headers["user-agent"] = CHROME
        demo.sign_in(browser=browser)
        (found,) = demo.call(demo.identity.lists.of_person, demo.provider.subject(DOCTOR))
        assert (found.device, found.strong) == ("Chrome · Windows", False)
        assert abs(found.authenticated_at - found.created_at) < timedelta(seconds=10)

    def test_one_that_is_over_is_in_no_list(self, demo: World) -> None:
        ended, idle, old, running = (demo.sign_in() for _ in range(4))
        demo.sql("UPDATE directory.sessions SET revoked_at = now() WHERE id = %s", session_of(demo, ended))
        demo.sql(
            "UPDATE directory.sessions SET seen_at = now() - interval '1 day' WHERE id = %s", session_of(demo, idle)
        )
        demo.sql("UPDATE directory.sessions SET expires_at = now() WHERE id = %s", session_of(demo, old))
        subject = demo.provider.subject(DOCTOR)
        assert [each.id for each in demo.call(demo.identity.lists.of_person, subject)] == [session_of(demo, running)]
        assert [each.id for each in demo.call(demo.identity.lists.of_hospital, demo.tenant("hoa-sen").id)] == [
            session_of(demo, running)
        ]


class TestEndOwn:
    def test_somebody_elses_is_like_one_that_is_none(self, demo: World) -> None:
        other = demo.sign_in(NURSE)
        subject = demo.provider.subject(DOCTOR)
        said = []
        for session in (session_of(demo, other, "cau-vong"), "0199-none"):
            with pytest.raises(NotFound) as refusal:
                demo.call(demo.identity.lists.end_own, subject, session)
            said.append((refusal.value.code, refusal.value.message))
        assert said[0] == said[1]
        assert demo.who(other, "cau-vong").status_code == 200

    def test_it_is_over_at_the_next_request_and_no_other_is(self, demo: World) -> None:
        here, there = demo.sign_in(), demo.sign_in()
        demo.call(demo.identity.lists.end_own, demo.provider.subject(DOCTOR), session_of(demo, there))
        assert (demo.who(here).status_code, demo.who(there).status_code) == (200, 401)

    def test_one_of_its_tokens_stays_until_the_browsers_next_sign_in_and_ends_what_is_left_at_the_provider(
        self, demo: World
    ) -> None:
        """Whoever signs in next at this PC would otherwise stand before the provider's session of somebody else."""
        browser = demo.sign_in()
        demo.call(demo.identity.lists.end_own, demo.provider.subject(DOCTOR), session_of(demo, browser))
        tokens = "SELECT refresh_token IS NOT NULL, id_token FROM directory.sessions"
        assert demo.sql(tokens) == [(True, None)]
        demo.begin(browser)
        assert demo.sql(tokens) == [(False, None)]


class TestEndOthers:
    def test_the_one_in_hand_goes_on(self, demo: World) -> None:
        here, there, further, other = demo.sign_in(), demo.sign_in(), demo.sign_in(), demo.sign_in(NURSE)
        ended = demo.call(demo.identity.lists.end_others, demo.provider.subject(DOCTOR), session_of(demo, here))
        assert len(ended) == 2
        assert [demo.who(each).status_code for each in (here, there, further)] == [200, 401, 401]
        assert demo.who(other, "cau-vong").status_code == 200


class TestOfHospital:
    def test_one_that_was_never_used_there_is_not_listed(self, demo: World) -> None:
        demo.grant(DOCTOR, "cau-vong", "doctor")
        browser = demo.sign_in()
        assert demo.who(browser).status_code == 200
        assert demo.call(demo.identity.lists.of_hospital, demo.tenant("cau-vong").id) == []

    def test_one_that_was_refused_there_is_not_listed(self, demo: World) -> None:
        assert demo.who(demo.sign_in(), "cau-vong").status_code == 403
        assert demo.call(demo.identity.lists.of_hospital, demo.tenant("cau-vong").id) == []

    def test_it_has_the_name_that_the_hospital_gave(self, demo: World) -> None:
        demo.who(demo.sign_in())
        (found,) = demo.call(demo.identity.lists.of_hospital, demo.tenant("hoa-sen").id)
        assert (found.name, found.subject) == (f"Thử {DOCTOR}", demo.provider.subject(DOCTOR))

    def test_somebody_who_was_a_member_until_now_is_still_there(self, demo: World) -> None:
        demo.who(demo.sign_in())
        demo.revoke(DOCTOR, "hoa-sen")
        assert len(demo.call(demo.identity.lists.of_hospital, demo.tenant("hoa-sen").id)) == 1


class TestEndInHospital:
    def test_another_hospitals_is_like_one_that_is_none(self, demo: World) -> None:
        browser = demo.sign_in()
        with pytest.raises(NotFound):
            demo.call(demo.identity.lists.end_in_hospital, demo.tenant("cau-vong").id, session_of(demo, browser))
        assert demo.who(browser).status_code == 200

    def test_it_is_over_at_the_next_request(self, demo: World) -> None:
        browser = demo.sign_in()
        ended = demo.call(demo.identity.lists.end_in_hospital, demo.tenant("hoa-sen").id, session_of(demo, browser))
        assert ended.subject == demo.provider.subject(DOCTOR)
        assert demo.who(browser).status_code == 401

    def test_all_of_a_person_but_only_those_that_were_used_there(self, demo: World) -> None:
        here, there, fresh = demo.sign_in(), demo.sign_in(), demo.sign_in()
        assert [demo.who(each).status_code for each in (here, there)] == [200, 200]
        subject = demo.provider.subject(DOCTOR)
        ended = demo.call(demo.identity.lists.end_all_in_hospital, demo.tenant("hoa-sen").id, subject)
        assert len(ended) == 2
        assert [demo.who(each).status_code for each in (here, there, fresh)] == [401, 401, 200]


class TestEntering:
    def test_the_first_use_in_a_hospital_leaves_one_row_in_its_trail(self, demo: World) -> None:
        browser = demo.sign_in()
        session = session_of(demo, browser)
        for _ in range(3):
            demo.who(browser)
        rows = demo.sql("SELECT tenant, row FROM cell.audit_journal WHERE row LIKE %s", f"%{session}%")
        assert [(tenant, '"session.entered"' in row) for tenant, row in rows] == [(demo.tenant("hoa-sen").schema, True)]
