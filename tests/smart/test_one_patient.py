"""A token for one patient shows nothing of another, by whatever interaction (scopes-and-launch-context.html#patient)."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.fhir.samples import FHIR, bundle, entry, identifier, made, mark, observation, patient, post, put
from tests.house import HOA_SEN, House
from tests.smart.apps import Registered, registered, with_token
from tests.smart.person import BACK, Person, redeem


@dataclass
class World:
    """Two patients with the same things; whatever is the other's bears the canary in its id, text or number."""

    child: str
    other: str
    reading: str
    theirs: str
    group: str
    binary: str
    canary: str


@pytest.fixture(scope="module")
def world(live: House) -> World:
    canary = mark()
    with live.client() as client:
        child = made(client, patient())["id"]
        named = {"identifier": identifier(canary), "name": [{"text": canary}]}
        other = made(client, patient(**named))["id"]
        reading = made(client, observation(child))["id"]
        theirs = made(client, observation(other, note=[{"text": canary}]))["id"]
        put(client, client.get(f"/Observation/{theirs}").json() | {"status": "amended"})
        made(client, {"resourceType": "Flag", "status": "active", "code": {"text": canary},
                      "subject": {"reference": f"Patient/{other}"}})  # fmt: skip
        members = [{"entity": {"reference": f"Patient/{each}"}} for each in (child, other)]
        group = made(client, {"resourceType": "Group", "type": "person", "actual": True, "member": members,
                              "name": canary})["id"]  # fmt: skip
        hidden = {"resourceType": "Binary", "contentType": "text/plain", "data": "Y2FuYXJ5",
                  "securityContext": {"reference": f"Patient/{other}"}}  # fmt: skip
        binary = made(client, hidden)["id"]
    return World(child, other, reading, theirs, group, binary, canary)


@pytest.fixture(scope="module")
def app(live: House) -> Registered:
    scopes = ["launch/patient", "patient/*.cruds", "user/*.cruds"]
    return registered(live, name="B", kind="public", scopes=scopes, redirect_uris=[BACK])


def token(live: House, app: Registered, scope: str, child: str) -> str:
    doctor = Person(live, f"doctor@{HOA_SEN}")
    doctor.sign_in()
    page = doctor.chooses(doctor.asks(app, scope), child)
    return str(redeem(live, app, doctor.allows(page)).json()["access_token"])


