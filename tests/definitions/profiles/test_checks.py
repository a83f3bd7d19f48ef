"""What a profile asks for, one thing at a time, against made-up definitions (FHIR R4, profiling.html)."""

from typing import Any

import pytest

from emr.definitions.findings import Findings
from emr.definitions.profiles.library import Library
from emr.definitions.profiles.value_sets import Codes
from emr.definitions.validate import validate
from tests.definitions.profiles import core
from tests.definitions.profiles.core import element, profile
from tests.definitions.samples import Json, observation, patient

LOINC = "http://loinc.org"


def found(elements: list[Json], resource: Json, *others: Json, codes: Codes | None = None) -> Findings:
    """What `resource` breaks of a profile with these elements."""
    made = profile("made", resource["resourceType"], elements)
    library = Library([made, *others], codes)
    findings = Findings(thorough=True)
    library.check(resource, made["url"], findings)
    return findings


def faults(elements: list[Json], resource: Json, *others: Json) -> list[tuple[str, str | None]]:
    return [(issue.code, issue.location) for issue in found(elements, resource, *others).issues]


def advice(elements: list[Json], resource: Json) -> str:
    return " ".join(issue.message for issue in found(elements, resource).advice)


def slicing(path: str, kind: str = "value", **more: Any) -> Json:
    return {"discriminator": [{"type": kind, "path": path}], "rules": "open", **more}


NAMES = [{"use": "official", "family": "Lê"}, {"use": "nickname", "given": ["Bi"]}, {"text": "khác"}]


class TestElements:
    @pytest.mark.parametrize(
        ("said", "resource", "expected"),
        [
            (element("Patient.birthDate", min=1), patient(), [("required", "Patient.birthDate")]),
            (element("Patient.birthDate", min=1), patient(birthDate="2000"), []),
            (element("Patient.name", max="1"), patient(name=NAMES), [("cardinality", "Patient.name")]),
            (element("Patient.gender", max="0"), patient(), [("cardinality", "Patient.gender")]),
            (element("Patient.name.family", min=1), patient(name=NAMES),
             [("required", "Patient.name[1].family"), ("required", "Patient.name[2].family")]),
            (element("Patient.gender", fixedCode="female"), patient(), [("fixed", "Patient.gender")]),
            (element("Patient.gender", fixedCode="male"), patient(), []),
            (element("Patient.active", fixedBoolean=False), patient(active=True), [("fixed", "Patient.active")]),
            (element("Patient.active", fixedBoolean=False), patient(active=False), []),
            (element("Patient.deceased[x]", type=[{"code": "dateTime"}]), patient(deceasedBoolean=True),
             [("choice", "Patient.deceased")]),
            (element("Patient.name.family", maxLength=3), patient(), [("too-long", "Patient.name[0].family")]),
            (element("Patient.multipleBirthInteger", maxValueInteger=3), patient(multipleBirthInteger=4),
             [("format", "Patient.multipleBirth")]),
        ],
    )  # fmt: skip
    def test_one(self, said: Json, resource: Json, expected: list[tuple[str, str]]) -> None:
        assert faults([said], resource) == expected

    def test_a_value_with_only_an_extension_is_there(self) -> None:
        absent = {"extension": [{"url": "urn:why", "valueCode": "unknown"}]}
        assert faults([element("Patient.birthDate", min=1)], patient(_birthDate=absent)) == []

    def test_limits(self) -> None:
        said = [element("Observation.value[x]", type=[{"code": "integer"}], minValueInteger=1, maxValueInteger=5)]
        assert faults(said, observation(valueInteger=5)) == []
        assert faults(said, observation(valueInteger=0)) == [("format", "Observation.value")]
        assert faults(said, observation(valueInteger=6)) == [("format", "Observation.value")]

    def test_a_pattern_is_a_part_of_the_value(self) -> None:
        coded = {"coding": [{"system": LOINC, "code": "8867-4"}]}
        said = [element("Observation.code", patternCodeableConcept=coded)]
        assert (
            faults(
                said, observation(code={"text": "x", "coding": [{"system": "urn:x", "code": "1"}, *coded["coding"]]})
            )
            == []
        )
        assert faults(said, observation(code={"coding": [{"system": LOINC, "code": "1-1"}]})) == [
            ("pattern", "Observation.code")
        ]

    def test_a_type_may_keep_a_profile_of_its_own(self) -> None:
        full = profile(
            "full-name", "HumanName", [element("HumanName.family", min=1), element("HumanName.given", min=1)]
        )
        said = [element("Patient.name", type=[{"code": "HumanName", "profile": [full["url"]]}])]
        assert faults(said, patient(name=NAMES[:1]), full) == [("required", "Patient.name[0].given")]
        assert faults(said, patient(), full) == []

    def test_one_of_several_profiles_of_a_type_is_enough(self) -> None:
        made = [profile(name, "HumanName", [element(f"HumanName.{name}", min=1)]) for name in ("family", "text")]
        said = [element("Patient.name", type=[{"code": "HumanName", "profile": [each["url"] for each in made]}])]
        assert faults(said, patient(name=NAMES), *made) == [("profile", "Patient.name[1]")]

    def test_references_point_to_the_types_of_the_profiles(self) -> None:
        own = profile("ward", "Organization", [])
        said = [element("Patient.generalPractitioner", type=[{"code": "Reference", "targetProfile": [own["url"]]}])]
        good, bad = ({"generalPractitioner": [{"reference": f"{kind}/a"}]} for kind in ("Organization", "Practitioner"))
        assert faults(said, patient(**good), own) == []
        assert faults(said, patient(**bad), own) == [("reference", "Patient.generalPractitioner[0]")]

    def test_children_of_a_choice(self) -> None:
        said = [element("Observation.valueQuantity.code", min=1, fixedCode="mmol/L")]
        assert faults(said, observation(valueQuantity={"value": 1})) == [("required", "Observation.value.code")]
        assert faults(said, observation(valueString="x")) == []


