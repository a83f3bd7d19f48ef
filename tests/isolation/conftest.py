"""What is planted in the neighbouring hospital, so that every route can be asked for it."""

import io
import time
from dataclasses import dataclass

import httpx
import pytest
from PIL import Image

from emr.kernel.ids import uuid7
from tests.fhir.samples import made, mark, next_link, observation, patient
from tests.house import CAU_VONG, House
from tests.imaging.samples import ROOT, encoded, slice_of

RECORD_NUMBER = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]}
LABORATORY = {
    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]
}
RESULT = {
    "category": [LABORATORY],
    "valueQuantity": {"value": 72, "unit": "/min", "system": "http://unitsofmeasure.org", "code": "/min"},
    "effectiveDateTime": "2026-10-01T08:00:00+07:00",
}


@dataclass(frozen=True)
class Planted:
    """Ids of things that stand in the neighbour's record only, and a word that is in all of them."""

    canary: str
    patient: str
    observation: str
    encounter: str
    note: str
    document: str
    binary: str
    study: str
    series: str
    instance: str
    cursor: str


def _paper() -> bytes:
    written = io.BytesIO()
    Image.new("L", (400, 560), 240).save(written, "PDF")
    return written.getvalue()


def file_document(client: httpx.Client, home: str, patient_id: str, canary: str) -> str:
    fields = {"kind": "18842-5", "day": "03/10/2026", "title": canary}
    files = {"file": ("scan.pdf", _paper(), "application/pdf")}
    answer = client.post(f"{home}/patients/{patient_id}/documents/new", data=fields, files=files)
    assert answer.status_code in (201, 303), answer.text
    found = client.get(f"/DocumentReference?patient={patient_id}").json()
    document: str = found["entry"][0]["resource"]["id"]
    return document


@pytest.fixture(scope="package")
def planted(live: House) -> Planted:
    canary = mark()
    uid = str(time.time_ns())
    home = f"{live.url}/h/{CAU_VONG}"
    with live.client("doctor", CAU_VONG) as doctor, live.client("imaging", CAU_VONG) as imaging:
        number = [{"type": RECORD_NUMBER, "system": "urn:test:record", "value": canary}]
        name = [{"family": canary, "given": ["Thị Thử"]}]
        person = made(doctor, patient(name=name, identifier=number, gender="female", birthDate="1980-05-10"))["id"]
        made(doctor, patient(name=[{"family": canary}]))
        subject = {"reference": f"Patient/{person}"}
        act = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
        visit = made(
            doctor,
            {
                "resourceType": "Encounter",
                "status": "finished",
                "subject": subject,
                "class": {"system": act, "code": "AMB"},
            },
        )
        note = doctor.post(
            f"{home}/patients/{person}/notes/new",
            data={"kind": "exam", "text": canary, "when": "01/11/2026 08:00", "_key": uuid7()},
        )
        assert note.status_code == 303, note.text
        noted = doctor.get(f"/DocumentReference?patient={person}").json()["entry"][0]["resource"]["id"]
        held = made(doctor, {"resourceType": "Binary", "contentType": "text/plain", "data": "aGVsbG8="})
        document = file_document(doctor, home, person, canary)
        stored = imaging.post(
            f"{home}/dicomweb/studies",
            content=encoded(slice_of(study=uid, size=64, PatientID=canary, PatientName=f"{canary}^Thị Thử")),
            headers={"Content-Type": "application/dicom"},
        )
        assert stored.status_code == 200, stored.text
        link = next_link(doctor.get(f"/Patient?family={canary}&_count=1").json())
        return Planted(
            canary=canary,
            patient=person,
            observation=made(doctor, observation(person, **RESULT))["id"],
            encounter=visit["id"],
            note=noted,
            document=document,
            binary=held["id"],
            study=f"{ROOT}{uid}",
            series=f"{ROOT}{uid}.1",
            instance=f"{ROOT}{uid}.1.1",
            cursor=str(link).split("_cursor=")[1],
        )
