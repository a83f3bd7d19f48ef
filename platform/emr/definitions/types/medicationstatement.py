"""MedicationStatement (https://hl7.org/fhir/R4/medicationstatement.html).

Made by `ops/definitions/typed` from the compiled definitions of FHIR R4; not edited by hand.
"""

# ruff: noqa: N815 - the names are those of FHIR

from __future__ import annotations

from typing import Literal, Required

from emr.definitions.types.datatypes import (
    Annotation,
    CodeableConcept,
    DomainResource,
    Dosage,
    Identifier,
    Period,
    Reference,
)


class MedicationStatement(DomainResource, total=False):
    resourceType: Required[Literal["MedicationStatement"]]
    identifier: list[Identifier]
    basedOn: list[Reference]
    partOf: list[Reference]
    status: Required[str]
    statusReason: list[CodeableConcept]
    category: CodeableConcept
    medicationCodeableConcept: CodeableConcept
    medicationReference: Reference
    subject: Required[Reference]
    context: Reference
    effectiveDateTime: str
    effectivePeriod: Period
    dateAsserted: str
    informationSource: Reference
    derivedFrom: list[Reference]
    reasonCode: list[CodeableConcept]
    reasonReference: list[Reference]
    note: list[Annotation]
    dosage: list[Dosage]
