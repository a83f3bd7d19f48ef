"""Code systems and value sets as R4 and a hospital write them (codesystem.html, valueset.html)."""

import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emr.definitions import model
from emr.definitions.terminology.bindings import DefinitionsShelf, binding_codes
from emr.definitions.terminology.codes import CodeSystem, code_system, supplemented
from emr.definitions.terminology.composing import Versions, value_set
from emr.definitions.terminology.held import ValueSet
from emr.definitions.terminology.published import KINDS, definition, enforced, urls
from emr.definitions.terminology.refusals import DefinitionUnusable
from emr.definitions.validate import validate
from emr.kernel.errors import Invalid, NotFound, Refusal
from tests.records.terminology import samples

Json = dict[str, Any]
SYSTEM = "urn:test:cs:x"


class Shelf:
    """What a test puts there."""

    def __init__(self, *resources: Json) -> None:
        self.compiled: dict[str, CodeSystem] = {}
        self.known = {
            name: each
            for each in resources
            for name in (each["url"], f"{each['url']}|{each.get('version')}")
        }  # fmt: skip

    def code_system(self, canonical: str) -> CodeSystem | None:
        found = self.known.get(canonical)
        if found is None or found["resourceType"] != "CodeSystem":
            return None
        if canonical not in self.compiled:
            self.compiled[canonical] = code_system(found)
        return self.compiled[canonical]

    def value_set(self, canonical: str) -> Json | None:
        found = self.known.get(canonical)
        return found if found and found["resourceType"] == "ValueSet" else None


def ready(resource: Json, *others: Json, versions: Versions | None = None) -> ValueSet:
    return value_set(Shelf(samples.code_list("x"), *others), resource, versions)


def codes(resource: Json, *others: Json, versions: Versions | None = None) -> list[str]:
    return [code for _, code in ready(resource, *others, versions=versions).entries()]


def filtered(operator: str, value: str, name: str = "concept", **more: Any) -> list[str]:
    rule = {"property": name, "op": operator, "value": value}
    include = {"system": SYSTEM, "filter": [rule]}
    return [
        code for _, code in value_set(Shelf(samples.code_list("x", **more)), samples.value_set("x", include)).entries()
    ]


def refused(ask: Callable[[], object]) -> tuple[str, str | None]:
    with pytest.raises(Refusal) as refusal:
        ask()
    return refusal.value.code, refusal.value.location


class TestArchive:
    def test_holds_the_definitions_of_r4(self) -> None:
        assert [len(urls(kind)) for kind in KINDS] == [1063, 1317, 19]

    def test_every_definition_is_read_by_its_url_and_valid(self) -> None:
        for kind, every in ((kind, sorted(urls(kind))) for kind in KINDS):
            for url in every[::40]:
                found = definition(kind, url)
                assert found is not None
                assert (found["resourceType"], found["url"]) == (kind, url)
                assert not [each for each in validate(found, expected_type=kind) if each.code == "unknown-element"], url

    def test_a_version_that_is_not_held(self) -> None:
        gender = "http://hl7.org/fhir/administrative-gender"
        assert definition("CodeSystem", gender, "4.0.1") is not None
        assert definition("CodeSystem", gender, "5.0.0") is None
        assert definition("CodeSystem", "http://terminology.hl7.org/CodeSystem/v2-0006", "2.4") is not None
        assert definition("ValueSet", gender) is None

    def test_each_required_binding_has_the_codes_that_validation_goes_by(self) -> None:
        spelt = {url: found for url in enforced("ValueSet") if (found := binding_codes(url)) is not None}
        assert len(spelt) > 215
        for url, found in spelt.items():
            expected = {system: every for system, every in model.codes(url).items() if every}
            assert {system: every for system, every in found.items() if every} == expected, url

    def test_a_binding_that_r4_cannot_spell_out(self) -> None:
        for name in ("observation-codes", "mimetypes", "service-type", "no-such"):
            assert binding_codes(f"http://hl7.org/fhir/ValueSet/{name}") is None

    def test_every_value_set_has_codes_or_says_why_not(self) -> None:
        shelf, answered, reasons = DefinitionsShelf(), 0, set()
        for url in sorted(urls("ValueSet"))[::7]:
            try:
                entries = value_set(shelf, definition("ValueSet", url) or {}).entries()
                answered += 1
                assert all(entry.code == code for (_, code), entry in entries.items())
            except (Invalid, NotFound) as refusal:
                reasons.add(refusal.code)
        assert answered > 160
        assert reasons <= {"code-system-unknown", "value-set-unknown", "filter-property-unknown"}


