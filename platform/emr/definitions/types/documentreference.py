"""DocumentReference (https://hl7.org/fhir/R4/documentreference.html).

Made by `ops/definitions/typed` from the compiled definitions of FHIR R4; not edited by hand.
"""

# ruff: noqa: N815 - the names are those of FHIR

from __future__ import annotations

from typing import Literal, Required

from emr.definitions.types.datatypes import (
    Attachment,
    BackboneElement,
    CodeableConcept,
    Coding,
    DomainResource,
    Identifier,
    Period,
    Reference,
)


class DocumentReferenceContent(BackboneElement, total=False):
    attachment: Required[Attachment]
    format: Coding


class DocumentReferenceContext(BackboneElement, total=False):
    encounter: list[Reference]
    event: list[CodeableConcept]
    period: Period
    facilityType: CodeableConcept
    practiceSetting: CodeableConcept
    sourcePatientInfo: Reference
    related: list[Reference]


class DocumentReferenceRelatesTo(BackboneElement, total=False):
    code: Required[str]
    target: Required[Reference]


class DocumentReference(DomainResource, total=False):
    resourceType: Required[Literal["DocumentReference"]]
    masterIdentifier: Identifier
    identifier: list[Identifier]
    status: Required[str]
    docStatus: str
    type: CodeableConcept
    category: list[CodeableConcept]
    subject: Reference
    date: str
    author: list[Reference]
    authenticator: Reference
    custodian: Reference
    relatesTo: list[DocumentReferenceRelatesTo]
    description: str
    securityLabel: list[CodeableConcept]
    content: Required[list[DocumentReferenceContent]]
    context: DocumentReferenceContext
