"""Resources of any type made from the definitions: what must be there, and a value where a search parameter looks."""

from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from typing import Any

from emr.definitions import model
from emr.definitions.routes import Equal, Route, Step, Target
from emr.definitions.search import Composite
from tests.conformance.reference.amounts import UCUM

Json = dict[str, Any]

_DEEPEST = 6
_MOMENT = "2020-05-05T10:00:00+07:00"
_PLAIN: dict[str, Any] = {
    "boolean": True,
    "integer": 3,
    "positiveInt": 3,
    "unsignedInt": 3,
    "decimal": Decimal(3),
    "string": "Mẫu",
    "markdown": "Mẫu",
    "uri": "http://example.org/made",
    "url": "http://example.org/made",
    "canonical": "http://example.org/made",
    "id": "made",
    "oid": "urn:oid:1.2.3",
    "uuid": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0",
    "date": "2020-05-05",
    "dateTime": _MOMENT,
    "instant": _MOMENT,
    "time": "10:00:00",
    "base64Binary": "AAAA",
    "Identifier": {"system": "urn:made", "value": "made"},
    "ContactPoint": {"system": "phone", "value": "0901"},
    "HumanName": {"family": "Mẫu"},
    "Address": {"city": "Mẫu"},
    "Period": {"start": _MOMENT, "end": "2020-05-06"},
    "Age": {"value": Decimal(3), "system": UCUM, "code": "a"},
    "Duration": {"value": Decimal(3), "system": UCUM, "code": "h"},
    "Count": {"value": Decimal(3), "system": UCUM, "code": "1"},
    "Quantity": {"value": Decimal(3), "unit": "mg", "system": UCUM, "code": "mg"},
    "SimpleQuantity": {"value": Decimal(3), "unit": "mg", "system": UCUM, "code": "mg"},
    "Money": {"value": Decimal(3), "currency": "VND"},
    "Range": {"low": {"value": Decimal(3)}, "high": {"value": Decimal(4)}},
    "Ratio": {"numerator": {"value": Decimal(1)}, "denominator": {"value": Decimal(2)}},
    "SampledData": {"origin": {"value": Decimal(0)}, "period": Decimal(1), "dimensions": 1, "data": "3 4"},
    "Timing": {"event": [_MOMENT]},
    "Annotation": {"text": "Mẫu"},
    "Expression": {"language": "text/fhirpath", "expression": "true"},
    "Attachment": {"contentType": "text/plain", "url": "http://example.org/made"},
    "Narrative": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Mẫu</div>'},
    "Resource": {"resourceType": "Basic", "code": {"text": "Mẫu"}},
}


_CONCEPT = {"coding": [{"system": "urn:made", "code": "made"}], "text": "Mẫu"}
_ITEMS = [{"type": each, "resource": {"reference": "Patient/target-patient"}} for each in ("source", "alternate")]
_ROOT = {"id": "Mau", "path": "Mau", "min": 0, "max": "*"}
_SHOWN = _ROOT | {"definition": "Mẫu", "base": {"path": "Mau", "min": 0, "max": "*"}}
_DEMANDED: dict[str, Json] = {
    "AllergyIntolerance": {
        "clinicalStatus": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}]
        }
    },
    "Appointment": {"status": "proposed", "start": _MOMENT, "end": _MOMENT},
    "Appointment.participant": {"type": [_CONCEPT]},
    "AppointmentResponse": {"participantType": [_CONCEPT]},
    "CapabilityStatement": {
        "kind": "instance", "description": "Mẫu", "implementation": {"description": "Mẫu"}, "rest": [{"mode": "server"}]
    },
    "Composition.section": {"text": _PLAIN["Narrative"]},
    "ConceptMap.group.unmapped": {"mode": "other-map", "url": "http://example.org/made"},
    "Condition": {
        "clinicalStatus": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "resolved"}]
        }
    },
    "Consent": {"policyRule": _CONCEPT},
    "Goal.target": {"measure": _CONCEPT},
    "ImmunizationRecommendation.recommendation": {"targetDisease": _CONCEPT},
    "InsurancePlan": {"name": "Mẫu"},
    "Linkage": {"item": _ITEMS},
    "MessageDefinition.focus": {"max": "1"},
    "MolecularSequence": {"coordinateSystem": 0},
    "Organization": {"name": "Mẫu"},
    "RequestGroup.action": {"resource": {"reference": "Patient/target-patient"}},
    "ServiceRequest": {"code": _CONCEPT},
    "StructureDefinition": {"differential": {"element": [_ROOT]}, "type": "Mau", "kind": "logical"},
    "MolecularSequence.referenceSeq": {"genomeBuild": "Mẫu", "chromosome": _CONCEPT},
    "SearchParameter": {"status": "draft"},
    "StructureDefinition.snapshot": {"element": [_SHOWN]},
    "Subscription": {"status": "off", "criteria": "Observation?code=made"},
    "Subscription.channel": {"type": "rest-hook", "endpoint": "https://example.org/made"},
    "TerminologyCapabilities": {"kind": "requirements", "description": "Mẫu"},
    "TriggerDefinition": {"type": "named-event", "name": "Mẫu"},
}  # fmt: skip
"""What the constraints of a type demand beside its cardinalities."""
_INSTEAD = {"referenceSeqId": ("genomeBuild", "chromosome")}
"""Members that a constraint does not allow beside another."""


