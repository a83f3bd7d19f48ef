"""A search is understood in full or refused by name (FHIR R4, search.html)."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from emr.definitions.model import resource_types
from emr.definitions.search import parameters
from emr.records.errors import SearchRefused
from emr.records.search.criteria import LINKS_MOST, MODIFIERS, VALUES_MOST
from emr.records.search.question import (
    Chain,
    Combined,
    Criterion,
    Has,
    Ids,
    Include,
    Leaf,
    Local,
    Missing,
    Question,
    Sort,
    Text,
    Token,
    Uri,
)
from emr.records.search.reading import Reader
from emr.records.search.understand import CRITERIA_MOST, Asked, understand

READER = Reader(ZoneInfo("Asia/Ho_Chi_Minh"), datetime(2026, 11, 22, tzinfo=UTC), "http://here/fhir")
SAMPLES = {
    "token": "a",
    "string": "a",
    "date": "2026",
    "number": "1",
    "quantity": "1",
    "reference": "1",
    "uri": "urn:a",
}


def question(types: str, *pairs: tuple[str, str], lenient: bool = False) -> Question:
    return understand(Asked(tuple(types.split(",")), lenient=lenient), pairs, READER)


def criterion(kind: str, name: str, value: str) -> Criterion:
    return question(kind, (name, value)).criteria[0]


def refused(kind: str, name: str, value: str) -> SearchRefused:
    with pytest.raises(SearchRefused) as refusal:
        question(kind, (name, value))
    return refusal.value


class TestModifiers:
    """search.html#modifiers: each only where R4 has it for the kind."""

    @pytest.mark.parametrize(
        ("kind", "name", "value"),
        [
            ("Observation", "code:not", "a"), ("Observation", "code:text", "a"), ("Observation", "code:in", "urn:v"),
            ("Observation", "code:not-in", "urn:v"), ("Observation", "code:above", "s|a"),
            ("Observation", "code:below", "s|a"), ("Patient", "identifier:of-type", "s|MR|1"),
            ("Observation", "code:missing", "true"), ("Patient", "family:exact", "a"),
            ("Patient", "family:contains", "a"), ("Patient", "family:missing", "false"),
            ("Patient", "birthdate:missing", "true"), ("RiskAssessment", "probability:missing", "true"),
            ("Observation", "value-quantity:missing", "true"), ("Observation", "subject:missing", "true"),
            ("Observation", "subject:Patient", "1"), ("Observation", "subject:identifier", "s|1"),
            ("ValueSet", "url:below", "urn:a"), ("ValueSet", "url:above", "urn:a"), ("ValueSet", "url:missing", "true"),
        ],
    )  # fmt: skip
    def test_are_taken_by_the_kinds_that_have_them(self, kind: str, name: str, value: str) -> None:
        assert isinstance(criterion(kind, name, value), Leaf | Missing)

    @pytest.mark.parametrize(
        ("kind", "base"),
        [
            ("Observation", "code"), ("Patient", "family"), ("Patient", "birthdate"), ("ValueSet", "url"),
            ("RiskAssessment", "probability"), ("Observation", "value-quantity"), ("Observation", "subject"),
            ("Observation", "code-value-quantity"),
        ],
    )  # fmt: skip
    def test_of_other_kinds_are_refused_by_name(self, kind: str, base: str) -> None:
        known = parameters(kind)[base].kind
        every = frozenset().union(*MODIFIERS.values()) | {"phonetic", "Patient"}
        others = every - MODIFIERS[known] - ({"Patient"} if known == "reference" else frozenset())
        for modifier in sorted(others):
            refusal = refused(kind, f"{base}:{modifier}", "1")
            assert (refusal.code, refusal.location) == ("search-modifier", f"{base}:{modifier}")

    @pytest.mark.parametrize(
        ("kind", "name"),
        [
            ("Observation", "status:of-type"), ("Patient", "active:in"), ("Patient", "phone:text"),
            ("Patient", "identifier:below"), ("Observation", "subject:Medication"), ("ValueSet", "reference:identifier"),
        ],
    )  # fmt: skip
    def test_that_make_no_sense_for_the_element_are_refused(self, kind: str, name: str) -> None:
        assert refused(kind, name, "s|a|b").code == "search-modifier"

    def test_missing_is_true_or_false(self) -> None:
        assert refused("Patient", "family:missing", "yes").code == "missing-form"

    def test_every_parameter_is_understood_or_refused_with_a_reason(self) -> None:
        for kind in sorted(resource_types()):
            for name, known in parameters(kind).items():
                if known.unsupported:
                    assert refused(kind, name, "1").code == "search-unsupported"
                elif known.kind in SAMPLES and not name.startswith("_"):
                    assert isinstance(criterion(kind, name, SAMPLES[known.kind]), Leaf)


