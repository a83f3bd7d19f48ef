"""Over references: chains, reverse chains, includes, and what a role does not see on the way (search.html#chaining)."""

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.fhir.samples import Json, found, ids, made, mark, observation, patient, refusal
from tests.house import House


@dataclass
class World:
    """Two people of two clinics of one hospital group, a visit and readings of the first."""

    mark: str
    clinics: list[str]
    people: list[str]
    visit: str
    readings: list[str]
    group: str
    report: str


@pytest.fixture(scope="module")
def reader(live: House) -> Iterator[httpx.Client]:
    with live.client() as client:
        yield client


@pytest.fixture(scope="module")
def world(reader: httpx.Client) -> World:
    one = mark()

    def make(resource_type: str, **more: object) -> str:
        return str(made(reader, {"resourceType": resource_type} | more)["id"])

    top = make("Organization", name=f"{one} Sở")
    clinics = [make("Organization", name=f"{one} {name}", partOf={"reference": f"Organization/{top}"}) for name in "AB"]
    people = [
        made(
            reader,
            patient(
                name=[{"family": f"{one} {name}"}],
                gender=gender,
                managingOrganization={"reference": f"Organization/{clinic}"},
            ),
        )["id"]
        for name, gender, clinic in zip(("Một", "Hai"), ("male", "female"), clinics, strict=True)
    ]
    visit = make(
        "Encounter",
        status="finished",
        subject={"reference": f"Patient/{people[0]}"},
        serviceProvider={"reference": f"Organization/{clinics[0]}"},
        **{"class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}},
    )
    readings = [
        made(reader, reading(one, person, code, encounter={"reference": f"Encounter/{visit}"}))["id"]
        for person, code in ((people[0], "x"), (people[0], "y"))
    ]
    readings.append(made(reader, reading(one, people[1], "x"))["id"])
    member = [{"entity": {"reference": f"Patient/{people[1]}"}}]
    group = make("Group", type="person", actual=True, name=f"{one} Nhóm", member=member)
    readings.append(made(reader, reading(one, "", "x", subject={"reference": f"Group/{group}"}))["id"])
    report = make(
        "DiagnosticReport",
        status="final",
        code={"coding": [{"system": f"urn:{one}", "code": "report"}]},
        subject={"reference": f"Patient/{people[0]}"},
        result=[{"reference": f"Observation/{key}"} for key in readings[:2]],
    )
    return World(one, clinics, people, visit, readings, group, report)


def reading(one: str, person: str, code: str, **more: object) -> Json:
    return observation(person, code={"coding": [{"system": f"urn:{one}", "code": code}]}, **more)


class TestChains:
    """search.html#chaining."""

    def test_one_step_with_and_without_a_type(self, reader: httpx.Client, world: World) -> None:
        asked = f"Observation?code=urn:{world.mark}|x&"
        assert found(reader, f"{asked}subject:Patient.family={world.mark} mot") == world.readings[:1]
        assert found(reader, f"{asked}patient.family={world.mark} mot") == world.readings[:1]
        assert set(found(reader, f"Observation?patient.family={world.mark}")) == set(world.readings[:3])
        assert found(reader, f"{asked}subject:Group.identifier=none") == []

    def test_without_a_type_to_every_type_that_has_the_parameter(self, reader: httpx.Client, world: World) -> None:
        asked = f"Observation?code=urn:{world.mark}|x&subject.identifier:missing=true"
        assert set(found(reader, asked)) == {world.readings[0], *world.readings[2:]}

    def test_several_steps(self, reader: httpx.Client, world: World) -> None:
        asked = f"Observation?encounter.service-provider.partof.name={world.mark} so"
        assert set(found(reader, asked)) == set(world.readings[:2])
        assert found(reader, f"{asked}&code=y") == [world.readings[1]]
        assert set(found(reader, f"Observation?patient.organization.name={world.mark} b")) == {world.readings[2]}

    def test_a_popular_and_a_rare_end(self, reader: httpx.Client, world: World) -> None:
        asked = f"Observation?code=urn:{world.mark}|x&patient.gender="
        assert found(reader, f"{asked}male") == [world.readings[0]]
        assert set(found(reader, f"{asked}male,female")) == {world.readings[0], world.readings[2]}

    def test_a_negated_end_is_still_of_the_type(self, reader: httpx.Client, world: World) -> None:
        asked = f"Observation?code=urn:{world.mark}|x&subject:Patient.gender:not=male"
        assert found(reader, asked) == [world.readings[2]]
        asked = f"Observation?code=urn:{world.mark}|x&subject:Patient.birthdate:missing=true"
        assert set(found(reader, asked)) == {world.readings[0], world.readings[2]}

    def test_ends_with_parameters_of_all_resources(self, reader: httpx.Client, world: World) -> None:
        asked = f"Observation?code=urn:{world.mark}|x&"
        assert found(reader, f"{asked}patient._id={world.people[0]}") == [world.readings[0]]
        assert set(found(reader, f"{asked}patient._lastUpdated=gt2020")) == {world.readings[0], world.readings[2]}
        assert found(reader, f"{asked}subject:Group._id={world.group}") == [world.readings[3]]

    def test_two_chains_each_follow_a_path_of_their_own(self, reader: httpx.Client, world: World) -> None:
        asked = f"Observation?patient.organization.name={world.mark} a&patient.gender="
        assert set(found(reader, f"{asked}male")) == set(world.readings[:2])
        assert found(reader, f"{asked}female") == []


class TestReverseChains:
    """search.html#has."""

    def test_one_step(self, reader: httpx.Client, world: World) -> None:
        assert set(found(reader, f"Patient?_has:Observation:patient:code=urn:{world.mark}|x")) == set(world.people)
        assert found(reader, f"Patient?_has:Observation:patient:code=urn:{world.mark}|y") == world.people[:1]
        both = f"Patient?_has:Observation:patient:code=urn:{world.mark}|x&_has:Encounter:patient:class=AMB"
        assert found(reader, both) == world.people[:1]

    def test_refers_to_what_is_searched_and_nothing_else(self, reader: httpx.Client, world: World) -> None:
        asked = f"Group?_has:Observation:subject:code=urn:{world.mark}|x"
        assert found(reader, asked) == [world.group]
        assert found(reader, f"Patient?_has:Group:member:_id={world.group}") == world.people[1:]

    def test_nested(self, reader: httpx.Client, world: World) -> None:
        asked = f"Organization?_has:Encounter:service-provider:_has:Observation:encounter:code=urn:{world.mark}|y"
        assert found(reader, asked) == world.clinics[:1]

    def test_within_a_chain_and_around_one(self, reader: httpx.Client, world: World) -> None:
        asked = f"Encounter?patient._has:Observation:patient:code=urn:{world.mark}|y"
        assert found(reader, asked) == [world.visit]
        asked = f"Patient?_has:Observation:patient:encounter.service-provider.name={world.mark} a"
        assert found(reader, asked) == world.people[:1]

    def test_a_negated_end(self, reader: httpx.Client, world: World) -> None:
        asked = f"Patient?family={world.mark}&_has:Observation:patient:status:not=final"
        assert found(reader, asked) == []


class TestIncludes:
    """search.html#include."""

    def test_back_to_the_matches(self, reader: httpx.Client, world: World) -> None:
        answer = reader.get(f"/Patient?_id={world.people[0]}&_revinclude=Observation:patient").json()
        assert ids(answer) == world.people[:1]
        assert set(ids(answer, "include")) == set(world.readings[:2])

    def test_iterate_goes_on_from_what_was_found(self, reader: httpx.Client, world: World) -> None:
        asked = f"/DiagnosticReport?_id={world.report}&_include=DiagnosticReport:result"
        assert set(ids(reader.get(asked).json(), "include")) == set(world.readings[:2])
        asked += "&_include:iterate=Observation:encounter&_include:iterate=Encounter:service-provider"
        assert set(ids(reader.get(asked).json(), "include")) == {*world.readings[:2], world.visit, world.clinics[0]}

    def test_back_and_on(self, reader: httpx.Client, world: World) -> None:
        asked = f"/Organization?_id={world.clinics[0]}&_revinclude=Patient:organization"
        asked += "&_revinclude:iterate=Observation:patient"
        assert set(ids(reader.get(asked).json(), "include")) == {world.people[0], *world.readings[:2]}

    def test_wildcards(self, reader: httpx.Client, world: World) -> None:
        every = {world.people[0], *world.readings[:2]}
        for value in ("*", "DiagnosticReport:*"):
            answer = reader.get(f"/DiagnosticReport?_id={world.report}&_include={value}").json()
            assert set(ids(answer, "include")) == every
        answer = reader.get(f"/DiagnosticReport?_id={world.report}&_include=DiagnosticReport:*:Patient").json()
        assert ids(answer, "include") == world.people[:1]

    def test_keep_to_the_types_of_the_parameter(self, reader: httpx.Client, world: World) -> None:
        asked = f"/Observation?_id={world.readings[3]}&_include=Observation:"
        assert ids(reader.get(asked + "patient").json(), "include") == []
        assert ids(reader.get(asked + "subject").json(), "include") == [world.group]

    def test_nothing_stands_twice(self, reader: httpx.Client, world: World) -> None:
        asked = f"/Observation?patient={world.people[0]}&_include=Observation:patient&_include=Observation:subject"
        answer = reader.get(asked).json()
        assert ids(answer, "include") == world.people[:1]


class TestWhoMay:
    """Types that a role does not see are not asked on the way either."""

    @pytest.mark.parametrize(
        "asked",
        [
            "Patient?_has:Observation:patient:code=x",
            "Encounter?reason-reference:Condition.code=x",
            "Patient?_list=1",
            "Encounter?_has:Observation:encounter:status=final",
            "Patient?organization._has:Observation:performer:code=x",
        ],
    )
    def test_a_chain_over_them_is_refused(self, live: House, asked: str) -> None:
        with live.client("reception") as client:
            assert refusal(client.get(f"/{asked}"))[:2] == (403, "role-may-not-see")

    def test_a_chain_without_a_type_keeps_to_what_is_seen(self, live: House) -> None:
        with live.client("reception") as client:
            assert client.get("/Encounter?reason-reference.code=x").status_code == 403
            assert client.get("/Encounter?subject.name=x").status_code == 200

    def test_what_refers_here_is_not_included(self, live: House, world: World) -> None:
        with live.client("reception") as client:
            asked = f"/Patient?_id={world.people[0]}&_revinclude=Observation:patient&_revinclude=Encounter:patient"
            assert ids(client.get(asked).json(), "include") == [world.visit]
