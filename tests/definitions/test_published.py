"""The constraints of R4: each is asked, those with a rule of their own agree with what is published."""

import itertools
import time
from collections.abc import Iterator
from typing import Any

import pytest

from emr.definitions import model, published
from emr.definitions.fhirpath.compiling import compiled
from emr.definitions.fhirpath.items import Node, root_of, truth
from emr.definitions.fhirpath.scope import Scope
from emr.definitions.invariants import INVARIANTS
from emr.definitions.validate import demand_valid, examine, validate
from tests.definitions.samples import Json, bundles, observation, patient
from tests.definitions.test_invariants import BROKEN as SPELLED_BROKEN
from tests.definitions.test_invariants import KEPT

EVERY = [(name, each) for name in sorted(model.content("constraints")) for each in published.of_type(name)]
ASKED = [(name, each) for name, each in EVERY if not published.spelled_out(name, each.key)]


def basic(**value: Any) -> Json:
    return {"resourceType": "Basic", "code": {"text": "x"}, "extension": [{"url": "urn:x", **value}]}


def item(**more: Any) -> Json:
    return {"resourceType": "Questionnaire", "status": "draft", "item": [{"linkId": "1", "type": "string", **more}]}


def structure(**more: Any) -> Json:
    return {
        "resourceType": "StructureDefinition", "url": "urn:x", "name": "X", "status": "draft", "kind": "resource",
        "abstract": False, "type": "Patient", "baseDefinition": "urn:b", "derivation": "constraint",
        "differential": {"element": [{"id": "Patient", "path": "Patient"}]}, **more,
    }  # fmt: skip


def document(*entries: Json, **more: Any) -> Json:
    said = {"timestamp": "2026-01-01T00:00:00Z", "identifier": {"system": "urn:s", "value": "1"}, **more}
    return {"resourceType": "Bundle", "type": "document", **said, "entry": list(entries)}


COMPOSITION = {"resource": {
    "resourceType": "Composition", "status": "final", "type": {"text": "x"}, "date": "2026", "title": "x",
    "author": [{"reference": "Practitioner/a"}]}}  # fmt: skip
