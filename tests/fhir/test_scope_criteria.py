"""Search criteria in SMART scopes, kept by every interaction.

SMART App Launch 2.2, scopes-and-launch-context.html#finer-grained-resource-constraints-using-search-parameters, whose own
examples these are: laboratory observations, and diagnoses of an encounter.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import httpx
import pytest

from tests.fhir.samples import Json, bundle, entry, found, ids, made, mark, observation, patient, post, put
from tests.fhir.samples import refusal as told
from tests.house import House

CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
LABORATORY = f"user/Observation.cruds?category={CATEGORY}|laboratory"
SEES = f"user/Observation.rs?category={CATEGORY}|laboratory"
Opened = Callable[..., httpx.Client]


@dataclass
class World:
    mark: str
    person: str
    laboratory: str
    vital: str


def in_category(code: str, **more: object) -> Json:
    return {"category": [{"coding": [{"system": CATEGORY, "code": code}]}]} | more


@pytest.fixture(scope="module")
def opened(live: House) -> Iterator[Opened]:
    with ExitStack() as stack:
        yield lambda scope, role="doctor": stack.enter_context(live.client(role, scope=scope))


@pytest.fixture(scope="module")
def world(live: House) -> World:
    one = mark()
    tag = {"meta": {"tag": [{"system": "urn:mark", "code": one}]}}
    with live.client() as client:
        person = made(client, patient(**tag))["id"]
        laboratory = made(client, observation(person, **in_category("laboratory", **tag)))["id"]
        vital = made(client, observation(person, **in_category("vital-signs", **tag)))["id"]
    return World(one, person, laboratory, vital)


def unlike_nothing(client: httpx.Client, path: str, key: str) -> None:
    """What the scopes leave out answers as an id that was never given."""
    hidden, never = (client.get(path.format(each)) for each in (key, "0" * len(key)))
    assert hidden.status_code == never.status_code == 404
    assert hidden.text.replace(key, "") == never.text.replace("0" * len(key), "")


class TestReads:
    def test_what_fits_and_nothing_else(self, opened: Opened, world: World) -> None:
        client = opened(SEES)
        assert client.get(f"/Observation/{world.laboratory}").status_code == 200
        unlike_nothing(client, "/Observation/{}", world.vital)
        unlike_nothing(client, "/Observation/{}/_history", world.vital)
        unlike_nothing(client, "/Observation/{}/_history/1", world.vital)

    @pytest.mark.parametrize(
        ("criterion", "fits"),
        [
            (f"category={CATEGORY}|laboratory", True),
            ("category=laboratory", True),
            (f"category={CATEGORY}|vital-signs,{CATEGORY}|laboratory", True),
            ("category=|laboratory", False),
            ("category=urn:other|laboratory", False),
            ("category=laboratory&status=final", True),
            ("category=laboratory&status=preliminary", False),
            ("code=http://loinc.org|8867-4", True),
        ],
        ids=["system", "code", "any-of", "no-system", "another-system", "both", "one-of-both", "another-name"],
    )
    def test_by_each_form_of_a_code(self, opened: Opened, world: World, criterion: str, fits: bool) -> None:  # noqa: FBT001
        answer = opened(f"user/Observation.rs?{criterion}").get(f"/Observation/{world.laboratory}")
        assert answer.status_code == (200 if fits else 404)

    def test_several_scopes_add_up(self, opened: Opened, world: World) -> None:
        client = opened(f"{SEES} user/Observation.rs?category={CATEGORY}|vital-signs")
        for each in (world.laboratory, world.vital):
            assert client.get(f"/Observation/{each}").status_code == 200

    def test_a_scope_without_criteria_needs_none(self, opened: Opened, world: World) -> None:
        for wider in ("user/Observation.rs", "user/*.rs"):
            assert opened(f"{SEES} {wider}").get(f"/Observation/{world.vital}").status_code == 200

    def test_other_types_are_as_their_scopes_say(self, opened: Opened, world: World) -> None:
        client = opened(f"{SEES} user/Patient.rs")
        assert client.get(f"/Patient/{world.person}").status_code == 200
        assert told(client.get("/Condition?_count=1"))[:2] == (403, "scope-may-not")

    def test_an_earlier_version_is_not_shown_since_nobody_knows_whether_it_fitted(
        self, opened: Opened, world: World, doctor: httpx.Client
    ) -> None:
        was = made(doctor, observation(world.person, **in_category("vital-signs")))
        assert put(doctor, was | in_category("laboratory")).status_code == 200
        client = opened(SEES)
        assert client.get(f"/Observation/{was['id']}").json()["meta"]["versionId"] == "2"
        assert client.get(f"/Observation/{was['id']}/_history/1").status_code == 404
        assert len(client.get(f"/Observation/{was['id']}/_history").json()["entry"]) == 1

    @pytest.mark.parametrize(
        "scope",
        [
            "user/Observation.rs?category:not=vital-signs",
            "user/Observation.rs?date=gt2020",
            "user/Observation.rs?nothing=x",
            "user/Observation.rs?identifier=x",
            "user/Observation.rs?category=http://x|",
            "user/*.rs?category=laboratory",
            "user/Observation.r?category=laboratory user/Observation.s?category=vital-signs",
            "user/Observation.s?category=laboratory user/Observation.d",
        ],
    )
    def test_what_cannot_be_kept_gives_nothing(self, opened: Opened, world: World, scope: str) -> None:
        client = opened(scope)
        for each in (world.laboratory, world.vital):
            assert client.get(f"/Observation/{each}").status_code in (403, 404)


class TestSearches:
    def test_matches_and_totals(self, opened: Opened, world: World) -> None:
        client = opened(f"{SEES} user/Patient.rs")
        answer = client.get(f"/Observation?_tag=urn:mark|{world.mark}&_total=accurate").json()
        assert (ids(answer), answer["total"]) == ([world.laboratory], 1)

    def test_an_id_a_list_and_all_types(self, opened: Opened, world: World) -> None:
        client = opened(f"{SEES} user/Patient.rs")
        assert found(client, f"Observation?_id={world.vital}") == []
        every = found(client, f"?_type=Observation,Patient&_tag=urn:mark|{world.mark}")
        assert set(every) == {world.laboratory, world.person}

    def test_includes_and_compartments(self, opened: Opened, world: World) -> None:
        client = opened(f"{SEES} user/Patient.rs")
        both = client.get(f"/Patient?_id={world.person}&_revinclude=Observation:subject").json()
        assert world.laboratory in str(both)
        assert world.vital not in str(both)
        assert found(client, f"Patient/{world.person}/Observation?_tag=urn:mark|{world.mark}") == [world.laboratory]

    def test_a_chain_tells_nothing(self, opened: Opened, world: World) -> None:
        client = opened(f"{SEES} user/Patient.rs")
        chained = f"Patient?_id={world.person}&_has:Observation:subject:category={CATEGORY}|"
        assert found(client, chained + "laboratory") == [world.person]
        assert found(client, chained + "vital-signs") == []

    def test_operations(self, opened: Opened, world: World) -> None:
        client = opened(f"{SEES} user/Patient.rs")
        for path in (
            f"/Patient/{world.person}/$everything",
            f"/Observation/$lastn?patient={world.person}&category=vital-signs,laboratory",
            "/_history",
        ):
            text = client.get(path).raise_for_status().text
            assert world.vital not in text, path
        assert world.laboratory in client.get(f"/Patient/{world.person}/$everything").text


class TestWrites:
    def test_what_fits_is_created_changed_and_deleted(self, opened: Opened, world: World) -> None:
        client = opened(LABORATORY)
        new = made(client, observation(world.person, **in_category("laboratory")))
        assert put(client, new | {"status": "amended"}).status_code == 200
        assert client.delete(f"/Observation/{new['id']}").status_code in (200, 204)

    def test_what_does_not_fit_is_refused_and_not_stored(self, opened: Opened, live: House, world: World) -> None:
        client = opened(LABORATORY)
        before = live.counts()
        refused = post(client, observation(world.person, **in_category("vital-signs")))
        assert told(refused)[:2] == (403, "scope-may-not")
        own = client.get(f"/Observation/{world.laboratory}").json()
        assert told(put(client, own | in_category("vital-signs")))[:2] == (403, "scope-may-not")
        assert live.counts() == before

    def test_what_is_hidden_is_not_changed(self, opened: Opened, world: World, doctor: httpx.Client) -> None:
        client = opened(LABORATORY)
        was = doctor.get(f"/Observation/{world.vital}").json()
        assert put(client, was | in_category("laboratory")).status_code in (403, 404, 409, 412)
        client.delete(f"/Observation/{world.vital}")
        patch = [{"op": "replace", "path": "/status", "value": "amended"}]
        kind = {"Content-Type": "application/json-patch+json"}
        assert client.patch(f"/Observation/{world.vital}", json=patch, headers=kind).status_code == 404
        assert doctor.get(f"/Observation/{world.vital}").json() == was

    def test_a_transaction_stores_nothing_of_it(self, opened: Opened, live: House, world: World) -> None:
        client = opened(LABORATORY)
        before = live.counts()
        both = [observation(world.person, **in_category(each)) for each in ("laboratory", "vital-signs")]
        answer = bundle(client, "transaction", *(entry("POST", "Observation", each) for each in both))
        assert told(answer)[:2] == (403, "scope-may-not")
        assert live.counts() == before

    def test_creating_may_be_free_while_seeing_is_not(self, opened: Opened, world: World) -> None:
        client = opened(f"user/Observation.c {SEES}")
        assert post(client, observation(world.person, **in_category("vital-signs"))).status_code == 201


class TestMachines:
    def test_a_service_is_limited_too(self, opened: Opened, world: World) -> None:
        client = opened(SEES.replace("user/", "system/"), "lis")
        assert client.get(f"/Observation/{world.laboratory}").status_code == 200
        unlike_nothing(client, "/Observation/{}", world.vital)
