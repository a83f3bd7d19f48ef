"""A small invented core package: a Vietnamese patient, an extension, a value set, a blood pressure derived twice."""

import io
import json
import tarfile
from typing import Any

Json = dict[str, Any]

BASE = "https://example.vn/fhir"
CCCD = "https://example.vn/id/cccd"
BHYT = "https://example.vn/id/bhyt"
ETHNIC = f"{BASE}/StructureDefinition/ethnic-group"
ETHNIC_CODES = f"{BASE}/CodeSystem/ethnic-group"


def url(name: str) -> str:
    return f"{BASE}/StructureDefinition/{name}"


def profile(name: str, type_: str, elements: list[Json], base: str = "") -> Json:
    return {
        "resourceType": "StructureDefinition", "id": f"vn-{name}", "url": url(name), "version": "1.0.0",
        "name": "".join(part.title() for part in name.split("-")), "status": "active", "fhirVersion": "4.0.1",
        "kind": "complex-type" if type_ in ("Extension", "HumanName") else "resource", "abstract": False,
        "type": type_, "baseDefinition": base or f"http://hl7.org/fhir/StructureDefinition/{type_}",
        "derivation": "constraint", "differential": {"element": [{"id": type_, "path": type_}, *elements]},
        **({"context": [{"type": "element", "expression": "Patient"}]} if type_ == "Extension" else {}),
    }  # fmt: skip


def element(id_: str, **more: Any) -> Json:
    """An element whose path is its id without the names of slices."""
    path = ".".join(part.partition(":")[0] for part in id_.split("."))
    slice_name = {"sliceName": id_.rpartition(":")[2]} if ":" in id_.rpartition(".")[2] else {}
    return {"id": id_, "path": path, **slice_name, **more}


ETHNIC_GROUP = profile(
    "ethnic-group",
    "Extension",
    [
        element("Extension.extension", max="0"),
        element("Extension.url", fixedUri=ETHNIC),
        element(
            "Extension.value[x]", min=1, type=[{"code": "CodeableConcept"}],
            binding={"strength": "required", "valueSet": f"{BASE}/ValueSet/ethnic-group"},
        ),
    ],
)  # fmt: skip
PATIENT = profile(
    "patient",
    "Patient",
    [
        element("Patient.extension", slicing={"discriminator": [{"type": "value", "path": "url"}], "rules": "open"}),
        element("Patient.extension:ethnic", max="1", type=[{"code": "Extension", "profile": [ETHNIC]}]),
        element(
            "Patient.identifier", min=1,
            slicing={"discriminator": [{"type": "value", "path": "system"}], "rules": "open"},
        ),
        element("Patient.identifier:cccd", max="1"),
        element("Patient.identifier:cccd.system", min=1, fixedUri=CCCD),
        element(
            "Patient.identifier:cccd.value", min=1, maxLength=12,
            constraint=[{"key": "vn-1", "severity": "error", "human": "Twelve digits",
                         "expression": "matches('^[0-9]{12}$')"}],
        ),
        element("Patient.identifier:bhyt", max="1"),
        element("Patient.identifier:bhyt.system", min=1, fixedUri=BHYT),
        element("Patient.name", min=1, max="2"),
        element("Patient.name.family", min=1),
        element("Patient.gender", min=1),
        element("Patient.birthDate", min=1),
        element("Patient.deceased[x]", type=[{"code": "dateTime"}]),
        element("Patient.generalPractitioner", type=[
            {"code": "Reference", "targetProfile": ["http://hl7.org/fhir/StructureDefinition/Practitioner"]}]),
        element("Patient.communication.language", patternCodeableConcept={"coding": [{"system": "urn:ietf:bcp:47"}]}),
    ],
)  # fmt: skip
NEWBORN = profile(
    "newborn", "Patient",
    [element("Patient.multipleBirth[x]", min=1, type=[{"code": "integer"}]), element("Patient.name", max="1"),
     element("Patient.contact", min=1),
     element("Patient.contact.relationship", min=1)],
    base=url("patient"),
)  # fmt: skip
CODES: Json = {
    "resourceType": "CodeSystem", "id": "vn-ethnic-group", "url": ETHNIC_CODES, "status": "active",
    "content": "complete", "concept": [{"code": "kinh", "display": "Kinh"}, {"code": "tay", "display": "Tày"}],
}  # fmt: skip
VALUE_SET: Json = {
    "resourceType": "ValueSet", "id": "vn-ethnic-group", "url": f"{BASE}/ValueSet/ethnic-group", "status": "active",
    "compose": {"include": [{"system": ETHNIC_CODES}]},
}  # fmt: skip
RESOURCES = [CODES, VALUE_SET, ETHNIC_GROUP, PATIENT, NEWBORN]


def patient(ethnic: str = "kinh", **more: Any) -> Json:
    """One that keeps the profile that it claims."""
    return {
        "resourceType": "Patient",
        "meta": {"profile": [url("patient")]},
        "extension": [{"url": ETHNIC, "valueCodeableConcept": {"coding": [{"system": ETHNIC_CODES, "code": ethnic}]}}],
        "identifier": [{"system": CCCD, "value": "079123456789"}],
        "name": [{"family": "Nguyễn", "given": ["An"]}],
        "gender": "female",
        "birthDate": "1990-02-28",
        **more,
    }


def package(*, name: str = "vn.example.core", version: str = "1.0.0", files: dict[str, Any] | None = None) -> bytes:
    """A FHIR package: a gzipped tar with `package/package.json` and a file a resource."""
    about = {"name": name, "version": version, "fhirVersions": ["4.0.1"], "dependencies": {"hl7.fhir.r4.core": "4.0.1"}}
    held = {f"{each['resourceType']}-{each['id']}.json": each for each in RESOURCES} if files is None else files
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, content in {"package.json": about, **held}.items():
            data = json.dumps(content).encode()
            entry = tarfile.TarInfo(f"package/{path}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()
