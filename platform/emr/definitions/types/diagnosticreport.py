"""DiagnosticReport (https://hl7.org/fhir/R4/diagnosticreport.html).

Made by `ops/definitions/typed` from the compiled definitions of FHIR R4; not edited by hand.
"""

# ruff: noqa: N815 - the names are those of FHIR

from __future__ import annotations

from typing import Literal, Required

from emr.definitions.types.datatypes import (
    Attachment,
    BackboneElement,
    CodeableConcept,
    DomainResource,
    Identifier,
    Period,
    Reference,
)


class DiagnosticReportMedia(BackboneElement, total=False):
    comment: str
    link: Required[Reference]


class DiagnosticReport(DomainResource, total=False):
    resourceType: Required[Literal["DiagnosticReport"]]
    identifier: list[Identifier]
    basedOn: list[Reference]
    status: Required[str]
    category: list[CodeableConcept]
    code: Required[CodeableConcept]
    subject: Reference
    encounter: Reference
    effectiveDateTime: str
    effectivePeriod: Period
    issued: str
    performer: list[Reference]
    resultsInterpreter: list[Reference]
    specimen: list[Reference]
    result: list[Reference]
    imagingStudy: list[Reference]
    media: list[DiagnosticReportMedia]
    conclusion: str
    conclusionCode: list[CodeableConcept]
    presentedForm: list[Attachment]
