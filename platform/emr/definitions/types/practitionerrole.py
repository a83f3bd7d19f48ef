"""PractitionerRole (https://hl7.org/fhir/R4/practitionerrole.html).

Made by `ops/definitions/typed` from the compiled definitions of FHIR R4; not edited by hand.
"""

# ruff: noqa: N815 - the names are those of FHIR

from __future__ import annotations

from typing import Literal, Required

from emr.definitions.types.datatypes import (
    BackboneElement,
    CodeableConcept,
    ContactPoint,
    DomainResource,
    Identifier,
    Period,
    Reference,
)


class PractitionerRoleAvailableTime(BackboneElement, total=False):
    daysOfWeek: list[str]
    allDay: bool
    availableStartTime: str
    availableEndTime: str


class PractitionerRoleNotAvailable(BackboneElement, total=False):
    description: Required[str]
    during: Period


class PractitionerRole(DomainResource, total=False):
    resourceType: Required[Literal["PractitionerRole"]]
    identifier: list[Identifier]
    active: bool
    period: Period
    practitioner: Reference
    organization: Reference
    code: list[CodeableConcept]
    specialty: list[CodeableConcept]
    location: list[Reference]
    healthcareService: list[Reference]
    telecom: list[ContactPoint]
    availableTime: list[PractitionerRoleAvailableTime]
    notAvailable: list[PractitionerRoleNotAvailable]
    availabilityExceptions: str
    endpoint: list[Reference]