@pytest.fixture(scope="module", params=["patient/*.cruds", "launch/patient patient/Patient.r user/*.cruds"])
def client(live: House, app: Registered, world: World, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """With a scope about the patient; the second asks for everybody's data besides, and gets no more."""
    with with_token(live, token(live, app, request.param, world.child)) as opened:
        yield opened


class TestTheOther:
    @pytest.mark.parametrize(
        "address",
        [
            "/Patient/{other}",
            "/Patient/{other}/_history",
            "/Patient/{other}/_history/1",
            "/Patient/{other}/$everything",
            "/Patient/{other}/$meta",
            "/Observation/{theirs}",
            "/Observation/{theirs}/_history",
            "/Observation/{theirs}/_history/1",
            "/Binary/{binary}",
            "/Group/{group}",
        ],
    )
    def test_is_as_an_id_that_was_never_given(self, client: httpx.Client, world: World, address: str) -> None:
        names = vars(world)
        answer = client.get(address.format(**names))
        nobodys = {name: "0" + value[1:] for name, value in names.items()}
        absent = client.get(address.format(**nobodys))
        assert (answer.status_code, absent.status_code) == (404, 404)
        told, asked = (_without(answer, names), _without(absent, nobodys))
        assert told == asked

    @pytest.mark.parametrize(
        "query",
        [
            "/Patient?_count=500",
            "/Patient?_id={other}",
            "/Patient?identifier={canary}",
            "/Patient?name={canary}&_total=accurate",
            "/Observation?_count=500&_total=accurate&subject={other}",
            "/Observation?patient.identifier={canary}",
            "/Observation?subject:Patient.name={canary}",
            "/Patient?_has:Flag:patient:status=active&_count=500",
            "/Flag?_include=*",
            "/Group?_include=Group:member&_count=100",
            "/Patient?_revinclude=Flag:patient&_revinclude=Observation:subject&_count=500",
            "?_type=Patient,Flag,Observation,Group&_count=500",
            "/Patient/{other}/Observation",
            "/Patient/{other}/*",
            "/Observation/$lastn?patient={other}",
            "/Observation/_history?_count=500",
            "/_history?_count=500",
            "/Patient/$everything",
            "/Observation?_count=0&_total=accurate&subject={other}",
        ],
    )
    def test_comes_by_no_search(self, client: httpx.Client, world: World, query: str) -> None:
        answer = client.get(query.format(**vars(world)))
        assert answer.status_code in (200, 400, 403, 404), answer.text
        entries = answer.json().get("entry", []) if answer.status_code == 200 else []
        shown = json.dumps(entries)
        assert not any(each in shown for each in (world.other, world.theirs, world.group, world.canary))
        assert answer.json().get("total", 0) == 0 or world.other not in query.format(**vars(world))

    def test_is_not_in_a_batch(self, client: httpx.Client, world: World) -> None:
        wanted = [entry("GET", f"Patient/{world.other}"), entry("GET", f"Patient?identifier={world.canary}")]
        answer = bundle(client, "batch", *wanted).json()["entry"]
        assert answer[0]["response"]["status"].startswith("404")
        assert answer[1]["resource"].get("entry", []) == []

    def test_is_not_changed(self, client: httpx.Client, live: House, world: World) -> None:
        with live.client() as whole:
            before = whole.get(f"/Observation/{world.theirs}").json()
            assert put(client, before | {"status": "cancelled"}).status_code in (403, 404, 422)
            client.delete(f"/Observation/{world.theirs}")
            change = json.dumps([{"op": "replace", "path": "/status", "value": "cancelled"}])
            kind = {"Content-Type": "application/json-patch+json"}
            assert client.patch(f"/Observation/{world.theirs}", content=change, headers=kind).status_code in (403, 404)
            assert client.patch(f"/Observation?subject={world.other}", content=change, headers=kind).status_code == 404
            assert whole.get(f"/Observation/{world.theirs}").json() == before

    def test_is_not_written_about(self, client: httpx.Client, live: House, world: World) -> None:
        with live.client() as whole:
            query = f"/Observation?subject={world.other}&_summary=count"
            before = whole.get(query).json()["total"]
            answer = post(client, observation(world.other))
            assert answer.status_code in (403, 404, 422), answer.text
            both = entry("POST", "Observation", observation(world.other))
            assert bundle(client, "transaction", both).status_code in (403, 404, 422)
            assert whole.get(query).json()["total"] == before

    def test_a_condition_does_not_tell(self, client: httpx.Client, world: World) -> None:
        found = post(client, observation(world.child), **{"If-None-Exist": f"subject={world.other}"})
        assert found.status_code == 201, "nothing fits that may be seen"

    def test_pictures_and_pages(self, client: httpx.Client, live: House, world: World) -> None:
        assert client.get(f"{live.url}/h/{HOA_SEN}/patients/{world.other}").status_code == 403
        studies = client.get(f"{live.url}/h/{HOA_SEN}/dicomweb/studies")
        assert studies.status_code in (200, 204, 403)
        assert world.other not in studies.text


class TestTheOne:
    def test_is_there_with_what_is_theirs(self, client: httpx.Client, world: World) -> None:
        assert client.get(f"/Patient/{world.child}").status_code == 200
        assert client.get(f"/Observation?subject={world.child}").json()["entry"]
        everything = client.get(f"/Patient/{world.child}/$everything").json()
        assert {world.child, world.reading} <= {each["resource"]["id"] for each in everything["entry"]}

    def test_is_written_about(self, client: httpx.Client, world: World) -> None:
        mine = made(client, observation(world.child))
        assert put(client, mine | {"status": "amended"}).status_code == 200
        assert client.delete(f"/Observation/{mine['id']}").status_code == 204

    def test_what_is_moved_to_another_is_refused(self, client: httpx.Client, world: World) -> None:
        mine = made(client, observation(world.child))
        moved = mine | {"subject": {"reference": f"Patient/{world.other}"}}
        assert put(client, moved).status_code in (403, 404, 422)
        body = json.dumps(moved)
        assert client.put(f"/Observation/{mine['id']}", content=body, headers=FHIR).status_code in (403, 404, 422)


def _without(answer: httpx.Response, names: dict[str, str]) -> str:
    text = answer.text.replace(answer.headers["x-request-id"], "REQUEST")
    for each in sorted(names.values(), key=len, reverse=True):
        text = text.replace(each, "ID")
    return text
