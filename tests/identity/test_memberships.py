"""Who belongs to which hospital."""

from datetime import timedelta
from typing import Any

import pytest

from emr.identity.memberships import Membership
from emr.kernel.errors import Invalid, NotFound
from tests.identity.providers import DOCTOR, WITH_CODE
from tests.identity.test_second_factor import stepped_up
from tests.identity.world import World


def grant(world: World, role: str, subject: str = "s1", name: str = "Một người") -> None:
    member = Membership(world.tenant("hoa-sen").id, subject, role, name)
    world.portal.call(lambda: world.identity.memberships.grant(member, granted_by="someone"))


def listed(world: World) -> dict[str, tuple[str, bool]]:
    tenant = world.tenant("hoa-sen").id
    found: Any = world.portal.call(world.identity.memberships.list_members, tenant)
    return {each.subject: (each.role, each.active) for each in found}


def events(world: World) -> list[tuple[str, str]]:
    return world.sql(
        "SELECT event, detail->>'subject' FROM directory.tenant_events WHERE detail->>'subject' LIKE %s"
        " ORDER BY number DESC LIMIT 3",
        "s%",
    )


class TestGrant:
    @pytest.mark.parametrize("role", ["", "root", "system", "ops", "auditor", "Doctor"])
    def test_a_role_that_a_hospital_does_not_have_is_refused(self, demo: World, role: str) -> None:
        with pytest.raises(Invalid) as refusal:
            grant(demo, role)
        assert (refusal.value.code, refusal.value.location) == ("role-unknown", "role")

    def test_twice_is_once(self, demo: World) -> None:
        grant(demo, "nurse", "s-twice")
        grant(demo, "nurse", "s-twice")
        assert listed(demo)["s-twice"] == ("nurse", True)
        assert [event for event in events(demo) if event[1] == "s-twice"] == [("membership.granted", "s-twice")]

    def test_a_role_can_be_changed(self, demo: World) -> None:
        grant(demo, "nurse")
        grant(demo, "doctor")
        assert listed(demo)["s1"] == ("doctor", True)

    def test_it_can_be_given_back(self, demo: World) -> None:
        grant(demo, "nurse")
        demo.portal.call(lambda: demo.identity.memberships.revoke(demo.tenant("hoa-sen").id, "s1", revoked_by="x"))
        grant(demo, "nurse")
        assert listed(demo)["s1"] == ("nurse", True)

    @pytest.mark.parametrize(
        ("more", "code"),
        [
            ({"duties": frozenset({"root"})}, "duty-unknown"),
            ({"wards": frozenset({"Location/noi"})}, "ward-malformed"),
            ({"clearances": frozenset({"HIV', 'X"})}, "clearance-malformed"),
            ({"practitioner": "Practitioner/1"}, "practitioner-malformed"),
        ],
    )
    def test_what_is_no_duty_no_id_and_no_label_is_refused(self, demo: World, more: dict[str, Any], code: str) -> None:
        with pytest.raises(Invalid) as refusal:
            demo.grant(DOCTOR, "hoa-sen", "doctor", **more)
        assert refusal.value.code == code

    def test_what_is_said_beside_the_role_is_in_the_event(self, demo: World) -> None:
        demo.grant(DOCTOR, "hoa-sen", "doctor", duties=frozenset({"privacy"}), wards=frozenset({"noi"}))
        subject = demo.provider.subject(DOCTOR)
        found = demo.sql(
            "SELECT detail FROM directory.tenant_events WHERE detail->>'subject' = %s ORDER BY number DESC LIMIT 1",
            subject,
        )
        assert found == [({"subject": subject, "role": "doctor", "duties": ["privacy"], "wards": ["noi"]},)]


