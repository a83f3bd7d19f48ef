"""Typed shapes of resources, checked by mypy and free at run time.

Made by `ops/definitions/typed` from the compiled definitions of FHIR R4; not edited by hand.
"""

from emr.definitions.types.allergyintolerance import AllergyIntolerance
from emr.definitions.types.binary import Binary
from emr.definitions.types.bundle import Bundle
from emr.definitions.types.capabilitystatement import CapabilityStatement
from emr.definitions.types.condition import Condition
from emr.definitions.types.diagnosticreport import DiagnosticReport
from emr.definitions.types.documentreference import DocumentReference
from emr.definitions.types.encounter import Encounter
from emr.definitions.types.imagingstudy import ImagingStudy
from emr.definitions.types.immunization import Immunization
from emr.definitions.types.location import Location
from emr.definitions.types.medicationrequest import MedicationRequest
from emr.definitions.types.medicationstatement import MedicationStatement
from emr.definitions.types.observation import Observation
from emr.definitions.types.operationoutcome import OperationOutcome
from emr.definitions.types.organization import Organization
from emr.definitions.types.patient import Patient
from emr.definitions.types.practitioner import Practitioner
from emr.definitions.types.practitionerrole import PractitionerRole
from emr.definitions.types.procedure import Procedure
from emr.definitions.types.servicerequest import ServiceRequest

__all__ = [
    "AllergyIntolerance",
    "Binary",
    "Bundle",
    "CapabilityStatement",
    "Condition",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "ImagingStudy",
    "Immunization",
    "Location",
    "MedicationRequest",
    "MedicationStatement",
    "Observation",
    "OperationOutcome",
    "Organization",
    "Patient",
    "Practitioner",
    "PractitionerRole",
    "Procedure",
    "ServiceRequest",
]
