"""MedicationRequest (https://hl7.org/fhir/R4/medicationrequest.html).

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
    Dosage,
    Duration,
    Identifier,
    Period,
    Reference,
)


class MedicationRequestDispenseRequestInitialFill(BackboneElement, total=False):
    quantity: dict[str, Any]
    duration: Duration


class MedicationRequestDispenseRequest(BackboneElement, total=False):
    initialFill: MedicationRequestDispenseRequestInitialFill
    dispenseInterval: Duration
    validityPeriod: Period
    numberOfRepeatsAllowed: int
    quantity: dict[str, Any]
    expectedSupplyDuration: Duration
    performer: Reference


class MedicationRequestSubstitution(BackboneElement, total=False):
    allowedBoolean: bool
    allowedCodeableConcept: CodeableConcept
    reason: CodeableConcept


class MedicationRequest(DomainResource, total=False):
    resourceType: Required[Literal["MedicationRequest"]]
    identifier: list[Identifier]
    status: Required[str]
    statusReason: CodeableConcept
    intent: Required[str]
    category: list[CodeableConcept]
    priority: str
    doNotPerform: bool
    reportedBoolean: bool
    reportedReference: Reference
    medicationCodeableConcept: CodeableConcept
    medicationReference: Reference
    subject: Required[Reference]
    encounter: Reference
    supportingInformation: list[Reference]
    authoredOn: str
    requester: Reference
    performer: Reference
    performerType: CodeableConcept
    recorder: Reference
    reasonCode: list[CodeableConcept]
    reasonReference: list[Reference]
    instantiatesCanonical: list[str]
    instantiatesUri: list[str]
    basedOn: list[Reference]
    groupIdentifier: Identifier
    courseOfTherapyType: CodeableConcept
    insurance: list[Reference]
    note: list[Annotation]
    dosageInstruction: list[Dosage]
    dispenseRequest: MedicationRequestDispenseRequest
    substitution: MedicationRequestSubstitution
    priorPrescription: Reference
    detectedIssue: list[Reference]
    eventHistory: list[Reference]
