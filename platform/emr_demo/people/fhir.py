"""The words of FHIR that the made-up records use: systems, codes, and the smallest builders."""

import json
import uuid
from datetime import datetime
from random import Random
from typing import Any

Resource = dict[str, Any]

MADE_UP = {"system": "https://emr.example/tag", "code": "made-up", "display": "Invented for the demo"}

# Community draft of VN Core; its identifier systems were read, the two marked ¹ follow its pattern.
VN_CORE = "http://fhir.hl7.org.vn/core"
CCCD = f"{VN_CORE}/sid/cccd"
BHYT = f"{VN_CORE}/sid/bhyt"
FACILITY = f"{VN_CORE}/sid/ma-cskcb"
PRACTICE_LICENCE = f"{VN_CORE}/sid/cchn"
RECORD_NUMBER = f"{VN_CORE}/sid/mrn"  # ¹
ETHNICITY = f"{VN_CORE}/StructureDefinition/vn-ext-ethnicity"
ETHNICITY_CODES = f"{VN_CORE}/CodeSystem/vn-ethnicity-cs"  # ¹
WARD = f"{VN_CORE}/StructureDefinition/vn-ext-ward"
WARD_CODES = f"{VN_CORE}/CodeSystem/vn-ward-cs"  # ¹

ICD10 = "http://hl7.org/fhir/sid/icd-10"
ICD9_PROCEDURES = "http://hl7.org/fhir/sid/icd-9-cm"
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
UCUM = "http://unitsofmeasure.org"
ATC = "http://www.whocc.no/atc"
CVX = "http://hl7.org/fhir/sid/cvx"
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"


def hl7(system: str, code: str, text: str = "") -> Resource:
    """A CodeableConcept of one of HL7's own code systems."""
    return concept(f"{_TERMINOLOGY}/{system}", code, text)


def concept(system: str, code: str, text: str = "") -> Resource:
    """A CodeableConcept with one coding; `text` is what people read."""
    found: Resource = {"coding": [{"system": system, "code": code}]}
    if text:
        found["coding"][0]["display"] = text
        found["text"] = text
    return found


def coding(system: str, code: str, display: str) -> Resource:
    """A Coding of one of HL7's own code systems."""
    return {"system": f"{_TERMINOLOGY}/{system}", "code": code, "display": display}


def refer(target: str, display: str = "") -> Resource:
    """A Reference."""
    return {"reference": target, "display": display} if display else {"reference": target}


def quantity(value: float, unit: str, code: str) -> Resource:
    """A Quantity in UCUM."""
    return {"value": value, "unit": unit, "system": UCUM, "code": code}


def moment(when: datetime) -> str:
    """An instant with its offset from UTC."""
    return when.isoformat(timespec="seconds")


def as_bytes(bundle: Resource) -> bytes:
    """A Bundle as it is sent."""
    return json.dumps(bundle, ensure_ascii=False, separators=(",", ":")).encode()


class TransactionBundle:
    """Collects resources that refer to each other by `urn:uuid:` and are created together."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._entries: list[Resource] = []

    def new_url(self) -> str:
        """The temporary address of a resource that will be put in later."""
        return f"urn:uuid:{uuid.UUID(int=self._rng.getrandbits(128), version=4)}"

    def put(self, url: str, resource: Resource) -> str:
        """Add a resource to be created; gives its address back."""
        self._entries.append(
            {
                "fullUrl": url,
                "resource": _tagged(resource),
                "request": {"method": "POST", "url": resource["resourceType"]},
            }
        )
        return url

    def add(self, resource: Resource) -> str:
        """Add a resource to be created; gives its address back."""
        return self.put(self.new_url(), resource)

    def put_known(self, resource: Resource) -> str:
        """Add a resource whose id is ours to choose; loading it again makes no copy."""
        address = f"{resource['resourceType']}/{resource['id']}"
        self._entries.append({"resource": _tagged(resource), "request": {"method": "PUT", "url": address}})
        return address

    def resources(self) -> list[Resource]:
        """What has been put in so far."""
        return [entry["resource"] for entry in self._entries]

    def finish(self) -> Resource:
        """The whole Bundle."""
        return {"resourceType": "Bundle", "type": "transaction", "entry": self._entries}


def _tagged(resource: Resource) -> Resource:
    kind = resource["resourceType"]
    head = {"resourceType": kind, **({"id": resource["id"]} if "id" in resource else {}), "meta": {"tag": [MADE_UP]}}
    return head | resource
