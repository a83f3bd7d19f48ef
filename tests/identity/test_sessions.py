"""What becomes of a session while time passes and the provider changes its mind."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from tests.identity.providers import DOCTOR
from tests.identity.world import World


class TestUse:
    def test_a_session_that_nobody_used_for_four_hours_is_over(self, demo: World) -> None:
        browser = demo.sign_in()
        demo.clock.ahead += timedelta(hours=4, seconds=1)
        answer = demo.who(browser)
        assert (answer.status_code, answer.json()["code"]) == (401, "not-signed-in")

    def test_use_keeps_it_alive(self, demo: World) -> None:
        browser = demo.sign_in()
        demo.sql("UPDATE directory.sessions SET token_expires_at = now() + interval '1 day'")
        for _ in range(3):
            demo.clock.ahead += timedelta(minutes=14)
            assert demo.who(browser).status_code == 200

    def test_twelve_hours_are_the_longest(self, demo: World) -> None:
        browser = demo.sign_in()
        demo.sql("UPDATE directory.sessions SET token_expires_at = now() + interval '1 day'")
        codes = []
        for _ in range(73):
            demo.clock.ahead += timedelta(minutes=10)
            codes.append(demo.who(browser).status_code)
        assert codes == [200] * 71 + [401] * 2

    def test_a_membership_that_was_taken_away_counts_no_more_at_the_next_request(self, here: World) -> None:
        browser = here.sign_in()
        assert here.who(browser).status_code == 200
        here.revoke(DOCTOR, "hoa-sen")
        assert here.who(browser).status_code == 403

    def test_a_changed_role_counts_at_the_next_request(self, demo: World) -> None:
        browser = demo.sign_in()
        demo.grant(DOCTOR, "hoa-sen", "nurse")
        assert demo.who(browser).json()["role"] == "nurse"

    def test_an_authorization_header_is_judged_alone(self, demo: World) -> None:
        browser = demo.sign_in()
        for header in ("Bearer x", "Basic eDp5", "Bearer", "x"):
            assert demo.who(browser, Authorization=header).status_code == 401

    def test_a_hospital_without_an_organization_lets_nobody_in(self, demo: World) -> None:
        browser = demo.sign_in()
        kept = demo.tenant("hoa-sen").organization_id
        demo.sql("UPDATE directory.tenants SET organization_id = NULL WHERE slug = 'hoa-sen'")
        demo.portal.call(demo.runtime.registry.refresh)
        try:
            assert demo.who(browser).status_code == 403
            assert demo.bearer(demo.provider.machine_token("hoa-sen")).status_code == 403
        finally:
            demo.sql("UPDATE directory.tenants SET organization_id = %s WHERE slug = 'hoa-sen'", kept)
            demo.portal.call(demo.runtime.registry.refresh)


class TestRefresh:
    def test_aged_tokens_are_renewed_in_passing(self, here: World) -> None:
        browser = here.sign_in()
        session = here.who(browser).json()["session"]
        before = here.sql("SELECT refresh_token FROM directory.sessions WHERE id = %s", session)
        here.age_tokens()
        assert here.who(browser).status_code == 200
        after = here.sql(
            "SELECT refresh_token, token_expires_at > now() FROM directory.sessions WHERE id = %s", session
        )
        assert (after[0][0] != before[0][0], after[0][1]) == (True, True)

    def test_again_and_again(self, here: World) -> None:
        browser = here.sign_in()
        for _ in range(3):
            here.age_tokens()
            assert here.who(browser).status_code == 200

    def test_many_requests_at_once_use_the_refresh_token_once(self, here: World) -> None:
        browser = here.sign_in()
        here.age_tokens()
        # Used twice, the refresh token would end the session at the provider, and the second round would show it.
        for _ in range(2):
            with ThreadPoolExecutor(8) as threads:
                codes = list(threads.map(lambda _: here.who(browser).status_code, range(24)))
            assert codes == [200] * 24
            here.age_tokens()

    def test_the_provider_is_asked_again_within_a_minute_however_long_its_tokens_live(self, here: World) -> None:
        here.sql("DELETE FROM directory.sessions")
        browser = here.sign_in()
        life = "SELECT token_expires_at - %s <= interval '45 seconds' FROM directory.sessions"
        assert here.sql(life, here.clock()) == [(True,)]
        here.age_tokens()
        assert here.who(browser).status_code == 200
        assert here.sql(life, here.clock()) == [(True,)]

    def test_a_locked_account_is_out_within_a_minute(self, here: World) -> None:
        browser = here.sign_in()
        assert here.who(browser).status_code == 200
        here.provider.disable(DOCTOR)
        try:
            here.clock.ahead = timedelta(seconds=56)
            assert here.who(browser).status_code == 401
        finally:
            here.provider.enable(DOCTOR)

    def test_a_locked_account_is_out_at_the_next_refresh(self, here: World) -> None:
        browser = here.sign_in()
        here.provider.disable(DOCTOR)
        try:
            here.age_tokens()
            assert here.who(browser).status_code == 401
        finally:
            here.provider.enable(DOCTOR)
        assert here.who(browser).status_code == 401

    def test_a_locked_account_cannot_sign_in(self, here: World) -> None:
        here.provider.disable(DOCTOR)
        try:
            with pytest.raises(AssertionError):
                here.sign_in()
        finally:
            here.provider.enable(DOCTOR)

    def test_who_left_the_organization_is_out_at_the_next_refresh(self, keycloak: World) -> None:
        browser = keycloak.sign_in()
        admin = keycloak.provider.server.administrator()
        subject, organization = keycloak.provider.subject(DOCTOR), keycloak.provider.organizations["hoa-sen"]
        admin.organization_user_remove(subject, organization)
        try:
            keycloak.age_tokens()
            assert keycloak.who(browser).status_code in (401, 403)
        finally:
            admin.organization_user_add(subject, organization)

    def test_a_session_without_a_refresh_token_ends_with_its_access_token(self, demo: World) -> None:
        browser = demo.sign_in()
        demo.sql("UPDATE directory.sessions SET refresh_token = NULL")
        assert demo.who(browser).status_code == 200
        demo.age_tokens()
        assert demo.who(browser).status_code == 401


class TestEndedAtTheProvider:
    def test_a_sign_out_there_ends_the_session_here(self, here: World) -> None:
        browser = here.sign_in()
        here.provider.end_all(DOCTOR)
        assert here.eventually(lambda: here.who(browser).status_code == 401)

    def test_others_stay_signed_in(self, here: World) -> None:
        mine, other = here.sign_in(), here.sign_in("nurse@cau-vong")
        here.provider.end_all(DOCTOR)
        assert here.eventually(lambda: here.who(mine).status_code == 401)
        assert here.who(other, "cau-vong").status_code == 200

    def test_it_leaves_a_row_in_the_directorys_audit(self, here: World) -> None:
        browser = here.sign_in()
        session = here.who(browser).json()["session"]
        here.provider.end_all(DOCTOR)
        rows = "SELECT 1 FROM directory.audit_journal WHERE row LIKE '%%session.ended-by-provider%%' AND row LIKE %s"
        assert here.eventually(lambda: bool(here.sql(rows, f"%{session}%")))


class TestExpiredRows:
    def test_they_are_swept_at_a_later_sign_in(self, demo: World) -> None:
        demo.sign_in()
        demo.sql("UPDATE directory.sessions SET expires_at = now() - interval '2 days'")
        demo.sign_in()
        assert demo.sql("SELECT count(*) FROM directory.sessions") == [(1,)]