class TestCodeSystem:
    def test_nesting_and_properties_both_say_what_stands_below(self) -> None:
        concepts = [
            {"code": "top", "property": [{"code": "child", "valueCode": "named"}], "concept": [{"code": "inside"}]},
            {"code": "named"},
            {"code": "below", "property": [{"code": "parent", "valueCode": "named"}]},
            {"code": "also", "property": [{"code": "subsumedBy", "valueCode": "inside"}]},
        ]
        system = code_system(samples.code_list("x", concept=concepts))
        assert system.below("top") == {"inside", "named", "below", "also"}
        assert system.above("below") == {"named", "top"}
        assert system.children("named") == ("below",)

    def test_a_circle_ends(self) -> None:
        concepts = [
            {"code": "a", "property": [{"code": "parent", "valueCode": "b"}]},
            {"code": "b", "property": [{"code": "parent", "valueCode": "a"}]},
            {"code": "c", "property": [{"code": "parent", "valueCode": "c"}]},
        ]
        system = code_system(samples.code_list("x", concept=concepts))
        assert (system.below("a"), system.above("a"), system.below("c")) == ({"b"}, {"b"}, frozenset())

    def test_case_as_the_system_says(self) -> None:
        concepts = [{"code": "Ab"}, {"code": "x"}, {"code": "X"}]
        for said, found in ((True, None), (False, "Ab"), (None, "Ab")):
            resource = samples.code_list("x", concept=concepts, caseSensitive=said)
            system = code_system({name: value for name, value in resource.items() if value is not None})
            concept = system.find("aB")
            assert (concept.code if concept else None) == found
            assert [each.code for each in (system.find("x"), system.find("X")) if each] == ["x", "X"]

    def test_a_supplement_adds_names_and_no_concepts(self) -> None:
        system = code_system(samples.code_list("x"))
        more = {
            "language": "en",
            "concept": [{"code": "A", "display": "Medicine"}, {"code": "Z", "display": "Nothing"}],
        }
        found = supplemented(system, [more])
        assert found.concepts["A"].designations == ({"value": "Medicine", "language": "en"},)
        assert found.concepts.keys() == system.concepts.keys()
        assert system.concepts["A"].designations == ()

    def test_what_has_extensions_for_values_is_passed_over(self) -> None:
        bare = {"extension": [{"url": "urn:x", "valueCode": "unknown"}]}
        resource = samples.code_list(
            "x", concept=[{"_code": bare, "concept": [{"code": "B"}]}, {"code": "C", "property": [{"_code": bare}]}]
        )
        assert list(code_system(resource).concepts) == ["B", "C"]