class TestReferences:
    """search.html#reference."""

    def test_by_id_type_and_address(self) -> None:
        leaf = criterion("Observation", "patient", "1,Patient/2,http://here/fhir/Patient/3,http://there/Patient/4")
        assert isinstance(leaf, Leaf)
        assert leaf.values == (
            Local(("Patient",), "1"),
            Local(("Patient",), "2"),
            Local(("Patient",), "3"),
            Uri("http://there/Patient/4"),
        )

    def test_of_a_type_that_it_cannot_lead_to_finds_nothing(self) -> None:
        leaf = criterion("Observation", "patient", "Group/1")
        assert isinstance(leaf, Leaf)
        assert leaf.values == (Local((), "1"),)

    @pytest.mark.parametrize("value", ["Patient/", "Foo/1", "a b", "Patient/1/_history/2"])
    def test_other_forms_are_refused(self, value: str) -> None:
        assert refused("Observation", "subject", value).code == "reference-form"

    def test_a_modifier_and_a_value_agree(self) -> None:
        assert refused("Observation", "subject:Patient", "Group/1").code == "reference-form"


class TestChains:
    """search.html#chaining."""

    def test_go_to_any_depth(self) -> None:
        found = criterion("Observation", "subject:Patient.organization.partof.name", "x")
        depth = 0
        while isinstance(found, Chain):
            (_, found), depth = found.branches[0], depth + 1
        assert isinstance(found, Leaf)
        assert (depth, found.parameter.name, found.values) == (3, "name", (Text("x"),))

    def test_without_a_type_lead_to_all_that_have_the_parameter(self) -> None:
        found = criterion("Observation", "subject.birthdate", "2000")
        assert isinstance(found, Chain)
        assert [kind for kind, _ in found.branches] == ["Patient"]

    @pytest.mark.parametrize(
        ("name", "code"),
        [
            ("code.name", "chain-form"), ("subject:Foo.name", "chain-form"), ("subject:Practitioner.name", "chain-form"),
            ("subject.foo", "search-parameter-unknown"), ("foo.name", "search-parameter-unknown"),
            ("subject._id", "chain-ambiguous"), ("subject:Patient.", "search-parameter-unknown"),
            (".name", "search-parameter-unknown"),
        ],
    )  # fmt: skip
    def test_that_lead_nowhere_are_refused(self, name: str, code: str) -> None:
        refusal = refused("Observation", name, "x")
        assert (refusal.code, refusal.location) == (code, name)

    def test_are_bounded(self) -> None:
        endless = "partof." * (LINKS_MOST + 1) + "name"
        assert refused("Organization", endless, "x").code == "search-too-long"


class TestReverseChains:
    """search.html#has."""

    def test_nest_and_meet_chains(self) -> None:
        found = criterion("Patient", "_has:Observation:patient:_has:AuditEvent:entity:agent:Practitioner.name", "x")
        assert isinstance(found, Has)
        inner = found.criterion
        assert isinstance(inner, Has)
        assert (found.type, inner.type) == ("Observation", "AuditEvent")
        assert isinstance(inner.criterion, Chain)

    def test_stand_at_the_end_of_a_chain(self) -> None:
        found = criterion("Encounter", "subject:Patient._has:Group:member:_id", "1")
        assert isinstance(found, Chain)
        has = found.branches[0][1]
        assert isinstance(has, Has)
        assert has.criterion == Ids(("1",))

    @pytest.mark.parametrize(
        "name",
        ["_has:Observation", "_has:Foo:patient:code", "_has:Observation:code:code", "_has:Location:organization:name"],
    )
    def test_that_lead_nowhere_are_refused(self, name: str) -> None:
        assert refused("Patient", name, "x").code == "has-form"

    def test_a_list_is_asked_for_its_entries(self) -> None:
        found = criterion("Patient", "_list", "7")
        assert isinstance(found, Has)
        assert (found.type, found.parameter.name, found.criterion) == ("List", "item", Ids(("7",)))
        assert refused("Patient", "_list", "$current-allergies").code == "search-unsupported"


class TestComposites:
    """search.html#combining."""

    def test_have_a_value_for_each_component(self) -> None:
        leaf = criterion("Observation", "code-value-quantity", "s|a$gt5||mg")
        assert isinstance(leaf, Leaf)
        (value,) = leaf.values
        assert isinstance(value, Combined)
        assert value.parts[0] == Token("s", "a")

    @pytest.mark.parametrize("value", ["a", "a$1$2", "a$", "$1", "a$x"])
    def test_other_forms_are_refused(self, value: str) -> None:
        assert refused("Observation", "code-value-quantity", value).location == "code-value-quantity"


