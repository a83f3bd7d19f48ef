"""Practitioner (https://hl7.org/fhir/R4/practitioner.html).

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


class PractitionerQualification(BackboneElement, total=False):
    identifier: list[Identifier]
    code: Required[CodeableConcept]
    period: Period
    issuer: Reference


class Practitioner(DomainResource, total=False):
    resourceType: Required[Literal["Practitioner"]]
    identifier: list[Identifier]
    active: bool
    name: list[HumanName]
    telecom: list[ContactPoint]
    address: list[Address]
    gender: str
    birthDate: str
    photo: list[Attachment]
    qualification: list[PractitionerQualification]
    communication: list[CodeableConcept]
