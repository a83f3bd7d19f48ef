"""Procedure (https://hl7.org/fhir/R4/procedure.html).

Made by `ops/definitions/typed` from the compiled definitions of FHIR R4; not edited by hand.
"""

# ruff: noqa: N815 - the names are those of FHIR

from __future__ import annotations

from typing import Literal, Required

from emr.definitions.types.datatypes import (
    Age,
    Annotation,
    BackboneElement,
    CodeableConcept,
    DomainResource,
    Identifier,
    Period,
    Range,
    Reference,
)


class ProcedureFocalDevice(BackboneElement, total=False):
    action: CodeableConcept
    manipulated: Required[Reference]


class ProcedurePerformer(BackboneElement, total=False):
    function: CodeableConcept
    actor: Required[Reference]
    onBehalfOf: Reference


class Procedure(DomainResource, total=False):
    resourceType: Required[Literal["Procedure"]]
    identifier: list[Identifier]
    instantiatesCanonical: list[str]
    instantiatesUri: list[str]
    basedOn: list[Reference]
    partOf: list[Reference]
    status: Required[str]
    statusReason: CodeableConcept
    category: CodeableConcept
    code: CodeableConcept
    subject: Required[Reference]
    encounter: Reference
    performedDateTime: str
    performedPeriod: Period
    performedString: str
    performedAge: Age
    performedRange: Range
    recorder: Reference
    asserter: Reference
    performer: list[ProcedurePerformer]
    location: Reference
    reasonCode: list[CodeableConcept]
    reasonReference: list[Reference]
    bodySite: list[CodeableConcept]
    outcome: CodeableConcept
    report: list[Reference]
    complication: list[CodeableConcept]
    complicationDetail: list[Reference]
    followUp: list[CodeableConcept]
    note: list[Annotation]
    focalDevice: list[ProcedureFocalDevice]
    usedReference: list[Reference]
    usedCode: list[CodeableConcept]
