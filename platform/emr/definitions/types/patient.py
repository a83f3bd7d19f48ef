"""Patient (https://hl7.org/fhir/R4/patient.html).

Made by `ops/definitions/typed` from the compiled definitions of FHIR R4; not edited by hand.
"""

# ruff: noqa: N815 - the names are those of FHIR

from __future__ import annotations

from typing import Literal, Required

from emr.definitions.types.datatypes import (
    Address,
    Attachment,
    BackboneElement,
    CodeableConcept,
    ContactPoint,
    DomainResource,
    HumanName,
    Identifier,
    Period,
    Reference,
)


class PatientCommunication(BackboneElement, total=False):
    language: Required[CodeableConcept]
    preferred: bool


class PatientContact(BackboneElement, total=False):
    relationship: list[CodeableConcept]
    name: HumanName
    telecom: list[ContactPoint]
    address: Address
    gender: str
    organization: Reference
    period: Period


class PatientLink(BackboneElement, total=False):
    other: Required[Reference]
    type: Required[str]


class Patient(DomainResource, total=False):
    resourceType: Required[Literal["Patient"]]
    identifier: list[Identifier]
    active: bool
    name: list[HumanName]
    telecom: list[ContactPoint]
    gender: str
    birthDate: str
    deceasedBoolean: bool
    deceasedDateTime: str
    address: list[Address]
    maritalStatus: CodeableConcept
    multipleBirthBoolean: bool
    multipleBirthInteger: int
    photo: list[Attachment]
    contact: list[PatientContact]
    communication: list[PatientCommunication]
    generalPractitioner: list[Reference]
    managingOrganization: Reference
    link: list[PatientLink]
