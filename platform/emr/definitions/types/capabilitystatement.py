"""CapabilityStatement (https://hl7.org/fhir/R4/capabilitystatement.html).

Made by `ops/definitions/typed` from the compiled definitions of FHIR R4; not edited by hand.
"""

# ruff: noqa: N815 - the names are those of FHIR

from __future__ import annotations

from typing import Literal, Required

from emr.definitions.types.datatypes import (
    BackboneElement,
    CodeableConcept,
    Coding,
    ContactDetail,
    DomainResource,
    Reference,
    UsageContext,
)


class CapabilityStatementRestResourceInteraction(BackboneElement, total=False):
    code: Required[str]
    documentation: str


class CapabilityStatementRestResourceOperation(BackboneElement, total=False):
    name: Required[str]
    definition: Required[str]
    documentation: str


class CapabilityStatementRestResourceSearchParam(BackboneElement, total=False):
    name: Required[str]
    definition: str
    type: Required[str]
    documentation: str


class CapabilityStatementMessagingEndpoint(BackboneElement, total=False):
    protocol: Required[Coding]
    address: Required[str]


class CapabilityStatementMessagingSupportedMessage(BackboneElement, total=False):
    mode: Required[str]
    definition: Required[str]


class CapabilityStatementRestInteraction(BackboneElement, total=False):
    code: Required[str]
    documentation: str


class CapabilityStatementRestResource(BackboneElement, total=False):
    type: Required[str]
    profile: str
    supportedProfile: list[str]
    documentation: str
    interaction: list[CapabilityStatementRestResourceInteraction]
    versioning: str
    readHistory: bool
    updateCreate: bool
    conditionalCreate: bool
    conditionalRead: str
    conditionalUpdate: bool
    conditionalDelete: str
    referencePolicy: list[str]
    searchInclude: list[str]
    searchRevInclude: list[str]
    searchParam: list[CapabilityStatementRestResourceSearchParam]
    operation: list[CapabilityStatementRestResourceOperation]


class CapabilityStatementRestSecurity(BackboneElement, total=False):
    cors: bool
    service: list[CodeableConcept]
    description: str


class CapabilityStatementDocument(BackboneElement, total=False):
    mode: Required[str]
    documentation: str
    profile: Required[str]


class CapabilityStatementImplementation(BackboneElement, total=False):
    description: Required[str]
    url: str
    custodian: Reference


class CapabilityStatementMessaging(BackboneElement, total=False):
    endpoint: list[CapabilityStatementMessagingEndpoint]
    reliableCache: int
    documentation: str
    supportedMessage: list[CapabilityStatementMessagingSupportedMessage]


class CapabilityStatementRest(BackboneElement, total=False):
    mode: Required[str]
    documentation: str
    security: CapabilityStatementRestSecurity
    resource: list[CapabilityStatementRestResource]
    interaction: list[CapabilityStatementRestInteraction]
    searchParam: list[CapabilityStatementRestResourceSearchParam]
    operation: list[CapabilityStatementRestResourceOperation]
    compartment: list[str]


class CapabilityStatementSoftware(BackboneElement, total=False):
    name: Required[str]
    version: str
    releaseDate: str


class CapabilityStatement(DomainResource, total=False):
    resourceType: Required[Literal["CapabilityStatement"]]
    url: str
    version: str
    name: str
    title: str
    status: Required[str]
    experimental: bool
    date: Required[str]
    publisher: str
    contact: list[ContactDetail]
    description: str
    useContext: list[UsageContext]
    jurisdiction: list[CodeableConcept]
    purpose: str
    copyright: str
    kind: Required[str]
    instantiates: list[str]
    imports: list[str]
    software: CapabilityStatementSoftware
    implementation: CapabilityStatementImplementation
    fhirVersion: Required[str]
    format: Required[list[str]]
    patchFormat: list[str]
    implementationGuide: list[str]
    rest: list[CapabilityStatementRest]
    messaging: list[CapabilityStatementMessaging]
    document: list[CapabilityStatementDocument]
