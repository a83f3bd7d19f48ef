"""Observation (https://hl7.org/fhir/R4/observation.html).

Made by `ops/definitions/typed` from the compiled definitions of FHIR R4; not edited by hand.
"""

# ruff: noqa: N815 - the names are those of FHIR

from __future__ import annotations

from typing import Any, Literal, Required

from emr.definitions.types.datatypes import (
    Annotation,
    BackboneElement,
    CodeableConcept,
    DomainResource,
    Identifier,
    Period,
    Range,
    Ratio,
    Reference,
    SampledData,
    Timing,
)


class ObservationComponent(BackboneElement, total=False):
    code: Required[CodeableConcept]
    valueQuantity: dict[str, Any]
    valueCodeableConcept: CodeableConcept
    valueString: str
    valueBoolean: bool
    valueInteger: int
    valueRange: Range
    valueRatio: Ratio
    valueSampledData: SampledData
    valueTime: str
    valueDateTime: str
    valuePeriod: Period
    dataAbsentReason: CodeableConcept
    interpretation: list[CodeableConcept]
    referenceRange: list[ObservationReferenceRange]


class ObservationReferenceRange(BackboneElement, total=False):
    low: dict[str, Any]
    high: dict[str, Any]
    type: CodeableConcept
    appliesTo: list[CodeableConcept]
    age: Range
    text: str


class Observation(DomainResource, total=False):
    resourceType: Required[Literal["Observation"]]
    identifier: list[Identifier]
    basedOn: list[Reference]
    partOf: list[Reference]
    status: Required[str]
    category: list[CodeableConcept]
    code: Required[CodeableConcept]
    subject: Reference
    focus: list[Reference]
    encounter: Reference
    effectiveDateTime: str
    effectivePeriod: Period
    effectiveTiming: Timing
    effectiveInstant: str
    issued: str
    performer: list[Reference]
    valueQuantity: dict[str, Any]
    valueCodeableConcept: CodeableConcept
    valueString: str
    valueBoolean: bool
    valueInteger: int
    valueRange: Range
    valueRatio: Ratio
    valueSampledData: SampledData
    valueTime: str
    valueDateTime: str
    valuePeriod: Period
    dataAbsentReason: CodeableConcept
    interpretation: list[CodeableConcept]
    note: list[Annotation]
    bodySite: CodeableConcept
    method: CodeableConcept
    specimen: Reference
    device: Reference
    referenceRange: list[ObservationReferenceRange]
    hasMember: list[Reference]
    derivedFrom: list[Reference]
    component: list[ObservationComponent]
