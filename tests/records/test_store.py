"""What PostgreSQL makes of the statements that store: a plan once, and not anew for each version."""

import pytest

from emr.records.create import create_resource
from emr.records.delete import delete
from emr.records.update import update_resource
from emr.work.runtime import Runtime
from emr.work.unit import UnitOfWork, unit_of_work
from tests.fhir.samples import mark, observation, patient
from tests.house import HOA_SEN, House

pytestmark = pytest.mark.anyio

_PLANS = """
SELECT sum(generic_plans) AS kept, sum(custom_plans) AS anew FROM pg_prepared_statements
 WHERE statement LIKE '%' || current_user || '%' AND statement LIKE $1
"""


async def plans(work: UnitOfWork, part: str) -> tuple[int, int]:
    """How often a statement with this part ran by a plan that was kept, and how often by one of its own."""
    row = await work.db.fetchrow(_PLANS, f"%{part}%")
    assert row is not None
    return int(row["kept"]), int(row["anew"])


class TestStore:
    async def test_single_versions_are_stored_by_a_plan_that_is_kept(self, standing: House, parts: Runtime) -> None:
        async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal()) as work:
            person = await create_resource(work, patient(name=[{"family": mark()}]))
            resource = observation(person.id, effectiveDateTime="2026-03-01")
            made = await create_resource(work, resource)
            for _ in range(12):
                await update_resource(work, resource | {"id": made.id})
                await create_resource(work, resource)
            # PostgreSQL tries five plans of their own before it compares.
            for part in ("drop_tokens AS (DELETE", "put_resources AS (", "WITH t AS NOT MATERIALIZED", "WITH held AS"):
                kept, anew = await plans(work, part)
                assert (kept > 5, anew) == (True, 5), part

    async def test_single_verbs_need_two_exchanges_within_their_transaction(
        self, standing: House, parts: Runtime
    ) -> None:
        asked: list[str] = []
        tenant, who = standing.tenants[HOA_SEN], standing.principal()
        async with unit_of_work(parts, tenant, who) as work:
            person = await create_resource(work, patient(name=[{"family": mark()}]))
            made = await create_resource(work, observation(person.id))
        for act in (
            lambda work: update_resource(work, observation(person.id) | {"id": made.id}),
            lambda work: create_resource(work, observation(person.id)),
            lambda work: delete(work, "Observation", made.id),
        ):
            async with unit_of_work(parts, tenant, who) as work:
                driver = work.db.driver
                with driver.query_logger(lambda record: asked.append(record.query)):
                    await act(work)
                assert work.trail.rows == []
            # What is held or referred to, and the statement that stores with the audit row.
            assert [("audit_journal" in each) for each in asked] == [False, True], asked
            asked.clear()
