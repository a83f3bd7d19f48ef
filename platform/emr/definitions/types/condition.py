"""Condition (https://hl7.org/fhir/R4/condition.html).

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


class ConditionEvidence(BackboneElement, total=False):
    code: list[CodeableConcept]
    detail: list[Reference]


class ConditionStage(BackboneElement, total=False):
    summary: CodeableConcept
    assessment: list[Reference]
    type: CodeableConcept


class Condition(DomainResource, total=False):
    resourceType: Required[Literal["Condition"]]
    identifier: list[Identifier]
    clinicalStatus: CodeableConcept
    verificationStatus: CodeableConcept
    category: list[CodeableConcept]
    severity: CodeableConcept
    code: CodeableConcept
    bodySite: list[CodeableConcept]
    subject: Required[Reference]
    encounter: Reference
    onsetDateTime: str
    onsetAge: Age
    onsetPeriod: Period
    onsetRange: Range
    onsetString: str
    abatementDateTime: str
    abatementAge: Age
    abatementPeriod: Period
    abatementRange: Range
    abatementString: str
    recordedDate: str
    recorder: Reference
    asserter: Reference
    stage: list[ConditionStage]
    evidence: list[ConditionEvidence]
    note: list[Annotation]
