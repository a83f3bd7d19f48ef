"""History, versions and the conditions that name them."""

import json
from email.utils import parsedate_to_datetime

import httpx
import pytest

from tests.fhir.samples import FHIR, Json, made, next_link, patient, put, refusal
from tests.house import House


def changed(client: httpx.Client, times: int) -> Json:
    """A Patient with `times` versions after its first."""
    body = made(client, patient())
    for number in range(times):
        answer = put(client, body | {"multipleBirthInteger": number})
        assert answer.status_code == 200
        body = answer.json()
    return body


def versions(bundle: Json) -> list[str]:
    return [each["response"]["etag"] for each in bundle.get("entry", ())]


class TestHistory:
    def test_nobody_and_the_wrong_role(self, live: House) -> None:
        assert httpx.get(f"{live.fhir()}/Observation/x/_history", trust_env=False).status_code == 401
        with live.client("cashier") as client:
            assert client.get("/Observation/x/_history").status_code == 403

    def test_shows_every_version_newest_first(self, live: House, doctor: httpx.Client) -> None:
        body = changed(doctor, 2)
        answer = doctor.get(f"/Patient/{body['id']}/_history").json()
        assert (answer["type"], answer["total"]) == ("history", 3)
        assert versions(answer) == ['W/"3"', 'W/"2"', 'W/"1"']
        assert [each["request"]["method"] for each in answer["entry"]] == ["PUT", "PUT", "POST"]
        assert [each["response"]["status"] for each in answer["entry"]] == ["200", "200", "201"]
        assert {each["fullUrl"] for each in answer["entry"]} == {f"{live.fhir()}/Patient/{body['id']}"}
        assert "multipleBirthInteger" not in answer["entry"][-1]["resource"]

    def test_a_deletion_stands_in_it_without_a_body(self, doctor: httpx.Client) -> None:
        body = changed(doctor, 0)
        doctor.delete(f"/Patient/{body['id']}")
        assert put(doctor, body).status_code == 201
        answer = doctor.get(f"/Patient/{body['id']}/_history").json()
        assert versions(answer) == ['W/"3"', 'W/"2"', 'W/"1"']
        assert [("resource" in each) for each in answer["entry"]] == [True, False, True]
        assert doctor.get(f"/Patient/{body['id']}/_history/2").status_code == 410
        assert doctor.get(f"/Patient/{body['id']}/_history/1").status_code == 200

    def test_pages_to_the_end(self, doctor: httpx.Client) -> None:
        body = changed(doctor, 4)
        shown: list[str] = []
        address: str | None = f"/Patient/{body['id']}/_history?_count=2"
        while address is not None and len(shown) < 20:
            answer = doctor.get(address).json()
            shown += versions(answer)
            address = next_link(answer)
        assert shown == [f'W/"{number}"' for number in (5, 4, 3, 2, 1)]

    def test_since_a_moment(self, doctor: httpx.Client) -> None:
        body = changed(doctor, 2)
        moment = doctor.get(f"/Patient/{body['id']}/_history/2").json()["meta"]["lastUpdated"]
        answer = doctor.get(f"/Patient/{body['id']}/_history?_since={moment}&_count=1").json()
        assert versions(answer) == ['W/"3"']
        answer = doctor.get(str(next_link(answer))).json()
        assert (versions(answer), next_link(answer)) == (['W/"2"'], None)

    @pytest.mark.parametrize("query", ["_since=yesterday", "_count=-1", "_count=x", "_at=last", "_sort=_id", "foo=1"])
    def test_what_it_does_not_understand_is_refused(self, doctor: httpx.Client, query: str) -> None:
        body = changed(doctor, 0)
        assert doctor.get(f"/Patient/{body['id']}/_history?{query}").status_code == 400

    def test_of_what_never_was(self, doctor: httpx.Client) -> None:
        assert doctor.get("/Patient/nobody/_history").status_code == 404


class TestVersion:
    @pytest.mark.parametrize("version", ["0", "2", "99999999999", "x", "-1", "%00", "१"])
    def test_one_that_never_was(self, doctor: httpx.Client, version: str) -> None:
        body = changed(doctor, 0)
        assert doctor.get(f"/Patient/{body['id']}/_history/{version}").status_code == 404

    def test_is_answered_as_it_was(self, doctor: httpx.Client) -> None:
        body = made(doctor, patient())
        first = doctor.get(f"/Patient/{body['id']}").content
        put(doctor, body | {"active": True})
        answer = doctor.get(f"/Patient/{body['id']}/_history/1")
        assert (answer.content, answer.headers["etag"]) == (first, 'W/"1"')


