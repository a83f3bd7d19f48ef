"""Immunization (https://hl7.org/fhir/R4/immunization.html).

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
    Reference,
)


class ImmunizationEducation(BackboneElement, total=False):
    documentType: str
    reference: str
    publicationDate: str
    presentationDate: str


class ImmunizationPerformer(BackboneElement, total=False):
    function: CodeableConcept
    actor: Required[Reference]


class ImmunizationProtocolApplied(BackboneElement, total=False):
    series: str
    authority: Reference
    targetDisease: list[CodeableConcept]
    doseNumberPositiveInt: int
    doseNumberString: str
    seriesDosesPositiveInt: int
    seriesDosesString: str


class ImmunizationReaction(BackboneElement, total=False):
    date: str
    detail: Reference
    reported: bool


class Immunization(DomainResource, total=False):
    resourceType: Required[Literal["Immunization"]]
    identifier: list[Identifier]
    status: Required[str]
    statusReason: CodeableConcept
    vaccineCode: Required[CodeableConcept]
    patient: Required[Reference]
    encounter: Reference
    occurrenceDateTime: str
    occurrenceString: str
    recorded: str
    primarySource: bool
    reportOrigin: CodeableConcept
    location: Reference
    manufacturer: Reference
    lotNumber: str
    expirationDate: str
    site: CodeableConcept
    route: CodeableConcept
    doseQuantity: dict[str, Any]
    performer: list[ImmunizationPerformer]
    note: list[Annotation]
    reasonCode: list[CodeableConcept]
    reasonReference: list[Reference]
    isSubpotent: bool
    subpotentReason: list[CodeableConcept]
    education: list[ImmunizationEducation]
    programEligibility: list[CodeableConcept]
    fundingSource: CodeableConcept
    reaction: list[ImmunizationReaction]
    protocolApplied: list[ImmunizationProtocolApplied]
