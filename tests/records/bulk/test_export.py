"""Exports: one consistent moment, what changed since, whose records, and nothing twice."""

import pytest

from emr.records.create import create_resource
from emr.records.update import update_resource
from emr.work.runtime import Runtime
from tests.house import House
from tests.records.bulk.world import Ward, observation, patient

pytestmark = pytest.mark.anyio


@pytest.fixture
async def ward(standing: House, parts: Runtime) -> Ward:
    made = Ward(standing, parts)
    await parts.registry.refresh()
    async with made.work() as work:
        for name in ("a", "b"):
            await update_resource(work, patient(name))
            await update_resource(work, observation(f"o-{name}", name))
    return made


def names(lines: list[dict[str, object]]) -> list[str]:
    return [f"{line['resourceType']}/{line['id']}" for line in lines]


class TestMoment:
    async def test_everything_is_there_once_patients_first(self, ward: Ward) -> None:
        job = await ward.exported()
        assert names(await ward.lines(job)) == ["Patient/a", "Patient/b", "Observation/o-a", "Observation/o-b"]

    async def test_what_is_written_after_the_kick_off_is_not(self, ward: Ward) -> None:
        name = await ward.begin()
        async with ward.work() as work:
            await update_resource(work, patient("a", gender="female"))
            await update_resource(work, patient("c"))
        lines = await ward.lines(await ward.done(name))
        assert names(lines)[:2] == ["Patient/a", "Patient/b"]
        assert "gender" not in lines[0]

    async def test_a_transaction_that_commits_late_is_in_the_next_one(self, ward: Ward) -> None:
        async with ward.work() as late:
            await create_resource(late, {"resourceType": "Patient", "gender": "other"})
            first = await ward.exported()
        assert len(await ward.lines(first)) == 4
        second = await ward.exported(since=first.moment.isoformat())
        assert [line["gender"] for line in await ward.lines(second)] == ["other"]