class TestFilters:
    @pytest.mark.parametrize(
        ("operator", "value", "found"),
        [
            ("is-a", "A", ["A", "A1", "A11", "A2"]),
            ("descendent-of", "A", ["A1", "A11", "A2"]),
            ("is-not-a", "A", ["B"]),
            ("generalizes", "A11", ["A", "A1", "A11"]),
            ("is-a", "unknown", []),
            ("=", "A1", ["A1"]),
            ("in", "A1, B", ["A1", "B"]),
            ("not-in", "A1,B", ["A", "A11", "A2"]),
            ("regex", "A[12]", ["A1", "A2"]),
            ("regex", "A", ["A"]),
            ("regex", "(A|B)1*", ["A", "A1", "A11", "B"]),
            ("exists", "true", ["A", "A1", "A11", "A2", "B"]),
        ],
    )
    def test_by_code(self, operator: str, value: str, found: list[str]) -> None:
        assert filtered(operator, value) == found

    @pytest.mark.parametrize(
        ("name", "operator", "value", "found"),
        [
            ("size", "=", "5", ["b"]),
            ("size", "exists", "true", ["b"]),
            ("size", "exists", "false", ["a", "c", "d"]),
            ("kind", "in", "x,y", ["a", "b"]),
            ("kind", "not-in", "x", ["b", "c", "d"]),
            ("inactive", "=", "false", ["a", "b", "d"]),
            ("notSelectable", "=", "true", ["d"]),
            ("display", "regex", "Khoa .*", ["a"]),
            ("parent", "=", "a", ["b"]),
            ("child", "=", "b", ["a"]),
        ],
    )
    def test_by_property(self, name: str, operator: str, value: str, found: list[str]) -> None:
        concepts = [
            {"code": "a", "display": "Khoa Nội", "property": [{"code": "kind", "valueCode": "x"}]},
            {"code": "b", "property": [{"code": "kind", "valueCoding": {"code": "y"}}, {"code": "size", "valueInteger": 5}, {"code": "parent", "valueCode": "a"}]},
            {"code": "c", "property": [{"code": "status", "valueCode": "retired"}]},
            {"code": "d", "property": [{"code": "notSelectable", "valueBoolean": True}]},
        ]  # fmt: skip
        assert filtered(operator, value, name, concept=concepts) == found

    @pytest.mark.parametrize(
        ("name", "operator", "value", "code"),
        [
            ("colour", "=", "red", "filter-property-unknown"),
            ("concept", "like", "A", "filter-unknown"),
            ("display", "is-a", "A", "filter-unsupported"),
            ("code", "regex", "(?=A)A", "filter-regex"),
            ("code", "regex", r"(A)\1", "filter-regex"),
            ("code", "regex", "A" * 2_000, "filter-regex"),
            ("code", "regex", "((a{500}){500}){500}", "filter-regex"),
            ("code", "regex", "A)|(B", "filter-regex"),
        ],
    )
    def test_what_cannot_be_followed_is_refused_with_its_place(
        self, name: str, operator: str, value: str, code: str
    ) -> None:
        assert refused(lambda: filtered(operator, value, name)) == (code, "ValueSet.compose.include[0].filter[0]")

    def test_no_expression_takes_long(self) -> None:
        began = time.process_time()
        assert filtered("regex", "(a+)+b", concept=[{"code": "a" * 50_000}]) == []
        assert time.process_time() - began < 2

    def test_parts_of_a_whole_are_not_of_its_kind(self) -> None:
        assert refused(lambda: filtered("is-a", "A", hierarchyMeaning="part-of"))[0] == "filter-unsupported"
        assert filtered("is-a", "A1", hierarchyMeaning="classified-with") == ["A1", "A11"]