class TestSlices:
    def test_by_value(self) -> None:
        said = [element("Patient.name", slicing=slicing("use")), element("Patient.name:o", min=1, max="1"),
                element("Patient.name:o.use", fixedCode="official"), element("Patient.name:o.given", min=1)]  # fmt: skip
        assert faults(said, patient(name=NAMES)) == [("required", "Patient.name[0].given")]
        assert faults(said, patient(name=NAMES[1:])) == [("required", "Patient.name")]
        assert faults(said, patient(name=[{"use": "official", "given": ["A"]}] * 2)) == [
            ("cardinality", "Patient.name")
        ]

    def test_by_pattern_of_what_lies_deeper(self) -> None:
        systolic = {"coding": [{"system": LOINC, "code": "8480-6"}]}
        said = [element("Observation.component", slicing=slicing("code", "pattern")),
                element("Observation.component:s", min=1),
                element("Observation.component:s.code", patternCodeableConcept=systolic),
                element("Observation.component:s.value[x]", min=1, type=[{"code": "Quantity"}])]  # fmt: skip
        assert faults(said, observation(component=[{"code": systolic, "valueString": "x"}])) == [
            ("choice", "Observation.component[0].value")
        ]
        assert faults(said, observation(component=[{"code": {"text": "x"}}])) == [("required", "Observation.component")]

    def test_by_type(self) -> None:
        said = [element("Observation.value[x]", slicing=slicing("$this", "type")),
                element("Observation.value[x]:valueQuantity", min=1, type=[{"code": "Quantity"}]),
                element("Observation.value[x]:valueQuantity.unit", min=1)]  # fmt: skip
        assert faults(said, observation(valueString="x")) == [("required", "Observation.value")]
        assert faults(said, observation(valueQuantity={"value": 1})) == [("required", "Observation.value.unit")]

    def test_by_existence(self) -> None:
        said = [element("Patient.identifier", slicing=slicing("assigner", "exists")),
                element("Patient.identifier:given", max="1"), element("Patient.identifier:given.assigner", min=1),
                element("Patient.identifier:own", max="1"), element("Patient.identifier:own.assigner", max="0")]  # fmt: skip
        assert faults(said, patient(identifier=[{"value": "1"}, {"value": "2", "assigner": {"display": "x"}}])) == []
        assert faults(said, patient(identifier=[{"value": "1"}, {"value": "2"}])) == [
            ("cardinality", "Patient.identifier")
        ]

    def test_by_the_type_of_what_a_reference_points_to(self) -> None:
        base = "http://hl7.org/fhir/StructureDefinition/"
        said = [element("Patient.generalPractitioner", slicing=slicing("resolve()", "type")),
                element("Patient.generalPractitioner:doctor", min=1,
                        type=[{"code": "Reference", "targetProfile": [f"{base}Practitioner"]}])]  # fmt: skip
        assert faults(said, patient(generalPractitioner=[{"reference": "Practitioner/a"}])) == []
        assert faults(said, patient(generalPractitioner=[{"reference": "Organization/a"}])) == [
            ("required", "Patient.generalPractitioner")
        ]

    def test_by_profile(self) -> None:
        own = profile("phone", "ContactPoint", [element("ContactPoint.system", fixedCode="phone", min=1)])
        said = [element("Patient.telecom", slicing=slicing("$this", "profile")),
                element("Patient.telecom:phone", min=1, type=[{"code": "ContactPoint", "profile": [own["url"]]}])]  # fmt: skip
        assert faults(said, patient(telecom=[{"system": "phone", "value": "1"}]), own) == []
        assert faults(said, patient(telecom=[{"system": "email", "value": "1"}]), own) == [
            ("required", "Patient.telecom")
        ]

    def test_closed(self) -> None:
        said = [element("Patient.name", slicing=slicing("use", rules="closed")), element("Patient.name:o"),
                element("Patient.name:o.use", fixedCode="official")]  # fmt: skip
        assert faults(said, patient(name=NAMES)) == [("slice", "Patient.name[1]"), ("slice", "Patient.name[2]")]

    @pytest.mark.parametrize(
        ("uses", "more", "expected"),
        [
            (("official", "old", "temp"), {"ordered": True}, []),
            (("old", "official"), {"ordered": True}, [("slice", "Patient.name[1]")]),
            (("official", "temp"), {"rules": "openAtEnd"}, []),
            (("temp", "official"), {"rules": "openAtEnd"}, [("slice", "Patient.name[1]")]),
        ],
    )
    def test_order(self, uses: tuple[str, ...], more: Json, expected: list[tuple[str, str]]) -> None:
        said = [element("Patient.name", slicing=slicing("use", **more))]
        for use in ("official", "old"):
            said += [element(f"Patient.name:{use}"), element(f"Patient.name:{use}.use", fixedCode=use)]
        assert faults(said, patient(name=[{"use": use, "text": "x"} for use in uses])) == expected

    def test_what_cannot_be_told_apart_is_said(self) -> None:
        said = [element("Observation.hasMember", slicing=slicing("resolve()", "profile")),
                element("Observation.hasMember:x", min=1, type=[{"code": "Reference", "targetProfile": [core.url("x")]}])]  # fmt: skip
        assert "the slices of hasMember: slices by a profile at resolve()" in advice(said, observation())


