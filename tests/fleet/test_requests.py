"""A hospital that was asked for in a page: cut off and gone on with, and rows that say what no page would."""

import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from emr.fleet.requests import acts_of, carry_out
from emr.settings import Settings
from emr.work.faults import POINT
from tests.fhir.samples import mark
from tests.forks import forked
from tests.house import HOA_SEN, House, facility_code

POINTS = ("apply-tables-made", "apply-objects-tried")
"""Inside the transaction that makes a hospital, and in a later step; the others are those of `apply`."""


def definition(slug: str) -> dict[str, object]:
    return {
        "slug": slug, "name": "Bệnh viện Mới", "facility_code": facility_code(slug), "province": "79",
        "identity": {"organization": slug},
    }  # fmt: skip


def write(house: House, kind: str, slug: str, detail: dict[str, object]) -> None:
    house.sql(
        "INSERT INTO directory.fleet_requests (id, kind, slug, detail, asked_by, asked_by_name)"
        " VALUES (%s, %s, %s, %s, 'x', 'Thử')", mark(), kind, slug, json.dumps(detail),
    )  # fmt: skip


def row(house: House, slug: str) -> tuple[str, dict[str, Any]]:
    query = "SELECT state, progress FROM directory.fleet_requests WHERE slug = %s ORDER BY asked_at DESC LIMIT 1"
    [found] = house.sql(query, slug)
    return found[0], found[1]


def done(house: House) -> list[tuple[str, str]]:
    return [(each["hospital"], each["state"]) for each in carry_out(house.settings.database, acts_of(house.settings))]


def carry_out_in_a_process(settings: Settings, kill_at: str) -> None:
    """Carries out what waits, and ends itself at the named point."""
    os.environ[POINT] = kill_at
    carry_out(settings.database, acts_of(settings))


@pytest.fixture
def slug(standing: House) -> Iterator[str]:
    made = f"hoi-{mark()[:8]}"
    yield made
    standing.sql("DELETE FROM directory.fleet_requests WHERE slug = %s", made)


class TestKilled:
    def test_at_a_step_it_stays_under_way_and_the_next_run_goes_on(self, standing: House, slug: str) -> None:
        write(standing, "onboard", slug, definition(slug))
        for point in POINTS:
            process = forked(carry_out_in_a_process, standing.settings, point)
            process.join(60)
            assert process.exitcode == -signal.SIGKILL, f"{point}: ended with {process.exitcode}"
            state, progress = row(standing, slug)
            assert state == "running"
            assert "doing" in progress["steps"].values()
        assert done(standing) == [(slug, "done")]
        state, progress = row(standing, slug)
        assert (state, progress["steps"]["make"], progress["steps"]["objects"]) == ("done", "done", "done")
        events = standing.sql(
            "SELECT event FROM directory.tenant_events e JOIN directory.tenants t ON t.id = e.tenant_id"
            " WHERE slug = %s ORDER BY number", slug,
        )  # fmt: skip
        assert events == [("hospital.created",), ("hospital.objects-ready",)]


class TestForged:
    """A row is input like any other: whoever could write one makes at most a hospital that is nobody's."""

    @pytest.mark.parametrize(
        ("changed", "said"),
        [
            ({"quotas": {"users": -1}}, "quotas.users"),
            ({"slug": "admin"}, "reserved word"),
            ({"slug": "another"}, "slug"),
            ({"facility_code": "79999"}, "already that of hoa-sen"),
        ],
        ids=["quota", "reserved", "another-slug", "another's-code"],
    )
    def test_what_no_file_may_say_is_refused_by_field(
        self, standing: House, slug: str, changed: dict[str, object], said: str
    ) -> None:
        write(standing, "onboard", slug, definition(slug) | changed)
        assert done(standing) == [(slug, "failed")]
        assert said in row(standing, slug)[1]["error"]
        assert standing.sql("SELECT count(*) FROM directory.tenants WHERE slug = %s", slug) == [(0,)]

    def test_a_hospital_that_stands_is_not_changed(self, standing: House) -> None:
        query = "SELECT definition FROM directory.tenants WHERE slug = %s"
        [(before,)] = standing.sql(query, HOA_SEN)
        write(standing, "onboard", HOA_SEN, before | {"features": ["pharmacy"]})
        assert done(standing) == [(HOA_SEN, "failed")]
        assert "stands already" in row(standing, HOA_SEN)[1]["error"]
        assert standing.sql(query, HOA_SEN) == [(before,)]
        standing.sql("DELETE FROM directory.fleet_requests WHERE slug = %s", HOA_SEN)

    def test_a_kind_that_nobody_knows_is_over(self, standing: House, slug: str) -> None:
        write(standing, "drop-everything", slug, {})
        assert done(standing) == [(slug, "failed")]
        assert row(standing, slug)[1]["code"] == "request-kind"
