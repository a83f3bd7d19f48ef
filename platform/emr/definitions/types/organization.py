"""Organization (https://hl7.org/fhir/R4/organization.html).

Made by `ops/definitions/typed` from the compiled definitions of FHIR R4; not edited by hand.
"""

# ruff: noqa: N815 - the names are those of FHIR

from __future__ import annotations

from typing import Literal, Required

from emr.definitions.types.datatypes import (
    Address,
    BackboneElement,
    CodeableConcept,
    ContactPoint,
    DomainResource,
    HumanName,
    Identifier,
    Reference,
)


class OrganizationContact(BackboneElement, total=False):
    purpose: CodeableConcept
    name: HumanName
    telecom: list[ContactPoint]
    address: Address


class Organization(DomainResource, total=False):
    resourceType: Required[Literal["Organization"]]
    identifier: list[Identifier]
    active: bool
    type: list[CodeableConcept]
    name: str
    alias: list[str]
    telecom: list[ContactPoint]
    address: list[Address]
    partOf: Reference
    contact: list[OrganizationContact]
    endpoint: list[Reference]
