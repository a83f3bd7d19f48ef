"""Search criteria in SMART scopes, kept by bulk exports: by the job, which a worker does later, and by its files."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from urllib.parse import quote

import httpx
import pytest

from tests.fhir.samples import Json, refusal
from tests.fhir.test_bulk import ASYNC, finished, lines, worker
from tests.fhir.test_scope_criteria import CATEGORY, World, world
from tests.house import House

__all__ = ["worker", "world"]
SEES = f"system/Observation.rs?category={CATEGORY}|laboratory system/Patient.rs"
Opened = Callable[[str], httpx.Client]
Work = Callable[[], None]


@pytest.fixture
def opened(live: House) -> Iterator[Opened]:
    with ExitStack() as stack:
        yield lambda scope: stack.enter_context(live.client("warehouse", scope=scope))


def ids_of(rows: list[Json], world: World) -> set[str]:
    """Which of the patient and the two observations are there."""
    return {row["id"] for row in rows} & {world.person, world.laboratory, world.vital}


def exported(client: httpx.Client, worker: Work, more: str = "") -> list[Json]:
    begun = client.get(f"/$export?_type=Patient,Observation{more}", headers=ASYNC)
    return lines(client, finished(client, worker, begun).json())


class TestCriteria:
    def test_without_them_everything_is_there(self, opened: Opened, worker: Work, world: World) -> None:
        found = exported(opened("system/*.rs"), worker)
        assert ids_of(found, world) == {world.person, world.laboratory, world.vital}

    def test_what_does_not_fit_is_left_out(self, opened: Opened, worker: Work, world: World) -> None:
        assert ids_of(exported(opened(SEES), worker), world) == {world.person, world.laboratory}

    def test_of_one_patient_too(self, opened: Opened, worker: Work, world: World) -> None:
        client = opened(SEES)
        begun = client.get("/Patient/$export?_type=Patient,Observation", headers=ASYNC)
        found = lines(client, finished(client, worker, begun).json())
        assert ids_of(found, world) == {world.person, world.laboratory}

    def test_a_filter_of_the_client_widens_nothing(self, opened: Opened, worker: Work, world: World) -> None:
        wanted = quote(f"Observation?category={CATEGORY}|vital-signs,{CATEGORY}|laboratory", safe="")
        found = exported(opened(SEES), worker, f"&_typeFilter={wanted}")
        assert ids_of([row for row in found if row["resourceType"] == "Observation"], world) == {world.laboratory}

    def test_all_types_are_those_of_the_scopes(self, opened: Opened, worker: Work, world: World) -> None:
        client = opened(SEES)
        found = lines(client, finished(client, worker, client.get("/$export", headers=ASYNC)).json())
        assert {row["resourceType"] for row in found} == {"Patient", "Observation"}
        assert ids_of(found, world) == {world.person, world.laboratory}


class TestFiles:
    """Whose job it is may come back with another token."""

    def test_a_token_of_narrower_criteria_gets_nothing(self, opened: Opened, worker: Work, world: World) -> None:
        client = opened("system/Observation.rs")
        begun = client.get("/$export?_type=Observation", headers=ASYNC)
        output = finished(client, worker, begun).json()["output"]
        narrow = opened(SEES)
        assert refusal(narrow.get(begun.headers["Content-Location"]))[:2] == (403, "scope-may-not")
        for each in output:
            assert refusal(narrow.get(each["url"]))[:2] == (403, "scope-may-not")

    def test_one_of_other_criteria_neither(self, opened: Opened, worker: Work, world: World) -> None:
        client = opened(SEES)
        begun = client.get("/$export?_type=Observation", headers=ASYNC)
        finished(client, worker, begun)
        other = opened(f"system/Observation.rs?category={CATEGORY}|vital-signs")
        assert refusal(other.get(begun.headers["Content-Location"]))[:2] == (403, "scope-may-not")

    @pytest.mark.parametrize(
        "scope",
        [SEES, f"system/Observation.rs?category={CATEGORY}|vital-signs {SEES}", "system/Observation.rs"],
        ids=["same", "more", "all"],
    )
    def test_one_that_sees_as_much_does(self, opened: Opened, worker: Work, world: World, scope: str) -> None:
        client = opened(SEES)
        begun = client.get("/$export?_type=Observation", headers=ASYNC)
        finished(client, worker, begun)
        assert ids_of(lines(opened(scope), opened(scope).get(begun.headers["Content-Location"]).json()), world) == {
            world.laboratory
        }
