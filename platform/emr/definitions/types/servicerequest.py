"""ServiceRequest (https://hl7.org/fhir/R4/servicerequest.html).

Made by `ops/definitions/typed` from the compiled definitions of FHIR R4; not edited by hand.
"""

# ruff: noqa: N815 - the names are those of FHIR

from __future__ import annotations

from typing import Any, Literal, Required

from emr.definitions.types.datatypes import (
    Annotation,
    CodeableConcept,
    DomainResource,
    Identifier,
    Period,
    Range,
    Ratio,
    Reference,
    Timing,
)


class ServiceRequest(DomainResource, total=False):
    resourceType: Required[Literal["ServiceRequest"]]
    identifier: list[Identifier]
    instantiatesCanonical: list[str]
    instantiatesUri: list[str]
    basedOn: list[Reference]
    replaces: list[Reference]
    requisition: Identifier
    status: Required[str]
    intent: Required[str]
    category: list[CodeableConcept]
    priority: str
    doNotPerform: bool
    code: CodeableConcept
    orderDetail: list[CodeableConcept]
    quantityQuantity: dict[str, Any]
    quantityRatio: Ratio
    quantityRange: Range
    subject: Required[Reference]
    encounter: Reference
    occurrenceDateTime: str
    occurrencePeriod: Period
    occurrenceTiming: Timing
    asNeededBoolean: bool
    asNeededCodeableConcept: CodeableConcept
    authoredOn: str
    requester: Reference
    performerType: CodeableConcept
    performer: list[Reference]
    locationCode: list[CodeableConcept]
    locationReference: list[Reference]
    reasonCode: list[CodeableConcept]
    reasonReference: list[Reference]
    insurance: list[Reference]
    supportingInfo: list[Reference]
    specimen: list[Reference]
    bodySite: list[CodeableConcept]
    note: list[Annotation]
    patientInstruction: str
    relevantHistory: list[Reference]
