"""`$meta`, `$meta-add`, `$meta-delete` (resource-operation-meta.html)."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.fhir.samples import FHIR, Json, made, mark, patient, refusal
from tests.house import House


@pytest.fixture(scope="module")
def client(live: House) -> Iterator[httpx.Client]:
    with live.client() as made_client:
        yield made_client


def sent(**meta: Any) -> str:
    return json.dumps({"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": meta}]})


def change(client: httpx.Client, what: str, resource_id: str, **meta: Any) -> httpx.Response:
    return client.post(f"/Patient/{resource_id}/$meta-{what}", content=sent(**meta), headers=FHIR)


def returned(answer: httpx.Response) -> Json:
    assert answer.status_code == 200, answer.text
    [parameter] = answer.json()["parameter"]
    assert parameter["name"] == "return"
    found: Json = parameter["valueMeta"]
    return found


def tag(code: str, **more: str) -> Json:
    return {"system": "urn:tags", "code": code} | more


class TestOfAVersion:
    def test_the_current_one(self, client: httpx.Client) -> None:
        own = made(client, patient(meta={"tag": [tag("a")], "profile": ["urn:p"]}))
        found = returned(client.get(f"/Patient/{own['id']}/$meta"))
        assert found == own["meta"]

    def test_an_earlier_one(self, client: httpx.Client) -> None:
        own = made(client, patient(meta={"tag": [tag("a")]}))["id"]
        change(client, "add", own, tag=[tag("b")])
        assert returned(client.get(f"/Patient/{own}/_history/1/$meta"))["tag"] == [tag("a")]

    def test_one_that_is_not_here(self, client: httpx.Client) -> None:
        assert refusal(client.get("/Patient/none/$meta"))[:2] == (404, "not-found")

    def test_it_takes_no_input(self, client: httpx.Client) -> None:
        assert refusal(client.get("/Patient/$meta?mode=x")) == (400, "parameter-unknown", "mode")

    def test_a_role_without_sight_is_refused(self, live: House) -> None:
        with live.client("cashier") as cashier:
            assert refusal(cashier.get("/Observation/$meta"))[:2] == (403, "role-may-not-see")


class TestInUse:
    def test_at_a_type_each_once(self, client: httpx.Client) -> None:
        one, other = mark(), mark()
        made(client, patient(meta={"tag": [tag(one)], "security": [tag(other)], "profile": [f"urn:{one}"]}))
        made(client, patient(meta={"tag": [tag(one, display="again")]}))
        made(client, {"resourceType": "Organization", "name": "x", "meta": {"tag": [tag(f"{one}-o")]}})
        found = returned(client.get("/Patient/$meta"))
        assert [each["code"] for each in found["tag"]].count(one) == 1
        assert tag(other) in found["security"]
        assert f"urn:{one}" in found["profile"]
        assert tag(f"{one}-o") not in found["tag"]

    def test_in_the_hospital(self, client: httpx.Client) -> None:
        one = mark()
        made(client, {"resourceType": "Organization", "name": "x", "meta": {"tag": [tag(one)]}})
        assert tag(one) in returned(client.get("/$meta"))["tag"]

    def test_what_a_role_does_not_see_is_not_counted(self, live: House, client: httpx.Client) -> None:
        one = mark()
        made(client, {"resourceType": "Medication", "status": "active", "meta": {"tag": [tag(one)]}})
        with live.client("reception") as reception:
            assert tag(one) not in returned(reception.get("/$meta")).get("tag", [])

    def test_the_neighbours_are_not_told(self, client: httpx.Client, neighbour: httpx.Client) -> None:
        one = mark()
        made(client, patient(meta={"tag": [tag(one)]}))
        assert tag(one) not in returned(neighbour.get("/$meta")).get("tag", [])

    def test_what_is_no_more_in_use_is_left_out(self, client: httpx.Client) -> None:
        one = mark()
        own = made(client, patient(meta={"tag": [tag(one)]}))["id"]
        change(client, "delete", own, tag=[tag(one)])
        assert tag(one) not in returned(client.get("/Patient/$meta")).get("tag", [])


class TestAdd:
    def test_a_reader_may_not(self, live: House, client: httpx.Client) -> None:
        own = made(client, patient())["id"]
        with live.client("lab") as lab:
            assert refusal(change(lab, "add", own, tag=[tag("a")]))[:2] == (403, "role-may-not-change")

    def test_what_is_new_is_added_and_nothing_else_changes(self, client: httpx.Client) -> None:
        own = made(client, patient(meta={"tag": [tag("a", display="kept")], "source": "urn:s"}))
        found = returned(
            change(client, "add", own["id"], tag=[tag("a", display="other"), tag("b")], security=[tag("R")])
        )
        assert found["tag"] == [tag("a", display="kept"), tag("b")]
        assert found["security"] == [tag("R")]
        now = client.get(f"/Patient/{own['id']}").json()
        assert now["meta"] == found
        assert {**now, "meta": None} == {**own, "meta": None}

    def test_it_makes_a_version_that_history_and_search_know(self, client: httpx.Client) -> None:
        one = mark()
        own = made(client, patient())["id"]
        answer = change(client, "add", own, tag=[tag(one)])
        assert answer.headers["etag"] == 'W/"2"'
        assert client.get(f"/Patient/{own}/_history").json()["total"] == 2
        assert "tag" not in client.get(f"/Patient/{own}/_history/1").json()["meta"]
        found = client.get(f"/Patient?_tag=urn:tags|{one}").json()
        assert [each["resource"]["id"] for each in found["entry"]] == [own]

    def test_what_is_there_already_makes_no_version(self, client: httpx.Client) -> None:
        own = made(client, patient(meta={"profile": ["urn:p"]}))["id"]
        assert returned(change(client, "add", own, profile=["urn:p"]))["versionId"] == "1"

    def test_the_rest_of_the_body_stays_as_it_came(self, client: httpx.Client) -> None:
        text = '{"resourceType":"Patient", "active" : true,  "multipleBirthInteger": 2 }'
        own = client.post("/Patient", content=text, headers=FHIR).json()["id"]
        change(client, "add", own, tag=[tag("a")])
        assert '"active" : true,  "multipleBirthInteger": 2' in client.get(f"/Patient/{own}").text

    def test_a_version_that_has_moved_on_is_refused(self, client: httpx.Client) -> None:
        own = made(client, patient())["id"]
        answer = client.post(
            f"/Patient/{own}/$meta-add", content=sent(tag=[tag("a")]), headers=FHIR | {"If-Match": 'W/"7"'}
        )
        assert refusal(answer)[:2] == (412, "version-moved")

    def test_the_same_key_does_it_once(self, client: httpx.Client) -> None:
        own = made(client, patient())["id"]
        address, headers = f"/Patient/{own}/$meta-add", FHIR | {"Idempotency-Key": mark()}
        first = client.post(address, content=sent(tag=[tag("a")]), headers=headers)
        again = client.post(address, content=sent(tag=[tag("a")]), headers=headers)
        assert first.text == again.text

    def test_it_is_not_called_by_get(self, client: httpx.Client) -> None:
        own = made(client, patient())["id"]
        assert refusal(client.get(f"/Patient/{own}/$meta-add"))[:2] == (400, "operation-method")

    @pytest.mark.parametrize(
        ("body", "code", "place"),
        [
            ({"resourceType": "Parameters"}, "parameter-required", "meta"),
            (
                {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueString": "x"}]},
                "parameter-type",
                "meta",
            ),
        ],
    )
    def test_what_is_not_understood_is_refused(self, client: httpx.Client, body: Json, code: str, place: str) -> None:
        own = made(client, patient())["id"]
        answer = client.post(f"/Patient/{own}/$meta-add", content=json.dumps(body), headers=FHIR)
        assert refusal(answer) == (400, code, place)

    def test_one_that_is_gone(self, client: httpx.Client) -> None:
        own = made(client, patient())["id"]
        client.delete(f"/Patient/{own}")
        assert refusal(change(client, "add", own, tag=[tag("a")]))[:2] == (410, "deleted")


class TestDelete:
    def test_system_and_code_are_compared_and_nothing_else(self, client: httpx.Client) -> None:
        own = made(client, patient(meta={"tag": [tag("a", display="x"), tag("b")], "profile": ["urn:p", "urn:q"]}))[
            "id"
        ]
        found = returned(change(client, "delete", own, tag=[tag("a", display="y")], profile=["urn:p", "urn:z"]))
        assert found["tag"] == [tag("b")]
        assert found["profile"] == ["urn:q"]
        assert found["versionId"] == "2"

    def test_what_is_not_there_is_no_error_and_no_version(self, client: httpx.Client) -> None:
        own = made(client, patient())["id"]
        assert returned(change(client, "delete", own, tag=[tag("a")]))["versionId"] == "1"
