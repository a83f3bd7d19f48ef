"""What processes tell the directory of requests, and how a p95 is read from it."""

from datetime import UTC, datetime

import pytest

from emr.console import repository, traffic
from emr.telemetry.traffic import BOUNDS, TRAFFIC, Traffic, quantile
from emr.work.runtime import Runtime
from tests.house import HOA_SEN, House


def told(standing: House) -> tuple[int, int, int]:
    query = (
        "SELECT coalesce(sum(requests), 0), coalesce(sum(errors), 0), coalesce(sum((SELECT sum(b) FROM unnest(buckets) b)), 0)"
        " FROM directory.traffic WHERE tenant_id = %s"
    )
    requests, errors, bucketed = standing.sql(query, standing.tenants[HOA_SEN].id)[0]
    return int(requests), int(errors), int(bucketed)


class TestTelling:
    @pytest.mark.anyio
    async def test_adds_to_what_others_told(self, standing: House, parts: Runtime) -> None:
        TRAFFIC.take()
        before = told(standing)
        for status in (200, 404, 500, 503):
            TRAFFIC.note(HOA_SEN, status, 0.03)
        await traffic.tell(parts)
        TRAFFIC.note(HOA_SEN, 200, 99.0)
        await traffic.tell(parts)
        await traffic.tell(parts)
        after = told(standing)
        assert tuple(now - then for now, then in zip(after, before, strict=True)) == (5, 2, 5)

    @pytest.mark.anyio
    async def test_a_hospital_that_is_gone_is_left_out(self, standing: House, parts: Runtime) -> None:
        TRAFFIC.note("gone", 200, 0.1)
        await traffic.tell(parts)
        assert "gone" not in TRAFFIC.take()

    @pytest.mark.anyio
    async def test_what_could_not_be_told_is_told_later(
        self, standing: House, parts: Runtime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        TRAFFIC.take()

        async def refuse(*_: object) -> None:
            raise OSError

        with monkeypatch.context() as patched:
            patched.setattr(repository, "tell", refuse)
            TRAFFIC.note(HOA_SEN, 200, 0.1)
            await traffic.tell(parts)
        before = told(standing)
        await traffic.tell(parts)
        assert told(standing)[0] == before[0] + 1

    def test_five_minutes_begin_at_a_multiple_of_five(self) -> None:
        at = datetime(2026, 11, 22, 8, 14, 59, tzinfo=UTC)
        assert traffic.begin_of(at) == datetime(2026, 11, 22, 8, 10, tzinfo=UTC)


class TestCounting:
    def test_each_request_is_in_one_bucket(self) -> None:
        own = Traffic()
        for seconds in (0.0, 0.002, 0.0021, 10.0, 10.1):
            own.note("a", 200, seconds)
        counts = own.take()["a"]
        assert (counts.buckets[0], counts.buckets[1], counts.buckets[-2], counts.buckets[-1]) == (2, 1, 1, 1)
        assert own.take() == {}


class TestQuantile:
    @pytest.mark.parametrize(
        ("buckets", "expected"),
        [
            ([0] * 13, None),
            ([0] * 12 + [4], 10.0),
            ([0, 0, 0, 0, 0, 0, 0, 100, 0, 0, 0, 0, 0], 0.1 + 0.15 * 0.95),
            ([95, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5], 0.002),
        ],
        ids=["nothing", "longer than the last", "within one", "at its end"],
    )
    def test_is_read_between_the_ends(self, buckets: list[int], expected: float | None) -> None:
        assert len(buckets) == len(BOUNDS) + 1
        assert quantile(buckets, 0.95) == (expected if expected is None else pytest.approx(expected))
