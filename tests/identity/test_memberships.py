"""Who belongs to which hospital."""

from typing import Any

import pytest

from emr.identity.memberships import Membership
from emr.kernel.errors import Invalid, NotFound
from tests.identity.providers import DOCTOR
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