class TestConstraints:
    def said(self, expression: str, severity: str = "error") -> list[Json]:
        rule = {"key": "vn-9", "severity": severity, "human": "A rule", "expression": expression}
        return [element("Patient.name", constraint=[rule])]

    def test_kept_and_broken(self) -> None:
        assert faults(self.said("family.exists() and family.length() > 1"), patient()) == []
        assert faults(self.said("given.count() = 1"), patient()) == [("invariant", "Patient.name[0]")]

    def test_a_warning_is_advice(self) -> None:
        assert faults(self.said("false", "warning"), patient()) == []
        assert "A rule (vn-9)." in advice(self.said("false", "warning"), patient())

    @pytest.mark.parametrize(
        "expression", ["memberOf('http://x')", "family.matches('(?=a)')", "given.aggregate($total)", "1 +", "%unknown"]
    )
    def test_what_is_not_supported_is_said(self, expression: str) -> None:
        assert faults(self.said(expression), patient()) == []
        assert "vn-9" in advice(self.said(expression), patient())

    def test_what_lies_in_another_resource_is_said(self) -> None:
        rule = {"key": "vn-9", "severity": "error", "human": "x", "expression": "resolve().name.exists()"}
        said = [element("Patient.generalPractitioner", constraint=[rule])]
        resource = patient(generalPractitioner=[{"reference": "Practitioner/a"}])
        assert faults(said, resource) == []
        assert "vn-9 could not be checked: it looks into another resource." in advice(said, resource)

    def test_a_regular_expression_takes_linear_time(self) -> None:
        rule = self.said("family.matches('^(a+)+$')")
        assert faults(rule, patient(name=[{"family": "a" * 50_000 + "!"}])) == [("invariant", "Patient.name[0]")]