class TestCompose:
    def test_parts_add_up_each_code_once(self) -> None:
        one = {"system": SYSTEM, "concept": [{"code": "B"}, {"code": "A1"}]}
        assert codes(samples.value_set("y", one, {"system": SYSTEM})) == ["B", "A1", "A", "A11", "A2"]

    def test_excludes_take_away(self) -> None:
        below = {"system": SYSTEM, "filter": [{"property": "concept", "op": "is-a", "value": "A1"}]}
        assert codes(samples.value_set("y", {"system": SYSTEM}, compose={"exclude": [below]})) == ["A", "A2", "B"]

    def test_all_conditions_of_a_part_hold(self) -> None:
        first = samples.value_set("1", {"system": SYSTEM, "concept": [{"code": "A"}, {"code": "A1"}]})
        second = samples.value_set("2", {"system": SYSTEM, "concept": [{"code": "A1"}, {"code": "B"}]})
        both = {"valueSet": [first["url"], second["url"]]}
        assert codes(samples.value_set("y", both), first, second) == ["A1"]
        assert codes(samples.value_set("y", {"system": SYSTEM, "valueSet": [first["url"]]}), first) == ["A", "A1"]
        assert codes(
            samples.value_set("y", {"valueSet": [first["url"]]}, {"valueSet": [second["url"]]}), first, second
        ) == ["A", "A1", "B"]

    def test_a_circle_is_refused(self) -> None:
        one = samples.value_set("1", {"valueSet": ["urn:test:vs:2"]})
        two = samples.value_set("2", {"valueSet": ["urn:test:vs:1"]})
        assert refused(lambda: ready(one, one, two)) == ("value-set-cycle", "urn:test:vs:1")

    def test_the_same_set_twice_is_no_circle(self) -> None:
        leaf = samples.whole("x")
        one, two = (
            samples.value_set("1", {"valueSet": [leaf["url"]]}),
            samples.value_set("2", {"valueSet": [leaf["url"]]}),
        )
        top = samples.value_set("t", {"valueSet": [one["url"]]}, {"valueSet": [two["url"]]})
        assert len(codes(top, leaf, one, two)) == 5

    @pytest.mark.parametrize("ask", [ValueSet.entries, lambda found: found.find(SYSTEM, "Z")])
    def test_sets_of_sets_of_sets_end(self, ask: Callable[[ValueSet], object]) -> None:
        others = [samples.value_set(f"{n}", *[{"valueSet": [f"urn:test:vs:{n + 1}"]}] * 2) for n in range(30)]
        leaf = samples.value_set("30", {"system": SYSTEM})
        began = time.process_time()
        assert refused(lambda: ask(ready(others[0], *others, leaf)))[0] == "too-costly"
        assert time.process_time() - began < 2

    def test_the_same_part_many_times_ends(self) -> None:
        shelf = Shelf(samples.code_list("x", concept=[{"code": f"C{number}"} for number in range(5_000)]))
        found = value_set(shelf, samples.value_set("y", *[{"system": SYSTEM}] * 5_000))
        began = time.process_time()
        assert refused(found.entries)[0] == "too-costly"
        assert time.process_time() - began < 10

    def test_inactive_codes_where_the_set_does_not_want_them(self) -> None:
        concepts = [{"code": "old", "property": [{"code": "inactive", "valueBoolean": True}]}, {"code": "new"}]
        resource = samples.whole("x")
        for said, found in ((None, ["old", "new"]), (True, ["old", "new"]), (False, ["new"])):
            compose = resource["compose"] | ({} if said is None else {"inactive": said})
            shelf = Shelf(samples.code_list("x", concept=concepts))
            assert [code for _, code in value_set(shelf, resource | {"compose": compose}).entries()] == found

    def test_what_is_listed_needs_no_code_system(self) -> None:
        listed = samples.value_set(
            "y", {"system": "http://loinc.org", "concept": [{"code": "8867-4", "display": "Heart rate"}]}
        )
        entry = ready(listed).find("http://loinc.org", "8867-4")
        assert entry is not None
        assert (entry.display, entry.version) == ("Heart rate", None)
        assert ready(listed).find("http://loinc.org", "1-8") is None

    def test_what_is_not_held_matters_only_where_the_answer_hangs_on_it(self) -> None:
        mixed = ready(samples.value_set("y", {"system": "http://loinc.org"}, {"system": SYSTEM}))
        assert mixed.find(SYSTEM, "A") is not None
        assert mixed.find(SYSTEM, "nothing") is None
        assert refused(lambda: mixed.find("http://loinc.org", "8867-4")) == (
            "code-system-unknown",
            "ValueSet.compose.include[0]",
        )
        assert refused(mixed.entries)[0] == "code-system-unknown"

    def test_a_part_of_a_code_system_knows_what_it_has(self) -> None:
        fragment = samples.code_list("x", content="fragment")
        found = value_set(Shelf(fragment), samples.whole("x"))
        assert found.unclosed()
        assert found.find(SYSTEM, "A") is not None
        assert refused(lambda: found.find(SYSTEM, "Z"))[0] == "code-system-incomplete"

    @pytest.mark.parametrize(
        ("include", "code"),
        [
            ({"valueSet": ["#inside"]}, "value-set-contained"),
            ({"valueSet": ["urn:test:nothing"]}, "value-set-unknown"),
            ({"version": "1"}, "value-set-empty"),
            ({"system": SYSTEM, "filter": [{"property": "concept", "op": "is-a"}]}, "filter-incomplete"),
        ],
    )
    def test_what_cannot_be_followed_is_refused(self, include: Json, code: str) -> None:
        assert refused(lambda: ready(samples.value_set("y", include)))[0] == code

    def test_without_compose(self) -> None:
        with pytest.raises(DefinitionUnusable) as refusal:
            ready({"resourceType": "ValueSet", "url": "urn:x", "status": "active"})
        assert refusal.value.code == "value-set-empty"

    def test_versions(self) -> None:
        second = samples.code_list("x", version="2", concept=[{"code": "N"}])
        plain, fixed = samples.whole("x"), samples.value_set("x", {"system": SYSTEM, "version": "1"})
        assert codes(plain, second, versions=Versions(stated={SYSTEM: "1"}))[0] == "A"
        assert codes(fixed, second, versions=Versions(stated={SYSTEM: "2"}))[0] == "A"
        assert codes(fixed, second, versions=Versions(forced={SYSTEM: "2"})) == ["N"]
        wrong = Versions(checked={SYSTEM: "3"})
        assert refused(lambda: codes(plain, versions=wrong)) == ("code-system-version", "ValueSet.compose.include[0]")


