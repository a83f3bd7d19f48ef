"""SMART scopes read, joined and set against roles (SMART App Launch 2.2, scopes-and-launch-context.html)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emr.access.permissions import DUTIES, GRANTS, demand, demand_change, demand_sight, may, sight
from emr.access.scopes import RIGHTS, VERBS, Scope, ambiguous, joined, limits_of, scope_of
from emr.identity.principal import Principal, kind_of
from emr.kernel.errors import Forbidden, Malformed


def who(*scopes: str, role: str = "doctor", patient: str | None = None, app: str | None = None) -> Principal:
    return Principal("s", "n", role, kind_of(role), "t", scopes=frozenset(scopes), patient=patient, app=app)


def refused(principal: Principal, resource_type: str, rights: str) -> str:
    with pytest.raises(Forbidden) as caught:
        demand_sight(principal, resource_type, rights)
    return caught.value.code


class TestReading:
    @pytest.mark.parametrize(
        ("text", "scope"),
        [
            ("patient/Observation.rs", Scope("patient", "Observation", "rs")),
            ("user/*.cruds", Scope("user", "*", "cruds")),
            ("system/Patient.c", Scope("system", "Patient", "c")),
            ("patient/Patient.read", Scope("patient", "Patient", "rs")),
            ("user/Patient.write", Scope("user", "Patient", "cud")),
            ("system/*.*", Scope("system", "*", "cruds")),
            (
                "patient/Observation.rs?category=http://terminology.hl7.org/x|laboratory",
                Scope("patient", "Observation", "rs", (("category", "http://terminology.hl7.org/x|laboratory"),)),
            ),
        ],
    )
    def test_what_it_says(self, text: str, scope: Scope) -> None:
        assert scope_of(text) == scope

    @pytest.mark.parametrize("text", ["openid", "launch/patient", "offline_access", "organization:*", "fhirUser", ""])
    def test_about_something_else(self, text: str) -> None:
        assert scope_of(text) is None

    @pytest.mark.parametrize(
        "text",
        [
            "patient/Observation",
            "patient/Observation.",
            "patient/Observation.sr",
            "patient/Observation.rr",
            "patient/observation.r",
            "patient/*.rs?",
            "user/Patient.rs?category",
            "user/Patient.reads",
            "system/",
            "user/Patient.rs\n",
        ],
    )
    def test_what_cannot_be_read(self, text: str) -> None:
        with pytest.raises(Malformed) as caught:
            scope_of(text)
        assert caught.value.code == "scope-form"

    @given(st.text(max_size=40).map(lambda rest: "user/" + rest))
    def test_nothing_else_comes_of_any_text(self, text: str) -> None:
        try:
            scope = scope_of(text)
        except Malformed:
            return
        assert scope is not None
        assert set(scope.rights) <= set(RIGHTS)


class TestLimits:
    def test_a_session_and_a_token_of_the_provider_have_none(self) -> None:
        assert limits_of(who()) is None
        assert limits_of(who("openid", "profile", "organization:*")) is None
        assert sight(who("openid")) is None

    def test_a_token_of_an_app_without_a_scope_may_nothing(self) -> None:
        principal = who("openid", app="a")
        assert refused(principal, "Patient", "rs") == "scope-may-not"
        assert sight(principal) == []
        assert not any(may(principal, verb) for verb in GRANTS["doctor"].verbs)

    def test_a_scope_that_cannot_be_read_limits_and_gives_nothing(self) -> None:
        assert sight(who("user/Patient.sr")) == []

    def test_scopes_add_up(self) -> None:
        principal = who("user/Patient.r", "user/Patient.s", "user/Observation.c")
        demand_sight(principal, "Patient", "r")
        demand_sight(principal, "Patient", "s")
        demand_change(principal, "Observation", "c")
        assert sight(principal) == ["Patient"]
        assert refused(principal, "Observation", "rs") == "scope-may-not"

    def test_each_letter_is_its_own(self) -> None:
        reader = who("user/Observation.r")
        demand(reader, "record:read")
        assert refused(reader, "Observation", "s") == "scope-may-not"
        for right in "cud":
            with pytest.raises(Forbidden):
                demand_change(reader, "Observation", right)
        for verb in ("record:search", "record:create", "record:update", "record:delete"):
            with pytest.raises(Forbidden) as caught:
                demand(reader, verb)
            assert caught.value.code == "scope-may-not"

    def test_all_types_are_those_of_the_role(self) -> None:
        assert sight(who("user/*.rs")) is None
        assert sight(who("user/*.rs", role="reception")) == sight(who(role="reception"))
        assert sight(who("user/*.rs", "user/Patient.c", role="reception")) == sight(who(role="reception"))

    def test_no_scope_gives_what_the_role_lacks(self) -> None:
        with pytest.raises(Forbidden) as caught:
            demand_sight(who("user/*.cruds", role="reception"), "Observation")
        assert caught.value.code == "role-may-not-see"
        with pytest.raises(Forbidden):
            demand_change(who("user/*.cruds", role="lab"), "Patient", "u")
        assert sight(who("user/Observation.rs", "user/Patient.rs", role="reception")) == ["Patient"]

    def test_a_person_has_no_scopes_of_systems_and_a_machine_none_of_persons(self) -> None:
        assert sight(who("system/*.rs")) == []
        assert sight(who("user/*.rs", "patient/*.rs", role="lis", patient="p")) == []
        assert "Observation" in (sight(who("system/*.rs", role="lis")) or [])

    def test_scopes_of_a_patient_need_the_patient(self) -> None:
        assert sight(who("patient/*.rs")) == []
        assert sight(who("patient/Observation.rs", patient="p")) == ["Observation"]

    def test_criteria_of_every_type_at_once_give_nothing(self) -> None:
        assert sight(who("user/*.rs?category=laboratory")) == []

    def test_criteria_stand_with_their_type(self) -> None:
        limits = limits_of(who("user/Observation.rs?category=a", "user/Observation.rs?category=b", "user/Patient.r"))
        assert limits is not None
        assert limits.types("s") == {"Observation"}
        assert limits.types("r") == {"Observation", "Patient"}
        assert limits.criteria == (("Observation", ((("category", "a"),), (("category", "b"),))),)

    @pytest.mark.parametrize(
        ("scopes", "kept"),
        [
            (["user/Observation.r?a=b", "user/Observation.s?a=c"], False),
            (["user/Observation.s?a=b", "user/Observation.d"], False),
            (["user/Observation.rs?a=b", "user/*.r"], False),
            (["user/Observation.rs?a=b", "user/Observation.c"], True),
            (["user/Observation.cruds?a=b", "user/Observation.cruds?a=c"], True),
            (["user/Observation.rs?a=b", "user/Condition.rs"], True),
        ],
    )
    def test_criteria_beside_other_rights_of_the_type_are_kept_where_the_store_can(
        self,
        scopes: list[str],
        kept: bool,  # noqa: FBT001
    ) -> None:
        read = [scope for each in scopes if (scope := scope_of(each)) is not None]
        assert (ambiguous(read) == frozenset()) == kept
        assert bool(joined(read).criteria) == kept

    def test_what_is_given_without_criteria_needs_none(self) -> None:
        read = [scope for each in ("user/Observation.rs?a=b", "user/*.rs") if (scope := scope_of(each)) is not None]
        assert (ambiguous(read), joined(read).criteria) == (frozenset(), ())


class TestVerbs:
    def test_every_verb_that_scopes_give_is_one_of_a_role(self) -> None:
        given = {verb for grant in GRANTS.values() for verb in grant.verbs}
        assert VERBS.keys() <= given.union(*DUTIES.values())

    @pytest.mark.parametrize(
        "verb", ["chart:read", "note:write", "document:write", "member:manage", "subscription:write", "record:import"]
    )
    def test_what_no_scope_gives(self, verb: str) -> None:
        role = next(name for name in sorted(GRANTS) if verb in GRANTS[name].verbs)
        context = "system" if kind_of(role) == "machine" else "user"
        with pytest.raises(Forbidden) as caught:
            demand(who(f"{context}/*.cruds", role=role), verb)
        assert caught.value.code == "scope-may-not"

    def test_pictures_are_the_studies_own(self) -> None:
        with pytest.raises(Forbidden):
            demand(who("user/Patient.rs"), "imaging:read")
        demand(who("user/ImagingStudy.r"), "imaging:read")
