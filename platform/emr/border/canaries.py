"""What stands in each hospital only to be looked for: one patient whom nobody has, with papers and an image.

Planted through the service's own doors, as a doctor and a device of the hospital, so that it lies where a real
patient's data lies. Everything carries the label HTEST (test health data, v3-ActReason), is years old, and so comes up
on no list of a working day.
"""

import base64
import html
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from emr.border.knocking import Answer, Knock, Knocker
from emr.border.secrets import Marks
from emr.identity.visits import Visit
from emr.kernel.errors import Unavailable

FHIR: Final = "application/fhir+json"
_SECONDARY_CAPTURE: Final = "1.2.840.10008.5.1.4.1.1.7"
_DAY: Final = "2001-02-03"
_TEST: Final = {
    "security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}],
}
_SIDE: Final = 16
_HIDDEN: Final = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Canary:
    """What was planted: `ids` by the name that a route's path gives them, and the cursor of a second page."""

    marks: Marks
    ids: Mapping[str, str]
    cursor: str


async def plant(knocker: Knocker, base: str, marks: Marks, doctor: Visit, device: Visit) -> Canary:
    """Plant what is not there yet. `base` is the hospital's path. Raises `Unavailable` when it is not taken."""
    planted = [*_resources(marks), *_relation(marks)]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [_entry(each) for each in planted]}
    await _send(knocker, Knock("POST", f"{base}/fhir", {"Content-Type": FHIR}, json.dumps(bundle).encode()), doctor)
    stow = Knock("POST", f"{base}/dicomweb/studies", {"Content-Type": "application/dicom"}, _image(marks))
    await _send(knocker, stow, device)
    document = await _paper(knocker, base, marks, doctor)
    ids = {
        "id": marks.ids["patient"], "patient": marks.ids["patient"], "encounter": marks.ids["encounter"],
        "note": marks.ids["note"], "binary": marks.ids["binary"], "document": document,
        "study": marks.root, "series": f"{marks.root}.1", "instance": f"{marks.root}.1.1",
    }  # fmt: skip
    return Canary(marks, ids, await _cursor(knocker, base, doctor))


def _resources(marks: Marks) -> list[Resource]:
    """A patient, a visit, a result, a note and a file; each says the proof."""
    subject = {"reference": f"Patient/{marks.ids['patient']}"}
    act = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
    record_number = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]}
    found: list[Resource] = [
        {
            "resourceType": "Patient", "active": False, "gender": "unknown", "birthDate": _DAY,
            "name": [{"family": marks.word, "given": ["Ranh giới"], "text": f"{marks.word} {marks.proof}"}],
            "identifier": [{"type": record_number, "system": "urn:emr:border-light", "value": marks.word}],
        },
        {
            "resourceType": "Encounter", "status": "finished", "subject": subject, "period": {"start": _DAY},
            "class": {"system": act, "code": "AMB"}, "type": [{"text": f"{marks.word} {marks.proof}"}],
        },
        {
            "resourceType": "Observation", "status": "final", "subject": subject, "effectiveDateTime": _DAY,
            "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}], "text": marks.word},
            "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category",
                                      "code": "laboratory"}]}],
            "valueQuantity": {"value": 72, "unit": "/min", "system": "http://unitsofmeasure.org", "code": "/min"},
            "note": [{"text": marks.proof}],
        },
        {
            "resourceType": "DocumentReference", "status": "current", "subject": subject, "date": f"{_DAY}T00:00:00Z",
            "type": {"coding": [{"system": "http://loinc.org", "code": "11506-3"}]},
            "category": [{"coding": [{"system": "http://hl7.org/fhir/us/core/CodeSystem/"
                                                "us-core-documentreference-category", "code": "clinical-note"}]}],
            "description": f"{marks.word} {marks.proof}",
            "content": [{"attachment": {"contentType": "text/plain; charset=utf-8", "data": marks.file}}],
        },
        {"resourceType": "Binary", "contentType": "text/plain", "data": marks.file, "securityContext": subject},
    ]  # fmt: skip
    names = ("patient", "encounter", "observation", "note", "binary")
    return [_marked(each, marks.ids[name]) for each, name in zip(found, names, strict=True)]


def _relation(marks: Marks) -> list[Resource]:
    """Who has to do with the patient, for hospitals that show a patient to nobody else: whoever looks comes as this
    practitioner, whom everybody may see.
    """
    practitioner, team = marks.ids["practitioner"], marks.ids["team"]
    members = {
        "status": "active", "name": f"{marks.word} {marks.proof}",
        "subject": {"reference": f"Patient/{marks.ids['patient']}"},
        "participant": [{"member": {"reference": f"Practitioner/{practitioner}"}}],
    }  # fmt: skip
    return [
        _marked({"resourceType": "Practitioner", "active": False, "name": [{"text": marks.word}]}, practitioner),
        _marked({"resourceType": "CareTeam"} | members, team),
    ]


