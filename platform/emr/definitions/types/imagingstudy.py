"""ImagingStudy (https://hl7.org/fhir/R4/imagingstudy.html).

Made by `ops/definitions/typed` from the compiled definitions of FHIR R4; not edited by hand.
"""

# ruff: noqa: N815 - the names are those of FHIR

from __future__ import annotations

from typing import Literal, Required

from emr.definitions.types.datatypes import (
    Annotation,
    BackboneElement,
    CodeableConcept,
    Coding,
    DomainResource,
    Identifier,
    Reference,
)


class ImagingStudySeriesInstance(BackboneElement, total=False):
    uid: Required[str]
    sopClass: Required[Coding]
    number: int
    title: str


class ImagingStudySeriesPerformer(BackboneElement, total=False):
    function: CodeableConcept
    actor: Required[Reference]


class ImagingStudySeries(BackboneElement, total=False):
    uid: Required[str]
    number: int
    modality: Required[Coding]
    description: str
    numberOfInstances: int
    endpoint: list[Reference]
    bodySite: Coding
    laterality: Coding
    specimen: list[Reference]
    started: str
    performer: list[ImagingStudySeriesPerformer]
    instance: list[ImagingStudySeriesInstance]


class ImagingStudy(DomainResource, total=False):
    resourceType: Required[Literal["ImagingStudy"]]
    identifier: list[Identifier]
    status: Required[str]
    modality: list[Coding]
    subject: Required[Reference]
    encounter: Reference
    started: str
    basedOn: list[Reference]
    referrer: Reference
    interpreter: list[Reference]
    endpoint: list[Reference]
    numberOfSeries: int
    numberOfInstances: int
    procedureReference: Reference
    procedureCode: list[CodeableConcept]
    location: Reference
    reasonCode: list[CodeableConcept]
    reasonReference: list[Reference]
    note: list[Annotation]
    description: str
    series: list[ImagingStudySeries]