def minimal(type_: str, depth: int = 0) -> Json:
    """What a type demands; of a data type that demands nothing, its first plain element."""
    made: Json = {"resourceType": type_} if type_ in model.resource_types() else {}
    made |= deepcopy(_DEMANDED.get(type_, {}))
    elements = model.type_of(type_).elements.values()
    for element in elements:
        if element.least and not made.keys() & element.members().keys():
            _put(made, element, next(iter(element.members())), depth)
    if not made:
        plain = next((each for each in elements if each.types[0] in _PLAIN and each.name != "id"), None)
        if plain is not None:
            _put(made, plain, next(iter(plain.members())), depth)
    return made


def value(kind: str, element: model.Element, depth: int = 0) -> Any:
    """A value of a data type; a code is one of those that the element demands."""
    if kind in ("code", "Coding", "CodeableConcept"):
        return _coded(kind, element.binding)
    if kind == "Reference":
        return {"reference": place(min(element.targets) if element.targets else "Patient")}
    if kind in _PLAIN:
        return deepcopy(_PLAIN[kind])
    return minimal(kind, depth + 1) if depth < _DEEPEST else {}


def place(type_: str) -> str:
    """Where references to a type lead."""
    return f"{type_}/target-{type_.lower()}"[:90]


def plant(made: Json, type_: str, route: Route) -> None:
    """Put a value at the end of a route."""
    _plant(made, type_, route.steps, route)


def together(type_: str, parts: Composite) -> Json:
    """A resource with a value for each part of a composite, in one element."""
    made = minimal(type_)
    for number, each in enumerate(parts.components):
        within = parts.stored and number not in parts.outside
        plant(
            made, type_, replace(each.routes[0], steps=(*(parts.base.steps if within else ()), *each.routes[0].steps))
        )
    return made


def _plant(made: Json, type_: str, steps: tuple[Step, ...], route: Route) -> None:
    member, *rest = steps
    assert isinstance(member, str)
    element, kind = _element(type_, member)
    for other in element.members():
        if other != member:
            made.pop(other, None)
    for other in _INSTEAD.get(member, ()):
        made.pop(other, None)
    if member not in made:
        _put(made, element, member, 0)
    held = made[member][0] if element.many else made[member]
    while rest and not isinstance(rest[0], str):
        step = rest.pop(0)
        if isinstance(step, Equal):
            held[step.key] = step.value
        elif isinstance(step, Target):
            held["reference"] = place(step.type)
    if rest:
        _plant(held, kind, tuple(rest), route)


def _element(type_: str, member: str) -> tuple[model.Element, str]:
    for element in model.type_of(type_).elements.values():
        if member in element.members():
            return element, element.members()[member]
    raise AssertionError((type_, member))


def _put(made: Json, element: model.Element, member: str, depth: int) -> None:
    one = value(element.members()[member], element, depth)
    made[member] = [one] if element.many else one


def _coded(kind: str, binding: str | None) -> Any:
    system, code = "urn:made", "made"
    if binding:
        system, codes = min((each, sorted(known)) for each, known in model.codes(binding).items() if known)
        code = codes[0]
    if kind == "code":
        return code
    coding = {"system": system, "code": code}
    return coding if kind == "Coding" else {"coding": [coding], "text": "Mẫu"}