class TestWhatItSays:
    """Duties, wards, clearances, practitioner: the same for a session and for a bearer token, at each request."""

    MORE: dict[str, Any] = {  # noqa: RUF012
        "duties": frozenset({"privacy"}), "wards": frozenset({"noi", "nhi"}), "clearances": frozenset({"HIV"}),
        "practitioner": "bs-hang",
    }  # fmt: skip
    SAID: dict[str, Any] = {  # noqa: RUF012
        "duties": ["privacy"], "wards": ["nhi", "noi"], "clearances": ["HIV"], "practitioner": "bs-hang",
    }  # fmt: skip

    def said(self, answer: Any) -> dict[str, Any]:
        return {name: answer.json()[name] for name in self.SAID}

    def test_a_session_knows_it_from_the_next_request_on(self, demo: World) -> None:
        demo.grant(WITH_CODE, "hoa-sen", "doctor")
        browser = demo.sign_in(WITH_CODE)
        stepped_up(demo, browser, WITH_CODE)  # which the duty asks for
        nothing = {"duties": [], "wards": [], "clearances": [], "practitioner": None}
        assert self.said(demo.who(browser)) == nothing
        demo.grant(WITH_CODE, "hoa-sen", "doctor", **self.MORE)
        assert self.said(demo.who(browser)) == self.SAID
        demo.grant(WITH_CODE, "hoa-sen", "doctor")
        assert self.said(demo.who(browser)) == nothing

    def test_a_bearer_token_knows_it_too(self, demo: World) -> None:
        token = demo.provider.machine_token("hoa-sen")
        subject = demo.provider.machine_subject("hoa-sen")
        member = Membership(demo.tenant("hoa-sen").id, subject, "lis", "LIS", **self.MORE)
        demo.portal.call(lambda: demo.identity.memberships.grant(member, granted_by="test"))
        assert self.said(demo.bearer(token)) == self.SAID


class TestItsEnd:
    def test_a_session_is_let_in_until_then_and_not_after(self, demo: World) -> None:
        browser = demo.sign_in()
        demo.grant(DOCTOR, "hoa-sen", "doctor", expires_at=demo.clock() + timedelta(minutes=2))
        assert demo.who(browser).status_code == 200
        demo.clock.ahead = timedelta(minutes=2, seconds=1)
        answer = demo.who(browser)
        assert (answer.status_code, answer.json()["code"]) == (403, "not-a-member")
        assert demo.choices_of(browser)["hoa-sen"] == ""

    def test_a_bearer_token_is_let_in_until_then_and_not_after(self, demo: World) -> None:
        token = demo.provider.machine_token("hoa-sen")
        assert demo.bearer(token).status_code == 200
        demo.sql("UPDATE directory.memberships SET expires_at = now() - interval '1 second' WHERE role = 'lis'")
        answer = demo.bearer(token)
        assert (answer.status_code, answer.json()["code"]) == (403, "not-a-member")

    def test_it_can_be_moved(self, demo: World) -> None:
        browser = demo.sign_in()
        demo.grant(DOCTOR, "hoa-sen", "doctor", expires_at=demo.clock() - timedelta(seconds=1))
        assert demo.who(browser).status_code == 403
        demo.grant(DOCTOR, "hoa-sen", "doctor")
        assert demo.who(browser).status_code == 200


class TestRevoke:
    def test_nobody_cannot_be_removed(self, demo: World) -> None:
        with pytest.raises(NotFound):
            demo.portal.call(
                lambda: demo.identity.memberships.revoke(demo.tenant("hoa-sen").id, "nobody", revoked_by="x")
            )

    def test_the_row_stays_and_says_that_it_is_over(self, demo: World) -> None:
        demo.revoke(DOCTOR, "hoa-sen")
        assert listed(demo)[demo.provider.subject(DOCTOR)] == ("doctor", False)
        found: Any = demo.portal.call(demo.identity.memberships.of_subject, demo.provider.subject(DOCTOR))
        assert list(found) == []

    def test_it_is_an_event_of_the_hospital(self, demo: World) -> None:
        grant(demo, "nurse", "s-event")
        demo.portal.call(lambda: demo.identity.memberships.revoke(demo.tenant("hoa-sen").id, "s-event", revoked_by="x"))
        assert events(demo)[:2] == [("membership.revoked", "s-event"), ("membership.granted", "s-event")]
