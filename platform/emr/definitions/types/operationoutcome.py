"""OperationOutcome (https://hl7.org/fhir/R4/operationoutcome.html).

Made by `ops/definitions/typed` from the compiled definitions of FHIR R4; not edited by hand.
"""

# ruff: noqa: N815 - the names are those of FHIR

from __future__ import annotations

from typing import Literal, Required

from emr.definitions.types.datatypes import (
    BackboneElement,
    CodeableConcept,
    DomainResource,
)


class OperationOutcomeIssue(BackboneElement, total=False):
    severity: Required[str]
    code: Required[str]
    details: CodeableConcept
    diagnostics: str
    location: list[str]
    expression: list[str]


class OperationOutcome(DomainResource, total=False):
    resourceType: Required[Literal["OperationOutcome"]]
    issue: Required[list[OperationOutcomeIssue]]
