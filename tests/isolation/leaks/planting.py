"""A patient with everything that can be had about one: encounter, result, note, scanned paper, file, images."""

import time
from dataclasses import dataclass

import httpx

from emr.kernel.ids import uuid7
from tests.fhir.samples import made, next_link, observation
from tests.house import House
from tests.imaging.samples import ROOT, encoded, slice_of
from tests.isolation.conftest import RECORD_NUMBER, RESULT, Planted, file_document

_ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


@dataclass(frozen=True)
class People:
    """Who plants: a machine that registers, somebody who treats and writes, who scans, and who takes images."""

    registers: httpx.Client
    treats: httpx.Client
    scans: httpx.Client
    images: httpx.Client


def plant(house: House, slug: str, word: str, practitioner: str) -> Planted:
    """A patient treated by `practitioner` alone, with `word` in everything."""
    with (
        house.client("his", slug) as registers,
        house.client("nurse", slug) as treats,
        house.client("archivist", slug) as scans,
        house.client("imaging", slug) as images,
    ):
        return _plant(house, slug, word, (People(registers, treats, scans, images), practitioner))


def _plant(house: House, slug: str, word: str, who: tuple[People, str]) -> Planted:
    people, practitioner = who
    home, uid = f"{house.url}/h/{slug}", str(time.time_ns())
    person = _registered(people.registers, word)
    people.registers.put(f"/Practitioner/{practitioner}", json={"resourceType": "Practitioner", "id": practitioner})
    visit = {
        "resourceType": "Encounter", "status": "in-progress", "class": {"system": _ACT, "code": "IMP"},
        "subject": {"reference": f"Patient/{person}"},
        "participant": [{"individual": {"reference": f"Practitioner/{practitioner}"}}],
    }  # fmt: skip
    encounter = made(people.registers, visit)["id"]
    result = made(people.registers, observation(person, note=[{"text": word}], **RESULT))["id"]
    note = people.treats.post(
        f"{home}/patients/{person}/notes/new",
        data={"kind": "exam", "text": word, "when": "01/11/2026 08:00", "_key": uuid7()},
    )
    assert note.status_code == 303, note.text
    noted = people.scans.get(f"/DocumentReference?patient={person}").json()["entry"][0]["resource"]["id"]
    document = file_document(people.scans, home, person, word)
    held = made(
        people.registers,
        {
            "resourceType": "Binary",
            "contentType": "text/plain",
            "data": "aGVsbG8=",
            "securityContext": {"reference": f"Patient/{person}"},
        },
    )["id"]
    stored = people.images.post(
        f"{home}/dicomweb/studies",
        content=encoded(slice_of(study=uid, size=64, PatientID=word, PatientName=f"{word}^Thị Thử")),
        headers={"Content-Type": "application/dicom"},
    )
    assert stored.status_code == 200, stored.text
    link = next_link(people.registers.get("/Patient?_count=1").json())
    return Planted(
        canary=word, patient=person, observation=result, encounter=encounter, note=noted, document=document,
        binary=held, study=f"{ROOT}{uid}", series=f"{ROOT}{uid}.1", instance=f"{ROOT}{uid}.1.1",
        cursor=str(link).split("_cursor=")[1],
    )  # fmt: skip


def _registered(client: httpx.Client, word: str) -> str:
    number = [{"type": RECORD_NUMBER, "system": "urn:test:record", "value": word}]
    name = [{"family": word, "given": ["Thị Thử"]}]
    person = {"resourceType": "Patient", "name": name, "identifier": number, "birthDate": "1980-05-10"}
    key: str = made(client, person | {"gender": "female"})["id"]
    return key
