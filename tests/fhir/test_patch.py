"""Patches over HTTP (FHIR R4, http.html#patch)."""

import json
from typing import Any

import httpx
import pytest

from tests.fhir.samples import FHIR, Json, identifier, made, mark, observation, patient, refusal
from tests.fhir.test_races import at_once, statuses
from tests.house import House

JSON_PATCH = {"Content-Type": "application/json-patch+json"}


def patch(client: httpx.Client, address: str, *operations: Json, **headers: str) -> httpx.Response:
    return client.patch(f"/{address}", content=json.dumps(operations), headers=JSON_PATCH | headers)


def path_patch(client: httpx.Client, address: str, *operations: Json, **headers: str) -> httpx.Response:
    body = {"resourceType": "Parameters", "parameter": [operation(**each) for each in operations]}
    return client.patch(f"/{address}", content=json.dumps(body), headers=FHIR | headers)


def operation(**parts: Any) -> Json:
    kinds = {"type": "valueCode", "path": "valueString", "name": "valueString"}
    value = parts.pop("value", None)
    said: list[Json] = [{"name": name, kinds.get(name, "valueInteger"): each} for name, each in parts.items()]
    return {"name": "operation", "part": [*said, *([{"name": "value", **value}] if value else [])]}


def active(value: bool = True) -> Json:  # noqa: FBT001, FBT002 - it is the value of a flag
    return {"op": "add", "path": "/active", "value": value}


class TestWhoMay:
    def test_a_role_that_may_not_change_it(self, live: House, doctor: httpx.Client) -> None:
        person = made(doctor, patient())["id"]
        note = made(doctor, observation(person))["id"]
        with live.client("cashier") as client:
            assert patch(client, f"Observation/{note}", active()).status_code == 403

    def test_another_hospital_finds_nothing(self, doctor: httpx.Client, neighbour: httpx.Client) -> None:
        person = made(doctor, patient())["id"]
        assert patch(neighbour, f"Patient/{person}", active()).status_code == 404


