"""Encounter (https://hl7.org/fhir/R4/encounter.html).

Made by `ops/definitions/typed` from the compiled definitions of FHIR R4; not edited by hand.
"""

# ruff: noqa: N815 - the names are those of FHIR

from __future__ import annotations

from typing import Any, Literal, Required, TypedDict

from emr.definitions.types.datatypes import (
    BackboneElement,
    CodeableConcept,
    Coding,
    Duration,
    Extension,
    Identifier,
    Meta,
    Narrative,
    Period,
    Reference,
)

EncounterClassHistory = TypedDict(
    "EncounterClassHistory",
    {
        "id": str,
        "extension": list[Extension],
        "modifierExtension": list[Extension],
        "class": Required[Coding],
        "period": Required[Period],
    },
    total=False,
)


class EncounterDiagnosis(BackboneElement, total=False):
    condition: Required[Reference]
    use: CodeableConcept
    rank: int


class EncounterHospitalization(BackboneElement, total=False):
    preAdmissionIdentifier: Identifier
    origin: Reference
    admitSource: CodeableConcept
    reAdmission: CodeableConcept
    dietPreference: list[CodeableConcept]
    specialCourtesy: list[CodeableConcept]
    specialArrangement: list[CodeableConcept]
    destination: Reference
    dischargeDisposition: CodeableConcept


class EncounterLocation(BackboneElement, total=False):
    location: Required[Reference]
    status: str
    physicalType: CodeableConcept
    period: Period


class EncounterParticipant(BackboneElement, total=False):
    type: list[CodeableConcept]
    period: Period
    individual: Reference


class EncounterStatusHistory(BackboneElement, total=False):
    status: Required[str]
    period: Required[Period]


Encounter = TypedDict(
    "Encounter",
    {
        "resourceType": Required[Literal["Encounter"]],
        "id": str,
        "meta": Meta,
        "implicitRules": str,
        "language": str,
        "text": Narrative,
        "contained": list[dict[str, Any]],
        "extension": list[Extension],
        "modifierExtension": list[Extension],
        "identifier": list[Identifier],
        "status": Required[str],
        "statusHistory": list[EncounterStatusHistory],
        "class": Required[Coding],
        "classHistory": list[EncounterClassHistory],
        "type": list[CodeableConcept],
        "serviceType": CodeableConcept,
        "priority": CodeableConcept,
        "subject": Reference,
        "episodeOfCare": list[Reference],
        "basedOn": list[Reference],
        "participant": list[EncounterParticipant],
        "appointment": list[Reference],
        "period": Period,
        "length": Duration,
        "reasonCode": list[CodeableConcept],
        "reasonReference": list[Reference],
        "diagnosis": list[EncounterDiagnosis],
        "account": list[Reference],
        "hospitalization": EncounterHospitalization,
        "location": list[EncounterLocation],
        "serviceProvider": Reference,
        "partOf": Reference,
    },
    total=False,
)
