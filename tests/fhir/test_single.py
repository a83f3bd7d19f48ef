"""One resource over HTTP, from create to delete."""

import json

import httpx

from tests.house import House

FHIR = {"Content-Type": "application/fhir+json"}


def patient(**more: object) -> dict[str, object]:
    return {"resourceType": "Patient", "name": [{"family": "Nguyễn", "given": ["Văn", "An"]}], "gender": "male"} | more


def made(client: httpx.Client, **more: object) -> httpx.Response:
    answer = client.post("/Patient", content=json.dumps(patient(**more)), headers=FHIR)
    assert answer.status_code == 201, answer.text
    return answer


class TestWhoMay:
    def test_nobody_without_a_token(self, live: House) -> None:
        answer = httpx.get(f"{live.fhir()}/Patient/x", trust_env=False)
        assert answer.status_code == 401
        assert answer.json()["resourceType"] == "OperationOutcome"

    def test_a_role_without_sight_is_refused(self, live: House) -> None:
        with live.client("admin") as client:
            assert client.get("/Observation/x").status_code == 403

    def test_a_member_of_another_hospital_is_refused(self, live: House, doctor: httpx.Client) -> None:
        resource_id = made(doctor).json()["id"]
        answer = httpx.get(
            f"{live.fhir('cau-vong')}/Patient/{resource_id}",
            headers={"Authorization": f"Bearer {live.token()}"},
            trust_env=False,
        )
        assert answer.status_code == 403

    def test_a_neighbours_patient_is_a_random_id(self, doctor: httpx.Client, neighbour: httpx.Client) -> None:
        resource_id = made(doctor).json()["id"]
        theirs, random = neighbour.get(f"/Patient/{resource_id}"), neighbour.get("/Patient/no-such-one")
        assert theirs.status_code == random.status_code == 404
        assert theirs.content == random.content


class TestCreate:
    def test_gives_an_id_a_version_and_a_location(self, live: House, doctor: httpx.Client) -> None:
        answer = made(doctor)
        body = answer.json()
        assert answer.headers["location"] == f"{live.fhir()}/Patient/{body['id']}/_history/1"
        assert answer.headers["etag"] == 'W/"1"'
        assert body["meta"]["versionId"] == "1"

    def test_keeps_decimals_and_spaces_as_sent(self, doctor: httpx.Client) -> None:
        text = '{"resourceType":"Patient", "gender" :  "male","multipleBirthInteger":2}'
        answer = doctor.post("/Patient", content=text, headers=FHIR)
        assert '"gender" :  "male"' in doctor.get(f"/Patient/{answer.json()['id']}").text

    def test_names_the_element_that_is_unknown(self, doctor: httpx.Client) -> None:
        answer = doctor.post("/Patient", content=json.dumps(patient(foo=1)), headers=FHIR)
        assert answer.status_code == 422
        assert answer.json()["issue"][0]["expression"] == ["Patient.foo"]

    def test_a_reference_to_nothing_is_refused(self, doctor: httpx.Client) -> None:
        broken = {
            "resourceType": "Observation", "status": "final", "code": {"text": "x"},
            "subject": {"reference": "Patient/nobody"},
        }  # fmt: skip
        assert doctor.post("/Observation", content=json.dumps(broken), headers=FHIR).status_code == 422

    def test_if_none_exist_finds_what_is_there(self, doctor: httpx.Client) -> None:
        identifier = {"system": "urn:test", "value": "only-one"}
        condition = FHIR | {"If-None-Exist": "identifier=urn:test|only-one"}
        first = doctor.post("/Patient", content=json.dumps(patient(identifier=[identifier])), headers=condition)
        second = doctor.post("/Patient", content=json.dumps(patient(identifier=[identifier])), headers=condition)
        assert (first.status_code, second.status_code) == (201, 200)
        assert first.json()["id"] == second.json()["id"]

    def test_an_idempotency_key_makes_one(self, doctor: httpx.Client) -> None:
        headers, body = FHIR | {"Idempotency-Key": "k1"}, json.dumps(patient())
        first, second = (doctor.post("/Patient", content=body, headers=headers) for _ in range(2))
        assert first.content == second.content
        assert first.headers["location"] == second.headers["location"]

    def test_an_idempotency_key_with_another_body_is_refused(self, doctor: httpx.Client) -> None:
        headers = FHIR | {"Idempotency-Key": "k2"}
        doctor.post("/Patient", content=json.dumps(patient()), headers=headers)
        assert doctor.post("/Patient", content=json.dumps(patient(active=True)), headers=headers).status_code == 422


class TestUpdate:
    def test_stores_the_next_version_and_keeps_the_last(self, doctor: httpx.Client) -> None:
        body = made(doctor).json()
        answer = doctor.put(f"/Patient/{body['id']}", content=json.dumps(body | {"gender": "female"}), headers=FHIR)
        assert (answer.status_code, answer.headers["etag"]) == (200, 'W/"2"')
        assert doctor.get(f"/Patient/{body['id']}/_history/1").json()["gender"] == "male"
        assert doctor.get(f"/Patient/{body['id']}").json()["gender"] == "female"

    def test_an_old_version_in_if_match_is_refused(self, doctor: httpx.Client) -> None:
        body = made(doctor).json()
        headers = FHIR | {"If-Match": 'W/"1"'}
        assert doctor.put(f"/Patient/{body['id']}", content=json.dumps(body), headers=headers).status_code == 200
        assert doctor.put(f"/Patient/{body['id']}", content=json.dumps(body), headers=headers).status_code == 412

    def test_makes_one_under_the_clients_id(self, doctor: httpx.Client) -> None:
        answer = doctor.put("/Patient/our-own-id", content=json.dumps(patient(id="our-own-id")), headers=FHIR)
        assert answer.status_code == 201

    def test_another_id_in_the_body_is_refused(self, doctor: httpx.Client) -> None:
        answer = doctor.put("/Patient/abc", content=json.dumps(patient(id="xyz")), headers=FHIR)
        assert answer.status_code == 400


class TestDelete:
    def test_leaves_a_tombstone_and_the_history(self, doctor: httpx.Client) -> None:
        resource_id = made(doctor).json()["id"]
        assert doctor.delete(f"/Patient/{resource_id}").status_code == 204
        assert doctor.get(f"/Patient/{resource_id}").status_code == 410
        history = doctor.get(f"/Patient/{resource_id}/_history").json()
        assert [entry["request"]["method"] for entry in history["entry"]] == ["DELETE", "POST"]
        assert history["total"] == 2

    def test_goes_on_with_the_versions_after_it(self, doctor: httpx.Client) -> None:
        body = made(doctor).json()
        doctor.delete(f"/Patient/{body['id']}")
        answer = doctor.put(f"/Patient/{body['id']}", content=json.dumps(body), headers=FHIR)
        assert (answer.status_code, answer.headers["etag"]) == (201, 'W/"3"')

    def test_a_patient_with_data_stays(self, doctor: httpx.Client) -> None:
        resource_id = made(doctor).json()["id"]
        note = {
            "resourceType": "Observation", "status": "final", "code": {"text": "x"},
            "subject": {"reference": f"Patient/{resource_id}"},
        }  # fmt: skip
        assert doctor.post("/Observation", content=json.dumps(note), headers=FHIR).status_code == 201
        assert doctor.delete(f"/Patient/{resource_id}").status_code == 409
