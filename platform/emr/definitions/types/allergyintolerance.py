"""AllergyIntolerance (https://hl7.org/fhir/R4/allergyintolerance.html).

Made by `ops/definitions/typed` from the compiled definitions of FHIR R4; not edited by hand.
"""

# ruff: noqa: N815 - the names are those of FHIR

from __future__ import annotations

from typing import Literal, Required

from emr.definitions.types.datatypes import (
    Age,
    Annotation,
    BackboneElement,
    CodeableConcept,
    DomainResource,
    Identifier,
    Period,
    Range,
    Reference,
)


class AllergyIntoleranceReaction(BackboneElement, total=False):
    substance: CodeableConcept
    manifestation: Required[list[CodeableConcept]]
    description: str
    onset: str
    severity: str
    exposureRoute: CodeableConcept
    note: list[Annotation]


class AllergyIntolerance(DomainResource, total=False):
    resourceType: Required[Literal["AllergyIntolerance"]]
    identifier: list[Identifier]
    clinicalStatus: CodeableConcept
    verificationStatus: CodeableConcept
    type: str
    category: list[str]
    criticality: str
    code: CodeableConcept
    patient: Required[Reference]
    encounter: Reference
    onsetDateTime: str
    onsetAge: Age
    onsetPeriod: Period
    onsetRange: Range
    onsetString: str
    recordedDate: str
    recorder: Reference
    asserter: Reference
    lastOccurrence: str
    note: list[Annotation]
    reaction: list[AllergyIntoleranceReaction]
