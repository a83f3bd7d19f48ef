"""A whole check: every door, and everybody who is not let in."""

from dataclasses import dataclass

import pytest

from emr.app import ROUTERS
from emr.border.checking import NEIGHBOURS
from emr.border.doors import Doors, operations, routes, searches
from emr.identity.visits import PREFIX
from emr.light.results import Findings
from tests.border.conftest import Check
from tests.house import HOA_SEN, House


@dataclass(frozen=True)
class Again:
    """A second check, and the rows of the hospital's tables before and after it; versions of what is written again
    count once.
    """

    found: Findings
    before: dict[str, int]
    after: dict[str, int]


@pytest.fixture(scope="module")
def again(live: House, try_doors: Check) -> Again:
    def rows() -> dict[str, int]:
        return {name: count for name, count in live.counts(HOA_SEN).items() if name != "resource_versions"}

    try_doors(Doors(), alone=True)
    before = rows()
    return Again(try_doors(alone=True), before, rows())


class TestCheck:
    def test_every_door_is_shut(self, found: Findings) -> None:
        assert found.red == []

    def test_everybody_knocked_at_every_door(self, found: Findings) -> None:
        doors = len(routes(ROUTERS)) + len(operations())
        outsiders = {"nobody", "stranger", "department", *(f"neighbour-{each.role}" for each in NEIGHBOURS)}
        assert found.probes.keys() == outsiders | {"own"}
        assert all(found.probes[each] > doors for each in outsiders)
        assert found.probes["neighbour-doctor"] > doors + len(searches()) > 1_500

    def test_the_hospitals_own_people_saw_what_is_planted(self, found: Findings) -> None:
        assert found.probes["own"] > 30

    def test_nothing_of_the_visitors_stays(self, live: House, found: Findings) -> None:
        assert found.probes
        for table in ("sessions", "memberships"):
            assert live.sql(f"SELECT count(*) FROM directory.{table} WHERE subject LIKE %s", f"{PREFIX}%") == [(0,)]

    def test_a_hospital_alone_in_the_city_is_tried_too(self, again: Again) -> None:
        assert (again.found.red, set(again.found.probes)) == ([], {"own", "nobody", "stranger", "department"})

    def test_twice_plants_nothing_twice(self, again: Again) -> None:
        assert again.after == again.before

    def test_one_that_shows_patients_to_none_but_who_treats_them_is_tried_night_after_night(
        self, strict: str, try_doors: Check
    ) -> None:
        for _ in range(2):
            findings = try_doors(target=strict)
            assert findings.red == []
            assert findings.probes["colleague"] > 40
