"""One page of roles: what each may do, see and change."""

from dataclasses import replace

import pytest

from emr.access.permissions import GRANTS, demand, demand_change, demand_sight, may, sight
from emr.definitions.model import resource_types
from emr.identity.principal import Principal, kind_of
from emr.kernel.errors import Forbidden

CARE = ("nurse", "doctor")


def who(role: str) -> Principal:
    return Principal("s", "n", role, kind_of(role), "t")


class TestGrants:
    @pytest.mark.parametrize("role", sorted(GRANTS))
    def test_nobody_changes_what_they_do_not_see(self, role: str) -> None:
        grant = GRANTS[role]
        assert grant.changes <= grant.sees or grant.sees == {"*"}

    @pytest.mark.parametrize("role", ["ops", "auditor"])
    def test_the_department_has_no_patient(self, role: str) -> None:
        assert GRANTS[role].sees == GRANTS[role].changes == frozenset()
        assert all(verb.startswith("fleet:") for verb in GRANTS[role].verbs)

    def test_nobody_else_has_the_fleet_and_an_auditor_only_looks(self) -> None:
        assert GRANTS["auditor"].verbs == {"fleet:look"}
        others = GRANTS.keys() - {"ops", "auditor"}
        assert not {verb for role in others for verb in GRANTS[role].verbs if verb.startswith("fleet:")}

    @pytest.mark.parametrize("role", ["support", "support-chart"])
    def test_who_is_let_in_changes_nothing_and_takes_nothing_out(self, role: str) -> None:
        assert GRANTS[role].changes == frozenset()
        assert not {each for each in GRANTS[role].verbs if each.endswith((":write", ":import", ":export", ":manage"))}

    def test_who_is_let_in_to_the_house_sees_no_patient(self) -> None:
        assert not GRANTS["support"].sees & {"*", "Patient", "Encounter", "Observation", "Appointment"}

    def test_every_named_type_is_one_of_r4(self) -> None:
        named = {name for grant in GRANTS.values() for name in grant.sees | grant.changes} - {"*"}
        assert named <= resource_types()

    def test_only_those_who_treat_write_clinical_facts(self) -> None:
        for verb in ("vitals:write", "note:write", "allergy:write"):
            assert {role for role, grant in GRANTS.items() if verb in grant.verbs} == {*CARE, "system"}
        assert {role for role, grant in GRANTS.items() if "problem:write" in grant.verbs} == {"doctor", "system"}
        assert {role for role, grant in GRANTS.items() if "record:import" in grant.verbs} == {"his", "system"}
        assert {role for role, grant in GRANTS.items() if "bulk:export" in grant.verbs} == {"warehouse", "system"}

    def test_a_warehouse_changes_nothing(self) -> None:
        assert GRANTS["warehouse"].changes == frozenset()
        changing = {"record:create", "record:update", "record:delete", "record:transaction", "record:import"}
        assert not GRANTS["warehouse"].verbs & changing


class TestDuties:
    def test_only_the_privacy_officer_reads_the_trail_whatever_the_role(self) -> None:
        for role in GRANTS:
            assert not may(who(role), "audit:read")
            assert may(replace(who(role), duties=frozenset({"privacy"})), "audit:read")

    def test_a_duty_gives_nothing_else(self) -> None:
        officer = replace(who("archivist"), duties=frozenset({"privacy"}))
        assert not may(officer, "note:write")
        assert sight(officer) == sight(who("archivist"))


class TestDemands:
    def test_a_verb(self) -> None:
        demand(who("doctor"), "note:write")
        with pytest.raises(Forbidden, match="cashier") as caught:
            demand(who("cashier"), "note:write")
        assert caught.value.code == "role-may-not"
        assert may(who("doctor"), "note:write")
        assert not may(who("cashier"), "note:write")

    def test_sight_and_change_by_type(self) -> None:
        demand_sight(who("lab"), "Patient")
        demand_change(who("lab"), "Observation")
        with pytest.raises(Forbidden):
            demand_change(who("lab"), "Patient")
        with pytest.raises(Forbidden):
            demand_sight(who("reception"), "Observation")

    def test_a_filter_for_queries(self) -> None:
        assert sight(who("doctor")) is None
        assert sight(who("ops")) == []
        assert "Observation" not in (sight(who("reception")) or [])

    def test_a_role_that_is_none_is_no_role(self) -> None:
        with pytest.raises(KeyError):
            demand(who("king"), "note:write")