class TestConditions:
    @pytest.mark.parametrize("tags", ['W/"1"', '"1"', 'W/"7", W/"1"', "*"])
    def test_a_known_version_is_not_sent_again(self, doctor: httpx.Client, tags: str) -> None:
        body = made(doctor, patient())
        answer = doctor.get(f"/Patient/{body['id']}", headers={"If-None-Match": tags})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", 'W/"1"')

    def test_another_version_is_sent(self, doctor: httpx.Client) -> None:
        body = made(doctor, patient())
        assert doctor.get(f"/Patient/{body['id']}", headers={"If-None-Match": 'W/"2"'}).status_code == 200

    def test_last_modified_is_the_resources_own_moment(self, doctor: httpx.Client) -> None:
        answer = doctor.get(f"/Patient/{made(doctor, patient())['id']}")
        stored = answer.json()["meta"]["lastUpdated"]
        assert parsedate_to_datetime(answer.headers["last-modified"]).isoformat()[:19] == stored[:19]

    @pytest.mark.parametrize("tag", ["1", "W/1", "1; drop", '"x"', 'W/"1", W/"2"', "*"])
    def test_an_if_match_of_another_form_is_refused(self, doctor: httpx.Client, tag: str) -> None:
        body = made(doctor, patient())
        assert refusal(put(doctor, body, **{"If-Match": tag}))[:2] == (400, "etag-form")
        assert doctor.get(f"/Patient/{body['id']}").json()["meta"]["versionId"] == "1"

    def test_a_delete_demands_the_version_it_names(self, doctor: httpx.Client) -> None:
        body = changed(doctor, 1)
        address = f"/Patient/{body['id']}"
        assert doctor.delete(address, headers={"If-Match": 'W/"1"'}).status_code == 412
        assert doctor.delete(address, headers={"If-Match": 'W/"2"'}).status_code == 204

    def test_an_update_of_what_is_not_there_with_a_version(self, doctor: httpx.Client) -> None:
        answer = put(doctor, patient(id="never-was"), **{"If-Match": 'W/"1"'})
        assert refusal(answer)[:2] == (412, "version-moved")
        assert doctor.get("/Patient/never-was").status_code == 404

    def test_deleting_twice_or_nothing_is_no_error(self, doctor: httpx.Client) -> None:
        body = made(doctor, patient())
        assert [doctor.delete(f"/Patient/{each}").status_code for each in (body["id"], body["id"], "nobody")] == [
            204
        ] * 3


class TestMeta:
    def test_what_only_the_server_may_say_is_dropped(self, doctor: httpx.Client) -> None:
        forged = {
            "versionId": "99",
            "lastUpdated": "1999-01-01T00:00:00Z",
            "profile": ["http://example.org/own"],
            "tag": [{"system": "urn:emr:tenant", "code": "x"}, {"system": "urn:own", "code": "kept"}],
        }
        body = made(doctor, patient(meta=forged, id="forged"))
        assert body["id"] != "forged"
        assert body["meta"]["versionId"] == "1"
        assert body["meta"]["lastUpdated"] > "2026"
        assert body["meta"]["tag"] == [{"system": "urn:own", "code": "kept"}]
        assert body["meta"]["profile"] == ["http://example.org/own"]

    def test_a_body_comes_back_as_it_was_sent(self, doctor: httpx.Client) -> None:
        value = '{"value" : 1.10 , "unit":"mg\\/dL"}'
        text = (
            '{"status":"final",  "resourceType":"Observation","code":{"text":"Đường huyết \\u0111ói"},'
            f'"valueQuantity":{value},"component":[]'.removesuffix(',"component":[]')
            + "}"
        )
        answer = doctor.post("/Observation", content=text.encode(), headers=FHIR)
        assert answer.status_code == 201
        stored = doctor.get(f"/Observation/{answer.json()['id']}").text
        assert f'"valueQuantity":{value}' in stored
        assert "\\u0111ói" in stored
        assert json.loads(stored)["code"]["text"] == "Đường huyết đói"
