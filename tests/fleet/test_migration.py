"""Migrations of the fleet: one hospital that cannot move does not stop the others."""

import json
from collections.abc import Iterator

import psycopg
import pytest

from emr.db.migrate import History, head
from emr.fleet import campaign
from emr.fleet.campaign import Hospital, Rules, Step, move_all
from emr.fleet.migration import migrate, plan
from tests.fhir.samples import mark
from tests.fleet.world import emr
from tests.house import House

NOWHERE = "postgresql://nobody@127.0.0.1:9/x"


@pytest.fixture
def behind(standing: House) -> Iterator[list[str]]:
    """Two hospitals that the directory says are behind; afterwards they are not."""
    slugs = sorted(f"behind-{mark()[:8]}" for _ in range(2))
    for slug in slugs:
        standing.new_hospital(slug)
    mark_behind = "UPDATE directory.tenants SET revision = %s WHERE slug = ANY(%s)"
    standing.sql(mark_behind, "tenant_0000", slugs)
    yield slugs
    standing.sql(mark_behind, head(History.TENANT), slugs)


def revision(standing: House, slug: str) -> str:
    found: str = standing.sql("SELECT revision FROM directory.tenants WHERE slug = %s", slug)[0][0]
    return found


class TestMigrate:
    def test_nothing_to_do_is_told_by_an_empty_list(self, standing: House) -> None:
        migrate(standing.settings.database)
        assert plan(standing.settings.database) == migrate(standing.settings.database) == []

    def test_plan_shows_who_is_behind_and_moves_nobody(self, standing: House, behind: list[str]) -> None:
        assert {each.target for each in plan(standing.settings.database)} >= set(behind)
        assert [revision(standing, slug) for slug in behind] == ["tenant_0000"] * 2

    def test_brings_everybody_to_the_newest(self, standing: House, behind: list[str]) -> None:
        steps = {each.target: each for each in migrate(standing.settings.database)}
        assert all(steps[slug].error is None for slug in behind)
        assert [revision(standing, slug) for slug in behind] == [head(History.TENANT)] * 2

    def test_many_move_at_the_same_time(self, standing: House) -> None:
        slugs = [f"many-{mark()[:8]}" for _ in range(6)]
        for slug in slugs:
            standing.new_hospital(slug)
        standing.sql("UPDATE directory.tenants SET revision = 'tenant_0000' WHERE slug = ANY(%s)", slugs)
        steps = {each.target: each for each in migrate(standing.settings.database)}
        assert {steps[slug].error for slug in slugs} == {None}
        assert {revision(standing, slug) for slug in slugs} == {head(History.TENANT)}

    def test_goes_on_past_one_whose_table_is_locked(self, standing: House, behind: list[str]) -> None:
        stuck, free = behind
        with psycopg.connect(standing.cluster.url(database="emr")) as other:
            other.execute(f"LOCK TABLE {standing.tenants[stuck].schema}.alembic_version IN ACCESS EXCLUSIVE MODE")
            done = emr(standing, "migrate", "--json", "--attempts", "1")
        assert done.returncode == 1
        steps = {each["target"]: each for each in json.loads(done.stdout)}
        assert "lock timeout" in steps[stuck]["error"]
        assert steps[free]["error"] is None
        assert (revision(standing, stuck), revision(standing, free)) == ("tenant_0000", head(History.TENANT))
        status = "SELECT error FROM cell.migrations_status WHERE schema = %s"
        assert "lock timeout" in standing.sql(status, standing.tenants[stuck].schema)[0][0]
        assert standing.sql(status, standing.tenants[free].schema) == [(None,)]
        again = emr(standing, "migrate", "--json")
        assert (again.returncode, [each["target"] for each in json.loads(again.stdout)]) == (0, [stuck])
        assert standing.sql(status, standing.tenants[stuck].schema) == [(None,)]

    def test_goes_on_past_one_that_belongs_to_somebody_else(self, standing: House, behind: list[str]) -> None:
        lost, free = behind
        schema = standing.tenants[lost].schema
        standing.sql(f"ALTER TABLE {schema}.tokens OWNER TO postgres")
        try:
            steps = {each.target: each for each in migrate(standing.settings.database)}
        finally:
            standing.sql(f"ALTER TABLE {schema}.tokens OWNER TO emr_owner")
        assert "permission denied" in str(steps[lost].error)
        assert steps[free].error is None
        assert (revision(standing, lost), revision(standing, free)) == ("tenant_0000", head(History.TENANT))

    def test_one_that_is_held_up_is_tried_again_after_the_others(self, standing: House, behind: list[str]) -> None:
        stuck, free = behind
        told: list[str] = []
        with psycopg.connect(standing.cluster.url(database="emr")) as other:
            other.execute(f"LOCK TABLE {standing.tenants[stuck].schema}.alembic_version IN ACCESS EXCLUSIVE MODE")

            def note(step: Step) -> None:
                told.append(step.target)
                other.rollback()

            steps = {each.target: each for each in migrate(standing.settings.database, told=note)}
        assert told == [free, stuck]
        assert (steps[stuck].error, steps[stuck].attempts, steps[free].attempts) == (None, 2, 1)
        status = "SELECT revision, error, attempts > 0, seconds > 0 FROM cell.migrations_status WHERE schema = %s"
        assert standing.sql(status, standing.tenants[stuck].schema) == [(head(History.TENANT), None, True, True)]


def breaking(standing: House, slug: str) -> str:
    """Makes a hospital's schema one that cannot be moved; gives the statement that mends it."""
    schema = standing.tenants[slug].schema
    standing.sql(f"ALTER TABLE {schema}.tokens OWNER TO postgres")
    return f"ALTER TABLE {schema}.tokens OWNER TO emr_owner"


class TestCanary:
    def test_one_that_is_not_behind_is_refused(self, standing: House, behind: list[str]) -> None:
        done = emr(standing, "migrate", "--canary", "hoa-sen")
        assert (done.returncode, "Not a hospital that is behind: hoa-sen." in done.stderr) == (2, True)
        assert [revision(standing, slug) for slug in behind] == ["tenant_0000"] * 2

    def test_goes_first_and_when_it_fails_nobody_else_is_begun(self, standing: House, behind: list[str]) -> None:
        other, canary = behind
        mend = breaking(standing, canary)
        try:
            steps = migrate(standing.settings.database, Rules(canaries=(canary,)))
        finally:
            standing.sql(mend)
        mine = [(each.target, each.outcome) for each in steps if each.target in behind]
        assert mine == [(canary, "failed"), (other, "not begun")]
        assert revision(standing, other) == "tenant_0000"
        again = migrate(standing.settings.database, Rules(canaries=(canary,)))
        assert [each.target for each in again if each.target in behind] == [canary, other]
        assert [revision(standing, slug) for slug in behind] == [head(History.TENANT)] * 2


class TestTooManyFailures:
    def test_end_the_run_and_the_rest_is_not_begun(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(_: str, hospital: Hospital) -> campaign._Moved:
            return campaign._Moved(hospital, Step(hospital.slug, "tenant", None, "x", "broken", "failed"))

        monkeypatch.setattr(campaign, "_move", fail)
        behind = [Hospital(f"t_{number:012}", f"h{number}", NOWHERE) for number in range(30)]
        steps = move_all(NOWHERE, behind, Rules(parallel=1, stop_at=0.1))
        assert [each.outcome for each in steps].count("failed") == 5
        assert [each.outcome for each in steps].count("not begun") == 25
        patient = move_all(NOWHERE, behind, Rules(parallel=1, stop_at=1))
        assert [each.outcome for each in patient].count("failed") == 30