def _marked(resource: Resource, key: str) -> Resource:
    return resource | {"id": key, "meta": _TEST}


def _entry(resource: Resource) -> Resource:
    address = f"{resource['resourceType']}/{resource['id']}"
    return {"resource": resource, "request": {"method": "PUT", "url": address}}


def _image(marks: Marks) -> bytes:
    """A small grey square whose patient and description are the canary's."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(_SECONDARY_CAPTURE)
    meta.MediaStorageSOPInstanceUID = UID(f"{marks.root}.1.1")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    values = {
        "SpecificCharacterSet": "ISO_IR 192", "SOPClassUID": _SECONDARY_CAPTURE, "Modality": "OT",
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID, "StudyInstanceUID": marks.root,
        "SeriesInstanceUID": f"{marks.root}.1", "StudyDate": _DAY.replace("-", ""), "StudyTime": "000000",
        "AccessionNumber": "", "StudyID": "", "SeriesNumber": 1, "InstanceNumber": 1, "StudyDescription": marks.proof,
        "PatientID": marks.word, "PatientName": f"{marks.word}^Ranh giới", "PatientBirthDate": _DAY.replace("-", ""),
        "PatientSex": "O", "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "Rows": _SIDE,
        "Columns": _SIDE, "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0,
        "PixelData": bytes(range(256)),
    }  # fmt: skip
    for keyword, value in values.items():
        setattr(image, keyword, value)
    file = io.BytesIO()
    image.save_as(file, enforce_file_format=True)
    return file.getvalue()


async def _paper(knocker: Knocker, base: str, marks: Marks, doctor: Visit) -> str:
    """The id of the scanned paper, filed with the form that everybody uses if it is not there yet."""
    found = await _filed(knocker, base, marks, doctor)
    if found is None:
        form = f"{base}/patients/{marks.ids['patient']}/documents/new"
        page = await _send(knocker, Knock("GET", form, {"Accept": "text/html"}), doctor)
        fields = {name: html.unescape(value) for name, value in _HIDDEN.findall(page.body.decode("utf-8"))}
        fields |= {"kind": "18842-5", "day": "03/02/2001", "title": f"{marks.word} {marks.proof}"}
        body, content_type = _form(fields, _sheet())
        await _send(knocker, Knock("POST", form, {"Accept": "text/html", "Content-Type": content_type}, body), doctor)
        found = await _filed(knocker, base, marks, doctor)
    if found is None:
        raise Unavailable("canary-not-planted", "A paper that was filed is not found.")
    return found


async def _filed(knocker: Knocker, base: str, marks: Marks, doctor: Visit) -> str | None:
    address = f"{base}/fhir/DocumentReference?patient={marks.ids['patient']}&contenttype=image/png&_count=1"
    entries = (await _send(knocker, Knock("GET", address), doctor)).json().get("entry", [])
    return str(entries[0]["resource"]["id"]) if entries else None


def _sheet() -> bytes:
    """A white PNG of 1 × 1 pixel (PNG specification, 3rd edition)."""
    return base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAG7buVgAAAABJRU5ErkJggg=="
    )


def _form(fields: Mapping[str, str], sheet: bytes) -> tuple[bytes, str]:
    """A form with a file (RFC 7578), and its media type."""
    edge = "border-light-form"
    parts = [f'--{edge}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in fields.items()]
    head = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="giay.png"\r\n'
    opened = "".join(parts) + head + "Content-Type: image/png\r\n\r\n"
    return opened.encode() + sheet + f"\r\n--{edge}--\r\n".encode(), f"multipart/form-data; boundary={edge}"


async def _cursor(knocker: Knocker, base: str, doctor: Visit) -> str:
    """The cursor that leads to a second page of what the canary has."""
    answer = await _send(knocker, Knock("GET", f"{base}/fhir/DocumentReference?_count=1"), doctor)
    links = {link["relation"]: link["url"] for link in answer.json()["link"]}
    return str(links.get("next", "")).partition("_cursor=")[2]


async def _send(knocker: Knocker, knock: Knock, visit: Visit) -> Answer:
    answer = await knocker.ask(knock, visit)
    if answer.status >= 400:
        raise Unavailable("canary-not-planted", f"The service answered {answer.status} to what is planted.")
    return answer