_CODES = ["a", "b", "c", "d", "e", "f"]


@st.composite
def forests(draw: st.DrawFn) -> list[Json]:
    """Concepts with parents anywhere, circles among them."""
    return [
        {"code": code, "property": [{"code": "parent", "valueCode": parent} for parent in draw(st.lists(st.sampled_from(_CODES), max_size=2))]}
        for code in draw(st.lists(st.sampled_from(_CODES), unique=True))
    ]  # fmt: skip


def slow_below(concepts: list[Json], code: str) -> set[str]:
    """Grown until nothing is added any more."""
    known = {each["code"] for each in concepts}
    under = {code} & known
    for _ in concepts:
        under |= {each["code"] for each in concepts if {p["valueCode"] for p in each["property"]} & under}
    return under


_PARTS = st.fixed_dictionaries(
    {},
    optional={
        "concept": st.lists(st.sampled_from(_CODES), min_size=1, max_size=3, unique=True),
        "filter": st.tuples(
            st.sampled_from(["is-a", "descendent-of", "is-not-a", "=", "in", "not-in"]), st.sampled_from(_CODES)
        ),
    },
)


def slow_part(concepts: list[Json], part: Json) -> set[str]:
    known = {each["code"] for each in concepts}
    if "concept" in part:
        return set(part["concept"])
    operator, value = part.get("filter", ("any", ""))
    below = slow_below(concepts, value)
    kept: dict[str, Iterable[str]] = {
        "any": known, "is-a": below, "descendent-of": below - {value}, "is-not-a": known - below,
        "=": {value}, "in": {value}, "not-in": known - {value},
    }  # fmt: skip
    return set(kept[operator]) & known


def written(part: Json) -> Json:
    if "concept" in part:
        return {"system": SYSTEM, "concept": [{"code": code} for code in part["concept"]]}
    if "filter" in part:
        operator, value = part["filter"]
        return {"system": SYSTEM, "filter": [{"property": "concept", "op": operator, "value": value}]}
    return {"system": SYSTEM}


class TestAgainstASlowReading:
    @given(forests(), st.sampled_from(_CODES))
    def test_what_stands_below(self, concepts: list[Json], code: str) -> None:
        system = code_system(samples.code_list("x", concept=concepts))
        assert system.below(code) | ({code} & system.concepts.keys()) == slow_below(concepts, code)
        assert all(code in system.above(each) for each in system.below(code))

    @given(forests(), st.lists(_PARTS, min_size=1, max_size=3), st.lists(_PARTS, max_size=2))
    def test_which_codes_a_set_holds(self, concepts: list[Json], include: list[Json], exclude: list[Json]) -> None:
        compose = {"exclude": [written(part) for part in exclude]} if exclude else {}
        resource = samples.value_set("y", *(written(part) for part in include), compose=compose)
        found = value_set(Shelf(samples.code_list("x", concept=concepts)), resource)
        expected = set().union(*(slow_part(concepts, part) for part in include))
        expected -= set().union(*(slow_part(concepts, part) for part in exclude))
        assert {code for _, code in found.entries()} == expected
        for code in _CODES:
            assert (found.find(SYSTEM, code) is not None) == (code in expected), code
