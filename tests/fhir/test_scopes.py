"""SMART scopes of a bearer token, kept by every interaction (SMART App Launch 2.2, scopes-and-launch-context.html).

The tokens are the demo provider's, which gives an account the scopes that are asked for.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import httpx
import pytest

from tests.fhir.samples import FHIR, bundle, entry, found, identifier, ids, made, mark, observation, patient, post, put
from tests.fhir.samples import refusal as told
from tests.house import House

Opened = Callable[..., httpx.Client]


@dataclass
class World:
    mark: str
    person: str
    reading: str
    problem: str


@pytest.fixture(scope="module")
def opened(live: House) -> Iterator[Opened]:
    """A client of a role whose token has these scopes."""
    with ExitStack() as stack:
        yield lambda scope, role="doctor": stack.enter_context(live.client(role, scope=scope))


@pytest.fixture(scope="module")
def world(live: House) -> World:
    with live.client() as client:
        one = mark()
        tag = {"tag": [{"system": "urn:mark", "code": one}]}
        person = made(client, patient(meta=tag, identifier=identifier(one)))["id"]
        reading = made(client, observation(person, meta=tag))["id"]
        code = {"code": {"coding": [{"system": "urn:c", "code": one}]}}
        subject = {"subject": {"reference": f"Patient/{person}"}}
        problem = made(client, {"resourceType": "Condition", "meta": tag} | code | subject)["id"]
    return World(one, person, reading, problem)


def refused(answer: httpx.Response) -> None:
    assert told(answer)[:2] == (403, "scope-may-not")


class TestReads:
    def test_a_token_without_scopes_has_the_rights_of_its_role(self, doctor: httpx.Client, world: World) -> None:
        assert doctor.get(f"/Condition/{world.problem}").status_code == 200

    def test_only_the_types_that_it_names(self, opened: Opened, world: World) -> None:
        client = opened("user/Observation.rs")
        assert client.get(f"/Observation/{world.reading}").status_code == 200
        refused(client.get(f"/Condition/{world.problem}"))
        refused(client.get("/Condition/nobody"))
        refused(client.get(f"/Patient/{world.person}"))

    def test_of_the_first_version(self, opened: Opened, world: World) -> None:
        client = opened("user/Observation.read")
        assert client.get(f"/Observation/{world.reading}").status_code == 200
        assert found(client, f"Observation?_tag={world.mark}") == [world.reading]
        refused(post(client, observation(world.person)))

    def test_read_is_not_search(self, opened: Opened, world: World) -> None:
        client = opened("user/Observation.r")
        assert client.get(f"/Observation/{world.reading}/_history/1").status_code == 200
        assert client.get(f"/Observation/{world.reading}/_history").status_code == 200
        assert client.get(f"/Observation/{world.reading}/$meta").status_code == 200
        refused(client.get("/Observation"))
        refused(client.get("/Observation/_history"))
        refused(client.get("/Observation/$meta"))
        assert client.get("/_history").json().get("entry", []) == []

    def test_search_is_not_read(self, opened: Opened, world: World) -> None:
        client = opened("user/Observation.s")
        assert found(client, f"Observation?_tag={world.mark}") == [world.reading]
        assert client.get("/Observation/_history?_count=1").status_code == 200
        refused(client.get(f"/Observation/{world.reading}"))
        refused(client.get(f"/Observation/{world.reading}/_history"))
        refused(client.get(f"/Observation/{world.reading}/_history/1"))

    def test_a_scope_of_systems_gives_a_person_nothing(self, opened: Opened, world: World) -> None:
        refused(opened("system/*.cruds").get(f"/Observation/{world.reading}"))

    def test_a_scope_of_a_patient_gives_nothing_without_the_patient(self, opened: Opened, world: World) -> None:
        refused(opened("patient/*.cruds").get(f"/Observation/{world.reading}"))

    def test_a_machine_with_scopes_of_systems(self, opened: Opened, world: World) -> None:
        client = opened("system/Observation.rs", "lis")
        assert client.get(f"/Observation/{world.reading}").status_code == 200
        refused(client.get(f"/Patient/{world.person}"))
        refused(opened("user/*.cruds", "lis").get(f"/Observation/{world.reading}"))

    def test_no_scope_gives_what_the_role_lacks(self, opened: Opened, world: World) -> None:
        answer = opened("user/*.cruds", "reception").get(f"/Observation/{world.reading}")
        assert told(answer)[:2] == (403, "role-may-not-see")


class TestWhatComesAlong:
    def test_includes_both_ways(self, opened: Opened, world: World) -> None:
        query = f"?_tag={world.mark}&_include=Observation:subject&_revinclude:iterate=Condition:subject"
        with_patients = opened("user/Observation.rs user/Patient.r").get(f"/Observation{query}").json()
        assert ids(with_patients, "include") == [world.person]
        alone = opened("user/Observation.rs").get(f"/Observation{query}").json()
        assert ids(alone) == [world.reading]
        assert ids(alone, "include") == []

    def test_a_search_of_all_types(self, opened: Opened, world: World) -> None:
        assert found(opened("user/Observation.rs"), f"?_tag={world.mark}") == [world.reading]
        refused(opened("user/Observation.rs").get(f"?_type=Condition&_tag={world.mark}"))

    def test_a_chain_tells_nothing_of_other_types(self, opened: Opened, world: World) -> None:
        client = opened("user/Observation.rs")
        refused(client.get(f"/Observation?subject:Patient.identifier={world.mark}"))
        refused(client.get(f"/Observation?_has:DiagnosticReport:result:status=final&_tag={world.mark}"))
        both = opened("user/Observation.rs user/Patient.s")
        assert found(both, f"Observation?subject:Patient.identifier={world.mark}") == [world.reading]

    def test_a_compartment(self, opened: Opened, world: World) -> None:
        client = opened("user/Observation.rs user/Patient.r")
        assert found(client, f"Patient/{world.person}/*?_tag={world.mark}") == [world.reading]
        refused(client.get(f"/Patient/{world.person}/Condition"))

    def test_everything(self, opened: Opened, world: World) -> None:
        everything = opened("user/Patient.r user/Condition.r").get(f"/Patient/{world.person}/$everything").json()
        assert {each["resource"]["id"] for each in everything["entry"]} == {world.person, world.problem}
        refused(opened("user/Condition.r").get(f"/Patient/{world.person}/$everything"))
        refused(opened("user/Patient.r").get("/Patient/$everything"))

    def test_the_last_observations(self, opened: Opened, world: World) -> None:
        refused(opened("user/Observation.r").get(f"/Observation/$lastn?patient={world.person}"))

    def test_the_history_of_all(self, opened: Opened, world: World) -> None:
        versions = opened("user/Condition.s").get("/_history?_count=50").json()["entry"]
        assert {each["resource"]["resourceType"] for each in versions if "resource" in each} == {"Condition"}


class TestChanges:
    def test_each_letter_is_its_own(self, opened: Opened, world: World) -> None:
        creator = opened("user/Observation.c")
        mine = made(creator, observation(world.person))
        refused(put(creator, mine | {"status": "amended"}))
        refused(creator.delete(f"/Observation/{mine['id']}"))
        updater = opened("user/Observation.u")
        refused(post(updater, observation(world.person)))
        assert put(updater, mine | {"status": "amended"}).status_code == 200
        refused(put(updater, observation(world.person) | {"id": mark()}))
        refused(updater.delete(f"/Observation/{mine['id']}"))
        remover = opened("user/Observation.d")
        refused(put(remover, mine))
        assert remover.delete(f"/Observation/{mine['id']}").status_code == 204

    def test_a_patch_shows_what_it_changes(self, opened: Opened, world: World) -> None:
        change = [{"op": "replace", "path": "/status", "value": "amended"}]
        address, kind = f"/Observation/{world.reading}", {"Content-Type": "application/json-patch+json"}
        refused(opened("user/Observation.u").patch(address, content=json.dumps(change), headers=kind))
        done = opened("user/Observation.ru").patch(address, content=json.dumps(change), headers=kind)
        assert done.status_code == 200

    def test_a_condition_is_a_search(self, opened: Opened, world: World) -> None:
        who = patient(identifier=identifier(world.mark))
        condition = {"If-None-Exist": f"identifier=urn:test:number|{world.mark}"}
        refused(post(opened("user/Patient.c"), who, **condition))
        answer = post(opened("user/Patient.cs"), who, **condition)
        assert (answer.status_code, answer.json()["id"]) == (200, world.person)

    def test_a_transaction_stores_nothing_of_what_one_entry_may_not(
        self, opened: Opened, doctor: httpx.Client, world: World
    ) -> None:
        one = mark()
        good = entry("POST", "Observation", observation(world.person, identifier=identifier(one)))
        bad = entry("POST", "Patient", patient())
        client = opened("user/Observation.c")
        refused(bundle(client, "transaction", good, bad))
        assert found(doctor, f"Observation?identifier={one}") == []
        assert bundle(client, "transaction", good).status_code == 200
        answers = bundle(client, "batch", good, bad, entry("GET", f"Patient/{world.person}")).json()["entry"]
        assert [each["response"]["status"][:3] for each in answers] == ["201", "403", "403"]


class TestOtherDoors:
    @pytest.mark.parametrize("path", ["/patients", "/patients/{person}", "/patients/{person}/documents"])
    def test_pages_are_for_people(self, opened: Opened, live: House, world: World, path: str) -> None:
        client = opened("user/*.cruds")
        home = str(client.base_url).removesuffix("/fhir/")
        assert client.get(home + path.format(person=world.person)).status_code in (403, 404)
        assert world.mark not in client.get(home + path.format(person=world.person)).text

    def test_pictures(self, opened: Opened, live: House) -> None:
        address = f"{live.url}/h/hoa-sen/dicomweb/studies"
        assert opened("user/Patient.rs").get(address).status_code == 403
        assert opened("user/ImagingStudy.rs").get(address).status_code in (200, 204)

    def test_a_subscription_would_speak_with_the_whole_role(self, opened: Opened) -> None:
        asked = {
            "resourceType": "Subscription",
            "status": "requested",
            "reason": "r",
            "criteria": "Patient?",
            "channel": {"type": "rest-hook", "endpoint": "https://lis.example/hook"},
        }
        refused(post(opened("system/*.cruds", "lis"), asked))

    def test_an_export_and_the_files_of_a_wider_token(self, opened: Opened, live: House, world: World) -> None:
        narrow = opened("system/Observation.rs", "warehouse")
        with live.client("warehouse", headers={"Prefer": "respond-async"}) as wide:
            begun = wide.get("/$export?_type=Patient")
            assert begun.status_code == 202, begun.text
            refused(narrow.get(begun.headers["Content-Location"]))
            refused(narrow.delete(begun.headers["Content-Location"]))
            assert wide.delete(begun.headers["Content-Location"]).status_code == 202
        refused(narrow.get("/$export?_type=Patient", headers={"Prefer": "respond-async"}))

    def test_an_import_is_for_no_app(self, opened: Opened) -> None:
        ndjson = FHIR | {"Content-Type": "application/fhir+ndjson", "Prefer": "respond-async"}
        refused(opened("system/*.cruds", "his").post("/$import", content=b"{}", headers=ndjson))