UCUM = "http://unitsofmeasure.org"
BROKEN: dict[str, Json] = {
    "age-1": basic(valueAge={"value": 3}),
    "drt-1": basic(valueDuration={"code": "d", "system": UCUM}),
    "dis-1": basic(valueDistance={"value": 3, "system": "urn:x", "code": "m"}),
    "cnt-3": basic(valueCount={"value": 3, "system": UCUM, "code": "m"}),
    "exp-1": basic(valueExpression={"language": "text/cql"}),
    "trd-1": basic(valueTriggerDefinition={"type": "periodic", "data": [{"type": "Patient"}], "timingDate": "2026"}),
    "drq-1": basic(valueDataRequirement={"type": "Patient", "codeFilter": [{"valueSet": "urn:x"}]}),
    "app-3": {"resourceType": "Appointment", "status": "booked", "participant": [{"actor": {"display": "x"}, "status": "accepted"}]},
    "app-4": {"resourceType": "Appointment", "status": "proposed", "cancelationReason": {"text": "x"},
              "participant": [{"actor": {"display": "x"}, "status": "accepted"}]},
    "apr-1": {"resourceType": "AppointmentResponse", "appointment": {"display": "x"}, "participantStatus": "accepted"},
    "bdl-9": document(COMPOSITION, identifier={"value": "1"}),
    "bdl-10": {key: value for key, value in document(COMPOSITION).items() if key != "timestamp"},
    "bdl-11": document({"resource": patient()}),
    "bdl-12": {"resourceType": "Bundle", "type": "message", "entry": [{"resource": patient()}]},
    "que-1": item(type="group"),
    "que-7": item(enableWhen=[{"question": "2", "operator": "exists", "answerString": "x"}]),
    "que-8": item(type="group", item=[{"linkId": "2", "type": "string"}], initial=[{"valueString": "x"}]),
    "que-10": item(type="date", maxLength=3),
    "ras-2": {"resourceType": "RiskAssessment", "status": "final", "subject": {"display": "x"},
              "prediction": [{"probabilityDecimal": 101}]},
    "ras-1": {"resourceType": "RiskAssessment", "status": "final", "subject": {"display": "x"},
              "prediction": [{"probabilityRange": {"low": {"value": 1, "code": "g", "system": UCUM}}}]},
    "mad-1": {"resourceType": "MedicationAdministration", "status": "completed", "medicationCodeableConcept": {"text": "x"},
              "subject": {"display": "x"}, "effectiveDateTime": "2026", "dosage": {"text": "x"}},
    "mdd-1": {"resourceType": "MedicationDispense", "status": "completed", "medicationCodeableConcept": {"text": "x"},
              "whenPrepared": "2026-02-02", "whenHandedOver": "2026-02-01"},
    "fhs-2": {"resourceType": "FamilyMemberHistory", "status": "completed", "patient": {"display": "x"},
              "relationship": {"text": "x"}, "estimatedAge": True},
    "lst-2": {"resourceType": "List", "status": "current", "mode": "working", "entry": [{"item": {"display": "x"}, "deleted": True}]},
    "inv-1": {"resourceType": "Task", "status": "draft", "intent": "order", "authoredOn": "2026-02", "lastModified": "2026-01"},
    "lnk-1": {"resourceType": "Linkage", "item": [{"type": "source", "resource": {"display": "x"}}]},
    "sdf-5": structure(type="Extension"),
    "sdf-8a": structure(differential={"element": [{"id": "Group", "path": "Group"}]}),
    "sdf-16": structure(snapshot={"element": [
        {"id": "Patient", "path": "Patient", "definition": "x", "min": 0, "max": "1", "base": {"path": "x", "min": 0, "max": "1"}}] * 2}),
    "eld-2": structure(differential={"element": [{"id": "Patient", "path": "Patient", "min": 2, "max": "1"}]}),
    "eld-3": structure(differential={"element": [{"id": "Patient", "path": "Patient", "max": "many"}]}),
    "eld-6": structure(differential={"element": [
        {"id": "Patient", "path": "Patient", "fixedString": "x", "type": [{"code": "a"}, {"code": "b"}]}]}),
    "vsd-1": {"resourceType": "ValueSet", "status": "draft", "compose": {"include": [{"version": "1"}]}},
    "vsd-2": {"resourceType": "ValueSet", "status": "draft", "compose": {"include": [{"valueSet": ["urn:x"], "concept": [{"code": "a"}]}]}},
    "cmd-1": {"resourceType": "ConceptMap", "status": "draft", "group": [
        {"element": [{"target": [{"code": "a", "equivalence": "narrower"}]}]}]},
    "opd-2": {"resourceType": "OperationDefinition", "name": "X", "status": "draft", "kind": "operation", "code": "x",
              "system": True, "type": False, "instance": False,
              "parameter": [{"name": "a", "use": "in", "min": 0, "max": "1", "type": "code", "searchType": "token"}]},
    "spd-2": {"resourceType": "SearchParameter", "url": "urn:x", "name": "X", "status": "draft", "description": "x",
              "code": "x", "base": ["Patient"], "type": "token", "chain": ["x"]},
}  # fmt: skip


class TestEach:
    @pytest.mark.parametrize(("name", "constraint"), ASKED, ids=[f"{name}-{each.key}" for name, each in ASKED])
    def test_compiles_and_is_about_something_that_exists(self, name: str, constraint: published.Constraint) -> None:
        published.rule(constraint, name)
        assert not constraint.at or constraint.at in model.type_of(name).elements

    @pytest.mark.parametrize(("key", "resource"), BROKEN.items(), ids=list(BROKEN))
    def test_broken_and_named(self, key: str, resource: Json) -> None:
        assert [issue.message for issue in validate(resource) if f"({key})" in issue.message]

    def test_best_practice_is_advised_and_never_refused(self) -> None:
        nameless = {"resourceType": "ValueSet", "status": "draft", "name": "not a name"}
        assert validate(nameless) == []
        assert [each.message for each in examine(nameless).advice if "(vsd-0)" in each.message]

    def test_every_rule_in_python_names_a_key_that_is_published(self) -> None:
        keys = {each.key for _, each in EVERY}
        elsewhere = {"ext-1", "ele-1"}
        assert set(published.SPELLED_OUT) <= keys | elsewhere