class TestJsonPatch:
    def test_makes_the_next_version(self, live: House, doctor: httpx.Client) -> None:
        person = made(doctor, patient())
        answer = patch(doctor, f"Patient/{person['id']}", active(), {"op": "remove", "path": "/name/0/given"})
        assert answer.status_code == 200
        assert (answer.headers["etag"], answer.json()["active"]) == ('W/"2"', True)
        assert answer.headers["location"] == f"{live.fhir()}/Patient/{person['id']}/_history/2"
        assert doctor.get(f"/Patient/{person['id']}").json() == answer.json()
        assert "given" not in answer.json()["name"][0]
        minimal = patch(doctor, f"Patient/{person['id']}", active(False), Prefer="return=minimal")
        assert (minimal.status_code, minimal.content, minimal.headers["etag"]) == (200, b"", 'W/"3"')

    def test_decimals_stay_as_written(self, doctor: httpx.Client) -> None:
        person = made(doctor, patient())["id"]
        body = json.dumps(observation(person, valueQuantity={"value": 0})).replace('"value": 0', '"value": 1.500e-2')
        note = doctor.post("/Observation", content=body, headers=FHIR).json()["id"]
        raw = '[{"op":"add","path":"/referenceRange","value":[{"low":{"value":0.10}}]},{"op":"copy","from":"/valueQuantity","path":"/referenceRange/0/high"}]'
        answer = doctor.patch(f"/Observation/{note}", content=raw, headers=JSON_PATCH)
        assert answer.status_code == 200, answer.text
        assert answer.content.count(b"1.500e-2") == 2
        assert b'"low":{"value":0.10}' in answer.content

    def test_with_the_version_that_must_be_current(self, doctor: httpx.Client) -> None:
        person = made(doctor, patient())["id"]
        assert patch(doctor, f"Patient/{person}", active(), **{"If-Match": 'W/"1"'}).status_code == 200
        late = patch(doctor, f"Patient/{person}", active(False), **{"If-Match": 'W/"1"'})
        assert refusal(late)[:2] == (412, "version-moved")

    def test_of_those_who_saw_one_version_one_wins(self, live: House, doctor: httpx.Client) -> None:
        person = made(doctor, patient())["id"]
        answers = at_once(
            live, lambda client, _: patch(client, f"Patient/{person}", active(), **{"If-Match": 'W/"1"'}), 8
        )
        assert statuses(answers) == [200] + [412] * 7

    def test_without_a_version_each_adds_to_the_others(self, live: House, doctor: httpx.Client) -> None:
        person = made(doctor, patient())["id"]

        def add(client: httpx.Client, number: int) -> httpx.Response:
            return patch(client, f"Patient/{person}", {"op": "add", "path": "/name/0/given/-", "value": f"N{number}"})

        assert statuses(at_once(live, add, 8)) == [200] * 8
        given = doctor.get(f"/Patient/{person}").json()["name"][0]["given"]
        assert sorted(given) == sorted(["Văn", "An", *(f"N{number}" for number in range(8))])

    @pytest.mark.parametrize(
        ("operations", "said"),
        [
            ([{"op": "test", "path": "/gender", "value": "female"}], (422, "patch-test-failed", "patch[0]")),
            ([active(), {"op": "remove", "path": "/photo"}], (422, "patch-path", "patch[1]")),
            ([{"op": "replace", "path": "/name/7", "value": {}}], (422, "patch-path", "patch[0]")),
            ([{"op": "add", "path": "/foo", "value": 1}], (422, "unknown-element", "Patient.foo")),
            ([{"op": "add", "path": "/gender", "value": "boy"}], (422, "code", "Patient.gender")),
            ([{"op": "replace", "path": "/id", "value": "x"}], (422, "patch-identity", None)),
            ([{"op": "replace", "path": "/resourceType", "value": "Person"}], (422, "patch-identity", None)),
            ([{"op": "replace", "path": "/meta/versionId", "value": "9"}], (422, "patch-identity", None)),
            ([{"op": "remove", "path": "/meta"}], (422, "patch-identity", None)),
            ([{"op": "replace", "path": "", "value": []}], (422, "patch-path", "patch[0]")),
            ([{"op": "add", "path": "active", "value": True}], (422, "patch-path", "patch[0]")),
            ([{"op": "add", "path": "/active"}], (400, "patch-form", "patch[0]")),
            ([{"op": "append", "path": "/name"}], (400, "patch-form", "patch[0]")),
            ([{"op": "copy", "path": "/name"}], (400, "patch-form", "patch[0]")),
            ([7], (400, "patch-form", "patch[0]")),
            ([{"op": {}, "path": "/active"}], (400, "patch-form", "patch[0]")),
            ([{"op": "add", "path": ["/active"], "value": True}], (400, "patch-form", "patch[0]")),
            ([{"op": "move", "path": "/active", "from": {}}], (400, "patch-form", "patch[0]")),
            (
                [{"op": "add", "path": "/generalPractitioner", "value": [{"reference": "Practitioner/no"}]}],
                (422, "reference-broken", "Patient.generalPractitioner[0].reference"),
            ),
        ],
    )
    def test_what_cannot_be_done_changes_nothing(
        self, live: House, doctor: httpx.Client, operations: list[Json], said: tuple[int, str, str | None]
    ) -> None:
        person = made(doctor, patient())
        before = live.counts()
        assert refusal(patch(doctor, f"Patient/{person['id']}", *operations)) == said
        assert live.counts() == before
        assert doctor.get(f"/Patient/{person['id']}").json() == person

    @pytest.mark.parametrize("body", ['{"op":"add"}', "[", '[],"x":[]', "", "null", '[{"op":"add","op":"test"}]'])
    def test_what_is_no_patch_is_refused(self, doctor: httpx.Client, body: str) -> None:
        person = made(doctor, patient())["id"]
        assert doctor.patch(f"/Patient/{person}", content=body, headers=JSON_PATCH).status_code == 400

    def test_copies_that_double_are_stopped(self, doctor: httpx.Client) -> None:
        person = made(doctor, patient())["id"]
        grow = [{"op": "copy", "from": "/name", "path": "/name/-"}] * 60
        assert refusal(patch(doctor, f"Patient/{person}", *grow))[:2] == (413, "patch-copies")

    @pytest.mark.parametrize("kind", ["application/merge-patch+json", "application/xml", "text/plain", ""])
    def test_another_media_type_is_refused(self, doctor: httpx.Client, kind: str) -> None:
        person = made(doctor, patient())["id"]
        assert doctor.patch(f"/Patient/{person}", content="[]", headers={"Content-Type": kind}).status_code == 415

    def test_of_what_is_not_there_or_gone(self, doctor: httpx.Client) -> None:
        assert patch(doctor, f"Patient/{mark()}", active()).status_code == 404
        person = made(doctor, patient())["id"]
        doctor.delete(f"/Patient/{person}")
        assert patch(doctor, f"Patient/{person}", active()).status_code == 410


