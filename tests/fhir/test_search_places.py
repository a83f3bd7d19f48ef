"""Where a search looks: several types, compartments, by GET and by POST (search.html#system, #compartment)."""

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.fhir.samples import Json, ids, made, mark, observation, patient, refusal
from tests.house import House

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass
class World:
    mark: str
    person: str
    other: str
    visit: str
    reading: str
    problem: str


@pytest.fixture(scope="module")
def reader(live: House) -> Iterator[httpx.Client]:
    with live.client() as client:
        yield client


@pytest.fixture(scope="module")
def world(reader: httpx.Client) -> World:
    one = mark()
    tag = {"tag": [{"system": "urn:mark", "code": one}]}
    person, other = (made(reader, patient(meta=tag))["id"] for _ in range(2))
    subject: Json = {"subject": {"reference": f"Patient/{person}"}, "meta": tag}
    act = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}
    visit = made(reader, {"resourceType": "Encounter", "status": "finished", "class": act} | subject)["id"]
    here = {"reference": f"Encounter/{visit}"}
    reading = made(reader, observation(person, encounter=here, meta=tag))["id"]
    code = {"code": {"coding": [{"system": f"urn:{one}", "code": "sick"}]}}
    problem = made(reader, {"resourceType": "Condition"} | code | subject)["id"]
    return World(one, person, other, visit, reading, problem)


class TestSeveralTypes:
    """search.html#system."""

    def test_those_that_are_named(self, reader: httpx.Client, world: World) -> None:
        answer = reader.get(f"?_type=Condition,Encounter&_tag={world.mark}").json()
        assert ids(answer) == [world.problem, world.visit]
        assert answer["link"][0]["url"].endswith(f"/fhir?_type=Condition%2CEncounter&_tag={world.mark}")

    def test_all_of_them(self, reader: httpx.Client, world: World) -> None:
        every = [world.problem, world.reading, world.visit, world.other, world.person]
        assert ids(reader.get(f"?_tag={world.mark}").json()) == every
        assert ids(reader.get(f"/?_tag=urn:mark|{world.mark}&_total=accurate").json()) == every
        assert set(ids(reader.get(f"?_id={world.visit},{world.problem}").json())) == {world.visit, world.problem}

    def test_by_what_they_share(self, reader: httpx.Client, world: World) -> None:
        asked = f"?_type=Condition,Encounter,Observation&patient={world.person}"
        assert set(ids(reader.get(asked).json())) == {world.visit, world.problem, world.reading}
        assert refusal(reader.get("?_type=Condition,Patient&code=x")) == (400, "search-parameter-unknown", "code")
        assert refusal(reader.get("?name=x"))[1] == "search-parameter-unknown"

    def test_with_pages_and_totals(self, reader: httpx.Client, world: World) -> None:
        answer = reader.get(f"?_tag={world.mark}&_count=2&_total=accurate").json()
        found = ids(answer)
        assert answer["total"] == 5
        while len(answer["link"]) > 1:
            answer = reader.get(answer["link"][1]["url"]).json()
            found += ids(answer)
        assert found == [world.problem, world.reading, world.visit, world.other, world.person]

    def test_by_post(self, reader: httpx.Client, world: World) -> None:
        body = f"_type=Condition&_tag={world.mark}"
        assert ids(reader.post("/_search", content=body, headers=FORM).json()) == [world.problem]

    def test_only_what_is_seen(self, live: House, world: World) -> None:
        with live.client("reception") as client:
            assert set(ids(client.get(f"?_tag={world.mark}").json())) == {world.visit, world.other, world.person}
            assert refusal(client.get("?_type=Condition"))[:2] == (403, "role-may-not-see")

    def test_a_type_that_is_none(self, reader: httpx.Client) -> None:
        assert refusal(reader.get("?_type=Foo")) == (400, "type-unknown", "_type")


class TestCompartments:
    """search.html#compartment; https://hl7.org/fhir/R4/compartmentdefinition.html."""

    def test_of_a_patient(self, reader: httpx.Client, world: World) -> None:
        assert ids(reader.get(f"/Patient/{world.person}/Observation").json()) == [world.reading]
        assert ids(reader.get(f"/Patient/{world.person}/Condition?code=sick").json()) == [world.problem]
        assert ids(reader.get(f"/Patient/{world.person}/Condition?code=well").json()) == []
        assert ids(reader.get(f"/Patient/{world.other}/Observation").json()) == []

    def test_all_that_is_in_it(self, reader: httpx.Client, world: World) -> None:
        found = ids(reader.get(f"/Patient/{world.person}/*").json())
        assert set(found) == {world.person, world.visit, world.reading, world.problem}
        found = ids(reader.get(f"/Patient/{world.person}/*?_type=Encounter,Condition").json())
        assert found == [world.problem, world.visit]

    def test_of_a_visit(self, reader: httpx.Client, world: World) -> None:
        assert ids(reader.get(f"/Encounter/{world.visit}/Observation").json()) == [world.reading]
        assert world.reading in ids(reader.get(f"/Encounter/{world.visit}/*").json())

    @pytest.mark.parametrize("kind", ["Practitioner", "RelatedPerson", "Device"])
    def test_of_the_others(self, reader: httpx.Client, world: World, kind: str) -> None:
        parts: Json = {"patient": {"reference": f"Patient/{world.person}"}} if kind != "Practitioner" else {}
        key = made(reader, {"resourceType": kind} | parts)["id"]
        element = "device" if kind == "Device" else "performer"
        value: object = {"reference": f"{kind}/{key}"} if kind == "Device" else [{"reference": f"{kind}/{key}"}]
        reading = made(reader, observation(world.person, **{element: value}))["id"]
        assert ids(reader.get(f"/{kind}/{key}/Observation").json()) == [reading]
        assert reading in ids(reader.get(f"/{kind}/{key}/*").json())

    def test_by_post(self, reader: httpx.Client, world: World) -> None:
        answer = reader.post(f"/Patient/{world.person}/Condition/_search", content="code=sick", headers=FORM)
        assert ids(answer.json()) == [world.problem]

    def test_the_link_says_where(self, reader: httpx.Client, world: World, live: House) -> None:
        address = f"/Patient/{world.person}/*?_type=Encounter%2CCondition&_count=1"
        answer = reader.get(address).json()
        assert answer["link"][0]["url"] == live.fhir() + address
        assert ids(reader.get(answer["link"][1]["url"]).json()) == [world.visit]
        elsewhere = answer["link"][1]["url"].replace(world.person, world.other)
        assert refusal(reader.get(elsewhere))[:2] == (400, "cursor-not-ours")

    @pytest.mark.parametrize("address", ["Location/1/Observation", "Patient/1/Organization", "Patient/1/Foo"])
    def test_what_is_none(self, reader: httpx.Client, address: str) -> None:
        assert reader.get(f"/{address}").status_code == 404

    def test_who_does_not_see_it(self, live: House, world: World) -> None:
        with live.client("reception") as client:
            assert client.get(f"/Patient/{world.person}/Observation").status_code == 403
            seen = set(ids(client.get(f"/Patient/{world.person}/*").json()))
            assert {world.person, world.visit} <= seen
            assert not seen & {world.reading, world.problem}
