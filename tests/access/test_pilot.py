"""What a pilot holds back, from whom, and that every way of naming a feature agrees."""

from dataclasses import replace

import pytest

from emr.access.permissions import CHANGES_THE_RECORD, GRANTS
from emr.access.pilot import CODE, VERBS, demand_feature, demand_feature_of, held_back, withheld, withheld_verbs
from emr.identity.principal import Principal, kind_of
from emr.kernel.errors import Forbidden
from emr.kernel.tenant import Pilot, Tenant
from emr.tenancy.pilot_part import PilotPart
from emr.web.answers import FEATURE_NAMES

INSIDE, OUTSIDE = frozenset({"khoa-noi", "khoa-khac"}), frozenset({"khoa-khac"})
HOSPITAL = Tenant("1", "x", "Bệnh viện X", "t_abcdefghijkl", "default", "live", "79999", bytes(16))


def piloting(**features: str) -> Tenant:
    found = tuple((name, frozenset(wards.split())) for name, wards in features.items())
    return replace(HOSPITAL, pilot=Pilot((("khoa-noi", "Khoa Nội"),), found))


def somebody(role: str = "doctor", wards: frozenset[str] = OUTSIDE) -> Principal:
    return Principal("s", "S", role, kind_of(role), "1", wards=wards)


class TestFeatures:
    def test_the_file_the_verbs_and_the_words_name_the_same(self) -> None:
        assert set(VERBS) == set(FEATURE_NAMES) == set(PilotPart.model_fields) - {"departments"}

    def test_every_verb_is_one_that_a_use_case_asks_for_and_some_role_has(self) -> None:
        verbs = frozenset().union(*VERBS.values())
        assert verbs <= CHANGES_THE_RECORD
        assert all(any(verb in grant.verbs for grant in GRANTS.values()) for verb in verbs)


class TestNoPilot:
    @pytest.mark.parametrize("role", ["doctor", "nurse", "archivist", "imaging", "pacs"])
    def test_holds_back_nothing(self, role: str) -> None:
        assert withheld(HOSPITAL, somebody(role)) == withheld_verbs(HOSPITAL, somebody(role)) == frozenset()
        for verb in frozenset().union(*VERBS.values()):
            demand_feature(HOSPITAL, somebody(role), verb)
        demand_feature_of(HOSPITAL, somebody(role), "Observation")


class TestVerbs:
    def test_are_held_back_outside_of_the_departments(self) -> None:
        with pytest.raises(Forbidden) as refused:
            demand_feature(piloting(chart="khoa-noi"), somebody(), "note:write")
        assert refused.value.code == CODE == "department-not-in-pilot"

    def test_are_there_for_who_works_in_one_of_them(self) -> None:
        demand_feature(piloting(chart="khoa-noi"), somebody(wards=INSIDE), "note:write")

    def test_of_other_features_are_there(self) -> None:
        demand_feature(piloting(chart="khoa-noi"), somebody(), "document:write")
        demand_feature(piloting(chart="khoa-noi"), somebody(), "chart:read")

    def test_of_a_feature_that_is_on_nowhere_are_held_back_from_all(self) -> None:
        assert withheld(piloting(imaging=""), somebody("imaging", INSIDE)) == {"imaging"}

    @pytest.mark.parametrize("role", ["pacs", "lis", "his", "system"])
    def test_are_there_for_what_is_no_person(self, role: str) -> None:
        assert withheld(piloting(chart="khoa-noi", imaging=""), somebody(role)) == frozenset()

    def test_are_told_only_where_the_role_has_them(self) -> None:
        tenant = piloting(chart="khoa-noi", documents="khoa-noi", imaging="")
        assert held_back(tenant, "doctor", OUTSIDE) == {"chart", "documents"}
        assert held_back(tenant, "imaging", INSIDE) == {"imaging"}
        assert held_back(tenant, "reception", OUTSIDE) == frozenset()


class TestTypes:
    @pytest.mark.parametrize("name", ["Observation", "Condition", "ServiceRequest", "MedicationRequest", "Composition"])
    def test_of_the_chart_are_held_back_with_it(self, name: str) -> None:
        with pytest.raises(Forbidden):
            demand_feature_of(piloting(chart="khoa-noi"), somebody(), name)
        demand_feature_of(piloting(documents="khoa-noi", imaging=""), somebody(), name)

    @pytest.mark.parametrize("name", ["Patient", "Encounter", "Appointment", "Coverage", "Claim", "Provenance"])
    def test_of_the_desk_and_of_money_never_are(self, name: str) -> None:
        demand_feature_of(piloting(chart="", documents="", imaging=""), somebody(), name)

    def test_that_two_features_write_are_while_both_are_off(self) -> None:
        demand_feature_of(piloting(chart="khoa-noi"), somebody(), "DocumentReference")
        with pytest.raises(Forbidden):
            demand_feature_of(piloting(chart="khoa-noi", documents="khoa-noi"), somebody(), "DocumentReference")

    def test_of_images_are_held_back_with_them(self) -> None:
        with pytest.raises(Forbidden):
            demand_feature_of(piloting(imaging=""), somebody("imaging"), "ImagingStudy")