class TestBindings:
    class Held:
        def find(self, system: str, code: str) -> object | None:
            return code if (system, code) == ("urn:s", "a") else None

        def systems(self) -> dict[str, object]:
            return {"urn:s": None}

    def said(self, strength: str, value_set: str = "urn:vs") -> list[Json]:
        return [element("Patient.maritalStatus", binding={"strength": strength, "valueSet": value_set})]

    def ask(self, strength: str, *codes: str, value_set: str = "urn:vs") -> Findings:
        status = {"coding": [{"system": "urn:s", "code": code} for code in codes]} if codes else {"text": "x"}
        held = Codes({"urn:vs": self.Held()})
        return found(self.said(strength, value_set), patient(maritalStatus=status), codes=held)

    def test_required(self) -> None:
        assert self.ask("required", "b", "a").issues == []
        assert [issue.location for issue in self.ask("required", "b").issues] == ["Patient.maritalStatus"]
        assert [issue.code for issue in self.ask("required").issues] == ["code"]

    def test_extensible_is_advice(self) -> None:
        assert self.ask("extensible", "b").issues == []
        assert "if one fits" in self.ask("extensible", "b").advice[0].message
        assert self.ask("extensible").advice == []

    def test_a_value_set_that_is_not_known_is_said(self) -> None:
        asked = self.ask("required", "b", value_set="urn:other")
        assert asked.issues == []
        assert "urn:other cannot be told here" in asked.advice[0].message

    def test_preferred_binds_nobody(self) -> None:
        assert self.ask("preferred", "b").issues == self.ask("preferred", "b").advice == []


class TestDerivation:
    LIBRARY = Library(core.RESOURCES)

    def faults(self, name: str, resource: Json) -> list[tuple[str, str | None]]:
        findings = Findings()
        self.LIBRARY.check(resource, core.url(name), findings)
        return [(issue.code, issue.location) for issue in findings.issues]

    def test_the_example_keeps_the_core(self) -> None:
        assert validate(core.patient()) == self.faults("patient", core.patient()) == []

    def test_a_derived_profile_asks_for_all_that_its_base_asks_for(self) -> None:
        newborn = core.patient(multipleBirthInteger=1, contact=[{"relationship": [{"text": "mẹ"}], "gender": "female"}])
        assert self.faults("newborn", newborn) == []
        del newborn["birthDate"]
        newborn["multipleBirthBoolean"] = newborn.pop("multipleBirthInteger")
        assert self.faults("newborn", newborn) == [
            ("required", "Patient.birthDate"), ("choice", "Patient.multipleBirth"),
        ]  # fmt: skip

    def test_the_constraint_of_a_slice(self) -> None:
        broken = core.patient(identifier=[{"system": core.CCCD, "value": "07912345678"}])
        assert self.faults("patient", broken) == [("invariant", "Patient.identifier[0].value")]
        other = core.patient(identifier=[{"system": core.BHYT, "value": "07912345678"}])
        assert self.faults("patient", other) == []

    def test_an_extension_keeps_its_own_definition(self) -> None:
        nested = [{"url": core.ETHNIC, "extension": [{"url": "x", "valueString": "y"}]}]
        assert self.faults("patient", core.patient(extension=nested)) == [
            ("cardinality", "Patient.extension[0].extension"), ("required", "Patient.extension[0].value"),
        ]  # fmt: skip

    def test_another_type(self) -> None:
        assert self.faults("patient", observation()) == [("profile", "Observation")]

    def test_a_snapshot_will_do(self) -> None:
        structure = {**core.PATIENT, "snapshot": core.PATIENT["differential"]}
        del structure["differential"]
        findings = Findings()
        Library([structure]).check(patient(), core.url("patient"), findings)
        assert ("required", "Patient.birthDate") in [(issue.code, issue.location) for issue in findings.issues]

    @pytest.mark.parametrize(
        ("structure", "reason"),
        [
            (profile("made", "Patient", [element("Patient.nose")]), "R4 has no element Patient.nose"),
            (profile("made", "Patient", [element("Patient.name")], base=core.url("gone")), "is not known here"),
            (profile("made", "Patient", [element("Patient.name")], base=core.url("made")), "derived from each other"),
            (
                profile("made", "Patient", [{"id": "Patient.name", "path": "Patient.name", "max": "many"}]),
                "not put together",
            ),
            (profile("made", "Patient", [element("Patient" + ".extension" * 40)]), "nested more than"),
        ],
    )
    def test_what_cannot_be_used_says_why(self, structure: Json, reason: str) -> None:
        with pytest.raises(ValueError, match=reason):
            Library([structure]).profile(core.url("made"))


class TestRubbish:
    @pytest.mark.parametrize("rubbish", [None, 3, "x", [], {}, [None], [{}], [3], {"coding": 3}, {"coding": [3, None]}])
    def test_is_no_error(self, rubbish: Any) -> None:
        library = Library(core.RESOURCES)
        for name in (
            "extension",
            "identifier",
            "name",
            "gender",
            "contact",
            "communication",
            "generalPractitioner",
            "meta",
        ):
            library.check({**core.patient(), name: rubbish}, core.url("newborn"), Findings(thorough=True))
