"""Constraints of R4 that tie the elements of one object to each other, by the keys that the specification gives them.

Those that hold for every hospital's daily resources and need no more than the object itself; each names its key.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from emr.definitions.findings import Findings, Path

Json = dict[str, Any]
Rule = Callable[[Json, Path, Findings], None]
Test = Callable[[Json], bool]

_VERIFICATION: Final = "http://terminology.hl7.org/CodeSystem/{}"


def has(value: Json, key: str) -> bool:
    """Whether an element is there, as a value or as its companion; `value[x]` is there in any of its types."""
    if not key.endswith("[x]"):
        return key in value or f"_{key}" in value
    stem = key.removesuffix("[x]")
    return any(
        name.lstrip("_").startswith(stem) and name.lstrip("_")[len(stem) : len(stem) + 1].isupper() for name in value
    )


def _holds(test: Test, sentence: str) -> Rule:
    def rule(value: Json, path: Path, found: Findings) -> None:
        if not test(value):
            found.add("invariant", sentence, path)

    return rule


def _any(*keys: str) -> Test:
    return lambda value: any(has(value, key) for key in keys)


def _needs(key: str, *others: str) -> Test:
    return lambda value: not has(value, key) or any(has(value, other) for other in others)


def _excludes(key: str, *others: str) -> Test:
    return lambda value: not has(value, key) or not any(has(value, other) for other in others)


def _never_negative(key: str) -> Test:
    return lambda value: not isinstance(value.get(key), int | Decimal) or value[key] >= 0


def _coded(concept: Any, system: str, *codes: str) -> bool:
    """Whether a CodeableConcept, of whatever shape it was sent in, holds one of the codes of a system."""
    codings = concept.get("coding") if type(concept) is dict else None
    return type(codings) is list and any(
        type(each) is dict and each.get("system") == system and each.get("code") in codes for each in codings
    )


def _entered_in_error(value: Json, system: str) -> bool:
    return _coded(value.get("verificationStatus"), _VERIFICATION.format(system), "entered-in-error")


def _status_unless_in_error(value: Json) -> bool:
    return has(value, "clinicalStatus") != _entered_in_error(value, "allergyintolerance-verification")


def _abated_is_over(value: Json) -> bool:
    system = "http://terminology.hl7.org/CodeSystem/condition-clinical"
    over = _coded(value.get("clinicalStatus"), system, "resolved", "remission", "inactive")
    return over or not has(value, "abatement[x]")


def _low_before_high(value: Json) -> bool:
    """As far as both are in one unit; converting is not for a validator of form."""
    low, high = value.get("low"), value.get("high")
    if type(low) is not dict or type(high) is not dict or low.get("code") != high.get("code"):
        return True
    first, last = low.get("value"), high.get("value")
    return not (isinstance(first, int | Decimal) and isinstance(last, int | Decimal)) or first <= last


def _no_home(key: str) -> Test:
    def test(value: Json) -> bool:
        held = value.get(key)
        return type(held) is not list or not any(type(each) is dict and each.get("use") == "home" for each in held)

    return test


def _one_content(value: Json) -> bool:
    return sum(has(value, key) for key in ("value[x]", "resource", "part")) == 1


def _no_value_of_a_component(value: Json) -> bool:
    """obs-7, by equal codings."""
    if not has(value, "value[x]") or type(value.get("component")) is not list:
        return True
    own = _codings(value)
    return not any(_codings(each) & own for each in value["component"])


def _codings(value: Any) -> set[tuple[Any, Any]]:
    concept = value.get("code") if type(value) is dict else None
    held = concept.get("coding") if type(concept) is dict else None
    found = [each for each in held if type(each) is dict] if type(held) is list else []
    return {(str(each.get("system")), str(each["code"])) for each in found if "code" in each}


def _status_gone_in_error(value: Json) -> bool:
    return not (has(value, "clinicalStatus") and _entered_in_error(value, "condition-ver-status"))


INVARIANTS: Final[dict[str, tuple[Rule, ...]]] = {
    "AllergyIntolerance": (
        _holds(_status_unless_in_error, "A clinical status is there unless entered in error (ait-1, ait-2)."),
    ),
    "Appointment": (_holds(lambda each: has(each, "start") == has(each, "end"), "Start and end, or neither (app-2)."),),
    "Appointment.participant": (_holds(_any("type", "actor"), "A participant has a type or an actor (app-1)."),),
    "CarePlan.activity": (_holds(_excludes("detail", "reference"), "A detail or a reference, not both (cpl-3)."),),
    "Composition.section": (
        _holds(_any("text", "entry", "section"), "A section has text, entries or sections (cmp-1)."),
        _holds(_excludes("emptyReason", "entry"), "A reason for emptiness stands in an empty section (cmp-2)."),
    ),
    "Condition": (
        _holds(_abated_is_over, "An abated condition is inactive, resolved or in remission (con-4)."),
        _holds(_status_gone_in_error, "There is no clinical status when entered in error (con-5)."),
    ),
    "Condition.evidence": (_holds(_any("code", "detail"), "Evidence has a code or details (con-2)."),),
    "Condition.stage": (_holds(_any("summary", "assessment"), "A stage has a summary or an assessment (con-1)."),),
    "Consent": (_holds(_any("policy", "policyRule"), "A consent names a policy (ppc-1)."),),
    "FamilyMemberHistory": (_holds(_excludes("age[x]", "born[x]"), "An age or a birth, not both (fhs-1)."),),
    "Goal.target": (_holds(_needs("detail[x]", "measure"), "A detail comes with its measure (gol-1)."),),
    "Group": (
        _holds(
            lambda each: not has(each, "member") or each.get("actual") is True, "Only real groups have members (grp-1)."
        ),
    ),
    "Immunization.education": (_holds(_any("documentType", "reference"), "A type or a reference is there (imm-1)."),),
    "List": (_holds(_excludes("emptyReason", "entry"), "A reason for emptiness stands in an empty list (lst-1)."),),
    "Observation": (
        _holds(
            _excludes("dataAbsentReason", "value[x]"),
            "A reason for missing data stands only where there is no value (obs-6).",
        ),
        _holds(_no_value_of_a_component, "A value is not given again beside its component (obs-7)."),
    ),
    "Observation.referenceRange": (
        _holds(_any("low", "high", "text"), "A range has a low, a high or a text (obs-3)."),
    ),
    "Organization": (
        _holds(_any("identifier", "name"), "An organization has a name or an identifier (org-1)."),
        _holds(_no_home("address"), "An organization has no home address (org-2)."),
        _holds(_no_home("telecom"), "An organization has no home telephone (org-3)."),
    ),
    "Parameters.parameter": (_holds(_one_content, "A parameter has a value, a resource or parts (inv-1)."),),
    "Patient.contact": (
        _holds(
            _any("name", "telecom", "address", "organization"),
            "A contact has a name, an address or an organization (pat-1).",
        ),
    ),
    "Questionnaire.item": (
        _holds(_excludes("answerOption", "answerValueSet"), "Options or a value set, not both (que-4)."),
        _holds(_excludes("answerOption", "initial"), "Where there are options, one of them is marked (que-11)."),
    ),
    "QuestionnaireResponse.item": (_holds(_excludes("answer", "item"), "Items are below answers or items (qrs-1)."),),
    "Range": (_holds(_low_before_high, "A range begins below its end (rng-2)."),),
    "Ratio": (
        _holds(
            lambda each: has(each, "numerator") == has(each, "denominator"),
            "A ratio has both of its parts or none (rat-1).",
        ),
    ),
    "ServiceRequest": (_holds(_needs("orderDetail", "code"), "Details stand beside a code (prr-1)."),),
    "Timing.repeat": (
        _holds(_needs("duration", "durationUnit"), "A duration has its unit (tim-1)."),
        _holds(_needs("period", "periodUnit"), "A period has its unit (tim-2)."),
        _holds(_never_negative("duration"), "A duration is not negative (tim-4)."),
        _holds(_never_negative("period"), "A period is not negative (tim-5)."),
        _holds(_needs("periodMax", "period"), "A longest period has a period (tim-6)."),
        _holds(_needs("durationMax", "duration"), "A longest duration has a duration (tim-7)."),
        _holds(_needs("countMax", "count"), "A highest count has a count (tim-8)."),
        _holds(_needs("offset", "when"), "An offset is from an event (tim-9)."),
        _holds(_excludes("timeOfDay", "when"), "Times of day or events, not both (tim-10)."),
    ),
}
"""Name of a type to its constraints."""