class TestControls:
    """search.html#return."""

    def test_several_sort_keys(self) -> None:
        found = question("Patient", ("_sort", "-birthdate,family,_id")).sort
        assert [(key.name, key.kind, key.descending) for key in found] == [
            ("birthdate", "date", True),
            ("family", "string", False),
            ("_id", "id", False),
        ]
        assert question("Patient").sort == (Sort("_lastUpdated", "updated", descending=True),)

    @pytest.mark.parametrize("key", ["gender", "organization", "foo", "", "-", "_text", "name,name"])
    def test_what_has_no_order_is_refused(self, key: str) -> None:
        assert refused("Patient", "_sort", key).code == "sort-unknown"

    def test_includes_with_wildcards_and_targets(self) -> None:
        (every,) = question("Encounter", ("_include", "*")).includes
        assert (every.source, every.back) == ("Encounter", False)
        assert len(every.paths) > 5
        (one,) = question("Patient", ("_revinclude:iterate", "Observation:subject:Patient")).includes
        assert one == Include("Observation", (("Observation.subject", ("Patient",)),), back=True, iterate=True)

    @pytest.mark.parametrize(
        ("name", "value", "code"),
        [
            ("_include", "Encounter:foo", "include-unknown"), ("_include", "Patient:organization", "include-unknown"),
            ("_revinclude", "*", "include-unknown"), ("_include:all", "*", "search-parameter-unknown"),
            ("_count", "ten", "count-invalid"), ("_total", "all", "total-invalid"),
            ("_summary", "yes", "summary-invalid"), ("_elements", "foo", "elements-unknown"),
            ("_contained", "true", "search-unsupported"), ("_contained", "both", "search-unsupported"),
            ("_containedType", "contained", "search-unsupported"), ("_format", "xml", "format-unknown"),
            ("_pretty", "1", "pretty-invalid"), ("_query", "x", "search-unsupported"),
            ("_filter", "x", "search-parameter-unknown"), ("_type", "Patient", "search-parameter-unknown"),
        ],
    )  # fmt: skip
    def test_what_is_not_understood_is_refused(self, name: str, value: str, code: str) -> None:
        refusal = refused("Encounter", name, value)
        assert (refusal.code, refusal.location) == (code, name)

    def test_what_means_the_default_is_taken(self) -> None:
        found = question("Encounter", ("_contained", "false"), ("_containedType", "container"), ("_format", "json"))
        assert found.echo == (("_contained", "false"), ("_containedType", "container"), ("_format", "json"))


class TestSeveralTypes:
    """search.html#system: by what they have in common."""

    def test_share_a_parameter(self) -> None:
        found = criterion("Observation,Condition", "code", "a")
        assert isinstance(found, Leaf)
        assert found.parameter.paths == ("Observation.code", "Condition.code")

    def test_do_not_share_others(self) -> None:
        assert refused("Observation,Patient", "code", "a").code == "search-parameter-unknown"
        assert refused("Observation,Goal", "start-date", "2000").code == "search-parameter-unknown"

    def test_are_named_once(self) -> None:
        asked = Asked((), within=("Patient", "Group"))
        assert understand(asked, [("_type", "Group,Patient")], READER).types == ("Group", "Patient")
        assert understand(asked, [], READER).types == ("Patient", "Group")
        for value in ("Foo", "Observation", ""):
            with pytest.raises(SearchRefused) as refusal:
                understand(asked, [("_type", value)], READER)
            assert refusal.value.location == "_type"


class TestLenient:
    """search.html#errors: an unknown parameter may be passed over when the client says so, and nothing else."""

    def test_leaves_out_what_is_unknown_and_says_so(self) -> None:
        found = question("Patient", ("foo", "1"), ("name", "a"), ("_query", "b"), lenient=True)
        assert [issue.location for issue in found.ignored] == ["foo", "_query"]
        assert found.echo == (("name", "a"),)

    @pytest.mark.parametrize(("name", "value"), [("name:foo", "a"), ("birthdate", "x"), ("_sort", "foo")])
    def test_still_refuses_what_is_wrong(self, name: str, value: str) -> None:
        with pytest.raises(SearchRefused):
            question("Patient", (name, value), lenient=True)


class TestLimits:
    def test_a_search_is_bounded(self) -> None:
        with pytest.raises(SearchRefused, match="at most"):
            question("Patient", *[("name", "a")] * (CRITERIA_MOST + 1))
        assert refused("Patient", "_id", ",".join(["a"] * (VALUES_MOST + 1))).code == "search-too-long"
        assert refused("Patient", "name", "a\0").code == "search-value"
        assert refused("Patient", "name", "a,,b").code == "search-value-empty"