class TestAgreement:
    """A rule in Python and the published expression give one answer."""

    def objects(self, resource: Json) -> Iterator[tuple[str, Json]]:
        def below(node: Node) -> Iterator[tuple[str, Json]]:
            if type(node.value) is dict:
                yield node.kind, node.value
            for name in model.type_of(node.kind).elements if node.kind in model.types() else ():
                for each in compiled(f"`{name}`")(Scope(resource, resource, node), [node]):
                    yield from below(each)

        yield from below(root_of(resource))

    def broken_keys(self, resource: Json) -> set[str]:
        found = set()
        for kind, value in self.objects(resource):
            for each in published.of_type(kind) if kind in INVARIANTS else ():
                if published.spelled_out(kind, each.key) and not each.at:
                    node = Node(value, kind)
                    if not truth(compiled(each.expression)(Scope(resource, resource, node), [node])):
                        found.add(each.key)
        return found

    @pytest.mark.parametrize(("key", "resource"), SPELLED_BROKEN.items())
    def test_on_what_is_broken(self, key: str, resource: Json) -> None:
        assert self.broken_keys(resource) <= {key}
        assert self.broken_keys(resource) == {key} or key in ("org-2", "org-3", "obs-7", "rat-1", "rng-2")

    @pytest.mark.parametrize("resource", KEPT)
    def test_on_what_is_kept(self, resource: Json) -> None:
        assert self.broken_keys(resource) <= {"rng-2"}

    def test_on_the_sample_patients(self) -> None:
        for bundle in itertools.islice((each for _, each in bundles()), 2):
            for entry in bundle["entry"][:150]:
                assert self.broken_keys(entry["resource"]) == set()


class TestContained:
    def contained(self, inner: Json, **more: Any) -> list[str]:
        resource = observation(contained=[{"resourceType": "Device", **inner}], **more)
        return [issue.message for issue in validate(resource)]

    def test_one_that_nothing_refers_to(self) -> None:
        assert "dom-3" in self.contained({"id": "a"})[0]
        assert self.contained({"id": "a"}, device={"reference": "#a"}) == []

    def test_one_that_refers_to_the_resource_around_it(self) -> None:
        assert self.contained({"id": "a", "parent": {"reference": "#"}}) == []

    @pytest.mark.parametrize("id_", [["a"], {"a": 1}, 1, None])
    def test_an_id_that_is_no_text_is_told(self, id_: Any) -> None:
        assert "A contained resource has an id." in self.contained({"id": id_})

    def test_ids_differ(self) -> None:
        twins = observation(contained=[{"resourceType": "Device", "id": "a"}] * 2, device={"reference": "#a"})
        assert [issue.message for issue in validate(twins)] == ["The ids of contained resources differ."]

    @pytest.mark.parametrize(
        ("more", "key"),
        [({"meta": {"versionId": "1"}}, "dom-4"), ({"meta": {"security": [{"code": "R"}]}}, "dom-5"),
         ({"contained": [{"resourceType": "Device", "id": "b"}]}, "dom-2")],
    )  # fmt: skip
    def test_what_it_may_not_have(self, more: Json, key: str) -> None:
        assert key in self.contained({"id": "a", **more}, device={"reference": "#a"})[0]

    def test_an_unknown_modifier_is_a_warning(self) -> None:
        found = examine(observation(modifierExtension=[{"url": "urn:not", "valueBoolean": True}]))
        assert found.issues == []
        assert "Observation.modifierExtension[0]" in [each.location for each in found.advice]


class TestHostile:
    def test_many_codes_take_linear_time(self) -> None:
        codes = [{"code": str(number)} for number in range(30_000)]
        system = {"resourceType": "CodeSystem", "status": "draft", "content": "complete", "concept": [*codes, codes[0]]}
        began = time.process_time()
        assert ["csd-1" in issue.message for issue in validate(system)] == [True]
        assert time.process_time() - began < 2

    def test_many_links_take_linear_time(self) -> None:
        items = [{"linkId": str(number), "type": "string"} for number in range(3_000)]
        questionnaire = {"resourceType": "Questionnaire", "status": "draft", "item": [*items, items[0]]}
        assert ["que-2" in issue.message for issue in validate(questionnaire)] == [True]

    def test_a_constraint_that_would_take_too_long_is_refused_in_time(self) -> None:
        groups = [{"id": str(number), "name": "x"} for number in range(3_000)]
        parts = [{"reference": {"display": "x"}, "groupingId": str(number)} for number in range(3_000)]
        guide = {
            "resourceType": "ImplementationGuide", "url": "urn:x", "name": "X", "status": "draft", "packageId": "x",
            "fhirVersion": ["4.0.1"], "definition": {"grouping": groups, "resource": parts},
        }  # fmt: skip
        began = time.process_time()
        assert ["ig-1 cannot be checked" in issue.message for issue in validate(guide)] == [True]
        assert time.process_time() - began < 4


def test_a_prediction_needs_no_probability() -> None:
    """The published ras-2 says neither yes nor no of one, which a constraint would be broken by."""
    prediction = {"outcome": {"text": "Loét tì đè"}}
    demand_valid(
        {"resourceType": "RiskAssessment", "status": "final", "subject": {"display": "x"}, "prediction": [prediction]},
        expected_type="RiskAssessment",
    )
