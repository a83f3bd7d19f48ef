"""Location (https://hl7.org/fhir/R4/location.html).

Made by `ops/definitions/typed` from the compiled definitions of FHIR R4; not edited by hand.
"""

# ruff: noqa: N815 - the names are those of FHIR

from __future__ import annotations

from decimal import Decimal
from typing import Literal, Required

from emr.definitions.types.datatypes import (
    Address,
    BackboneElement,
    CodeableConcept,
    Coding,
    ContactPoint,
    DomainResource,
    Identifier,
    Reference,
)


class LocationHoursOfOperation(BackboneElement, total=False):
    daysOfWeek: list[str]
    allDay: bool
    openingTime: str
    closingTime: str


class LocationPosition(BackboneElement, total=False):
    longitude: Required[Decimal | int]
    latitude: Required[Decimal | int]
    altitude: Decimal | int


class Location(DomainResource, total=False):
    resourceType: Required[Literal["Location"]]
    identifier: list[Identifier]
    status: str
    operationalStatus: Coding
    name: str
    alias: list[str]
    description: str
    mode: str
    type: list[CodeableConcept]
    telecom: list[ContactPoint]
    address: Address
    physicalType: CodeableConcept
    position: LocationPosition
    managingOrganization: Reference
    partOf: Reference
    hoursOfOperation: list[LocationHoursOfOperation]
    availabilityExceptions: str
    endpoint: list[Reference]
