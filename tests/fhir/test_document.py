"""`Composition/$document` (composition-operation-document.html, documents.html)."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from emr.definitions.validate import validate
from tests.fhir.samples import FHIR, Json, made, mark, observation, patient, put, refusal
from tests.house import HOA_SEN, House


@dataclass
class Letter:
    """A Composition about a patient, and the resources that belong into its document."""

    composition: str
    patient: str
    stranger: str
    observation: str
    entries: set[str]


@pytest.fixture(scope="module")
def client(live: House) -> Iterator[httpx.Client]:
    with live.client() as made_client:
        yield made_client


def composition(subject: str, author: str, *entries: str, **more: Any) -> Json:
    return {
        "resourceType": "Composition",
        "status": "final",
        "type": {"text": "Giấy ra viện"},
        "subject": {"reference": f"Patient/{subject}"},
        "date": "2026-11-22",
        "author": [{"reference": author}],
        "title": "Giấy ra viện",
        "section": [{"title": "Kết quả", "entry": [{"reference": each} for each in entries]}],
    } | more


@pytest.fixture(scope="module")
def letter(client: httpx.Client) -> Letter:
    organization = made(client, {"resourceType": "Organization", "name": mark()})["id"]
    practitioner = made(client, {"resourceType": "Practitioner", "name": [{"family": mark()}]})["id"]
    role = made(
        client,
        {
            "resourceType": "PractitionerRole",
            "practitioner": {"reference": f"Practitioner/{practitioner}"},
            "organization": {"reference": f"Organization/{organization}"},
        },
    )["id"]
    stranger = made(client, patient())["id"]
    own = made(client, patient(link=[{"other": {"reference": f"Patient/{stranger}"}, "type": "seealso"}]))["id"]
    fact = made(client, observation(own, performer=[{"reference": f"PractitionerRole/{role}"}]))["id"]
    made(client, observation(own))
    written = made(client, composition(own, f"Practitioner/{practitioner}", f"Observation/{fact}"))["id"]
    return Letter(written, own, stranger, fact, {written, own, fact, role, practitioner, organization})


def shown(bundle: Json) -> list[str]:
    return [each["resource"]["id"] for each in bundle["entry"]]


def persisted(client: httpx.Client, address: str, **headers: str) -> httpx.Response:
    body = {"resourceType": "Parameters", "parameter": [{"name": "persist", "valueBoolean": True}]}
    return client.post(address, content=json.dumps(body), headers=FHIR | headers)


class TestWhoMay:
    def test_a_role_that_sees_no_compositions_is_refused(self, live: House, letter: Letter) -> None:
        with live.client("reception") as reception:
            answer = reception.get(f"/Composition/{letter.composition}/$document")
        assert refusal(answer)[:2] == (403, "role-may-not-see")

    def test_another_hospital_has_none_of_it(self, neighbour: httpx.Client, letter: Letter) -> None:
        assert refusal(neighbour.get(f"/Composition/{letter.composition}/$document"))[:2] == (404, "not-found")

    def test_a_role_that_may_not_store_bundles_gets_no_stored_one(self, live: House, letter: Letter) -> None:
        with live.client("pharmacist") as pharmacist:
            answer = persisted(pharmacist, f"/Composition/{letter.composition}/$document")
        assert refusal(answer)[:2] == (403, "role-may-not-change")


class TestDocument:
    def test_the_composition_first_and_all_that_it_needs_each_once(self, client: httpx.Client, letter: Letter) -> None:
        bundle = client.get(f"/Composition/{letter.composition}/$document").json()
        listed = shown(bundle)
        assert listed[0] == letter.composition
        assert len(listed) == len(set(listed))
        assert set(listed) == letter.entries

    def test_another_patient_is_no_part_of_it(self, client: httpx.Client, letter: Letter) -> None:
        assert letter.stranger not in shown(client.get(f"/Composition/{letter.composition}/$document").json())

    def test_it_is_a_valid_document(self, live: House, client: httpx.Client, letter: Letter) -> None:
        bundle = client.get(f"/Composition/{letter.composition}/$document").json()
        assert validate(bundle, expected_type="Bundle") == []
        assert bundle["type"] == "document"
        assert bundle["identifier"]["value"].startswith("urn:uuid:")
        assert bundle["timestamp"]
        assert bundle["entry"][0]["fullUrl"] == f"{live.fhir()}/Composition/{letter.composition}"

    @pytest.mark.parametrize("form", ["{}", "Composition/{}"])
    def test_at_the_type_by_id(self, client: httpx.Client, letter: Letter, form: str) -> None:
        answer = client.get("/Composition/$document", params={"id": form.format(letter.composition)})
        assert set(shown(answer.json())) == letter.entries

    def test_a_version_that_is_named_is_the_one_that_comes(self, client: httpx.Client, letter: Letter) -> None:
        fact = made(client, observation(letter.patient, status="preliminary"))
        put(client, fact | {"status": "final"})
        text = f"Observation/{fact['id']}/_history/1"
        written = made(client, composition(letter.patient, f"Patient/{letter.patient}", text))["id"]
        bundle = client.get(f"/Composition/{written}/$document").json()
        assert [each["resource"]["status"] for each in bundle["entry"] if each["resource"]["id"] == fact["id"]] == [
            "preliminary"
        ]

    def test_it_is_audited_as_the_patients(self, live: House, client: httpx.Client, letter: Letter) -> None:
        client.get(f"/Composition/{letter.composition}/$document")
        rows = live.sql(
            "SELECT row FROM cell.audit_journal WHERE row LIKE %s UNION ALL SELECT row FROM "
            f"{live.tenants[HOA_SEN].schema}.audit_events WHERE row LIKE %s",
            *(2 * [f'%"record.document"%{letter.patient}%']),
        )
        assert rows


class TestWhatIsMissing:
    def test_each_reference_that_leads_nowhere_is_named(self, client: httpx.Client, letter: Letter) -> None:
        fact = made(client, observation(letter.patient))["id"]
        written = made(
            client,
            composition(letter.patient, "http://elsewhere.example/Practitioner/1", f"Observation/{fact}"),
        )["id"]
        client.delete(f"/Observation/{fact}")
        answer = client.get(f"/Composition/{written}/$document")
        assert answer.status_code == 422
        said = {(each["diagnostics"], each["expression"][0]) for each in answer.json()["issue"]}
        assert {place for _, place in said} == {
            "Composition.author[0].reference",
            "Composition.section[0].entry[0].reference",
        }
        assert any(f"Observation/{fact}" in text for text, _ in said)

    @pytest.mark.parametrize(
        ("address", "code", "place"),
        [
            ("/Composition/$document", "parameter-required", "id"),
            ("/Composition/$document?id=http://elsewhere.example/Composition/1", "composition-elsewhere", "id"),
            ("/Composition/x/$document?graph=urn:g", "parameter-unknown", "graph"),
            ("/Composition/x/$document?id=y", "parameter-unknown", "id"),
            ("/Composition/x/$document?persist=maybe", "parameter-value", "persist"),
            ("/Composition/x/$document?persist=true", "persist-by-post", "persist"),
        ],
    )
    def test_what_is_not_understood_is_refused(self, client: httpx.Client, address: str, code: str, place: str) -> None:
        assert refusal(client.get(address)) == (400, code, place)


class TestPersist:
    def test_it_is_stored_as_it_is_answered(self, client: httpx.Client, letter: Letter) -> None:
        answer = persisted(client, f"/Composition/{letter.composition}/$document")
        assert answer.status_code == 200
        assert client.get(answer.headers["location"]).json() == answer.json()
        assert client.get(f"/Bundle/{answer.json()['id']}").text == answer.text

    def test_the_same_key_stores_it_once(self, client: httpx.Client, letter: Letter) -> None:
        address, key = f"/Composition/{letter.composition}/$document", mark()
        first = persisted(client, address, **{"Idempotency-Key": key})
        again = persisted(client, address, **{"Idempotency-Key": key})
        assert first.headers["location"] == again.headers["location"]

    def test_without_it_nothing_is_stored(self, live: House, client: httpx.Client, letter: Letter) -> None:
        before = live.counts()["resources"]
        client.post(f"/Composition/{letter.composition}/$document")
        assert live.counts()["resources"] == before