class TestPathPatch:
    def test_makes_the_next_version(self, doctor: httpx.Client) -> None:
        person = made(doctor, patient())["id"]
        answer = path_patch(
            doctor, f"Patient/{person}",
            {"type": "add", "path": "Patient", "name": "birthDate", "value": {"valueDate": "1990-01-01"}},
            {"type": "replace", "path": "Patient.gender", "value": {"valueCode": "female"}},
            {"type": "insert", "path": "Patient.name[0].given", "index": 1, "value": {"valueString": "Thị"}},
            {"type": "move", "path": "Patient.name[0].given", "source": 2, "destination": 0},
            {"type": "delete", "path": "Patient.name.family"},
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert (body["birthDate"], body["gender"], body["name"]) == (
            "1990-01-01", "female", [{"given": ["An", "Văn", "Thị"]}],
        )  # fmt: skip
        assert answer.headers["etag"] == 'W/"2"'

    def test_a_path_that_is_not_understood_is_named(self, doctor: httpx.Client) -> None:
        person = made(doctor, patient())["id"]
        answer = path_patch(doctor, f"Patient/{person}", {"type": "delete", "path": "Patient.name.exists()"})
        assert refusal(answer) == (400, "patch-path", "Parameters.parameter[0]")
        assert "exists()" in answer.json()["issue"][0]["diagnostics"]

    def test_a_result_that_is_not_valid_is_refused(self, doctor: httpx.Client) -> None:
        person = made(doctor, patient())["id"]
        wrong = {"type": "replace", "path": "Patient.gender", "value": {"valueString": "boy"}}
        assert refusal(path_patch(doctor, f"Patient/{person}", wrong)) == (422, "code", "Patient.gender")


class TestByCriteria:
    def test_none_one_several(self, doctor: httpx.Client) -> None:
        one = mark()
        address = f"Patient?identifier={one}"
        assert patch(doctor, address, active()).status_code == 404
        person = made(doctor, patient(identifier=identifier(one)))["id"]
        answer = patch(doctor, address, active(), **{"If-Match": 'W/"1"'})
        assert (answer.status_code, answer.json()["id"], answer.json()["active"]) == (200, person, True)
        assert patch(doctor, address, active(), **{"If-Match": 'W/"1"'}).status_code == 412
        made(doctor, patient(identifier=identifier(one)))
        assert refusal(patch(doctor, address, active())) == (412, "multiple-matches", "url")

    def test_by_path(self, doctor: httpx.Client) -> None:
        one = mark()
        made(doctor, patient(identifier=identifier(one)))
        remove = {"type": "delete", "path": "Patient.gender"}
        assert "gender" not in path_patch(doctor, f"Patient?identifier={one}", remove).json()
