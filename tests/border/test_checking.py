"""A whole check: every door, and everybody who is not let in."""

from emr.app import ROUTERS
from emr.border.checking import NEIGHBOURS
from emr.border.doors import operations, routes, searches
from emr.identity.visits import PREFIX
from emr.light.results import Findings
from tests.border.conftest import Check
from tests.house import HOA_SEN, House


class TestCheck:
    def test_every_door_is_shut(self, found: Findings) -> None:
        assert found.red == []

    def test_everybody_knocked_at_every_door(self, found: Findings) -> None:
        doors = len(routes(ROUTERS)) + len(operations())
        outsiders = {"nobody", "stranger", "department", *(f"neighbour-{role}" for role in NEIGHBOURS)}
        assert found.probes.keys() == outsiders | {"own"}
        assert all(found.probes[each] > doors for each in outsiders)
        assert found.probes["neighbour-doctor"] > doors + len(searches()) > 1_500

    def test_the_hospitals_own_people_saw_what_is_planted(self, found: Findings) -> None:
        assert found.probes["own"] > 30

    def test_nothing_of_the_visitors_stays(self, live: House, found: Findings) -> None:
        assert found.probes
        for table in ("sessions", "memberships"):
            assert live.sql(f"SELECT count(*) FROM directory.{table} WHERE subject LIKE %s", f"{PREFIX}%") == [(0,)]

    def test_a_hospital_alone_in_the_city_is_tried_too(self, try_doors: Check) -> None:
        findings = try_doors(alone=True)
        assert (findings.red, findings.probes.keys()) == ([], {"own", "nobody", "stranger", "department"})

    def test_twice_plants_nothing_twice(self, live: House, try_doors: Check, found: Findings) -> None:
        before = live.counts(HOA_SEN)
        try_doors(alone=True)
        assert {name: count for name, count in live.counts(HOA_SEN).items() if name != "resource_versions"} == {
            name: count for name, count in before.items() if name != "resource_versions"
        }
