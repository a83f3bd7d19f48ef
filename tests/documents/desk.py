"""How the tests stand at the desk: a patient, an upload, what is stored and what is written down about it."""

import json
from dataclasses import dataclass
from typing import Any

import httpx

from tests.house import HOA_SEN, House

PAGE = {"Accept": "text/html"}


@dataclass
class Desk:
    """One account at one hospital, with a patient of that hospital."""

    house: House
    client: httpx.Client
    patient: str
    slug: str = HOA_SEN

    @property
    def home(self) -> str:
        return f"{self.house.url}/h/{self.slug}"

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.client.get(self.home + path, **options)

    def upload(
        self, content: bytes, name: str = "scan.pdf", media_type: str = "application/pdf", **options: Any
    ) -> httpx.Response:
        """Send the form as a client without pages, unless `headers` say otherwise."""
        fields = {"kind": "18842-5", "day": "03/10/2026", "title": "Giấy ra viện tháng 10"} | options.pop("fields", {})
        patient = options.pop("patient", self.patient)
        return self.client.post(
            f"{self.home}/patients/{patient}/documents/new",
            data=fields,
            files={"file": (name, content, media_type)},
            **options,
        )

    def stored(self) -> tuple[dict[str, int], list[str]]:
        """Every row and object of both hospitals."""
        rows = {
            f"{slug}.{name}": count for slug in self.house.tenants for name, count in self.house.counts(slug).items()
        }
        return rows, [name for slug in self.house.tenants for name in self.house.objects(slug)]

    def journal(self) -> list[dict[str, Any]]:
        """The hospital's audit rows, oldest first."""
        schema = self.house.tenants[self.slug].schema
        rows = self.house.sql("SELECT row FROM cell.audit_journal WHERE tenant = %s ORDER BY 1", schema)
        rows += self.house.sql(f"SELECT row FROM {schema}.audit_events")
        return sorted((json.loads(row[0]) for row in rows), key=lambda row: str(row["at"]))


def patient_of(client: httpx.Client, name: str = "Nguyễn Thị Hoa") -> str:
    """A made-up patient."""
    words = name.split()
    resource = {
        "resourceType": "Patient",
        "name": [{"text": name, "family": words[0], "given": words[1:]}],
        "gender": "female",
        "birthDate": "1957-05-03",
    }
    answer = client.post("/Patient", json=resource, headers={"Content-Type": "application/fhir+json"})
    assert answer.status_code == 201, answer.text
    made: str = answer.json()["id"]
    return made
