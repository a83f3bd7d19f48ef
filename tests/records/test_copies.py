"""New resources that come by the hundred: the rows that are copied are those that a statement would have put in."""

from typing import Any

import pytest

from emr.kernel.clock import utc_now
from emr.kernel.json import compose
from emr.records.draft import draft_of
from emr.records.own_parameters import last_known
from emr.records.reindexing import verify
from emr.records.rows import MANY, Rows, rows_of
from emr.work.runtime import Runtime
from tests.house import House
from tests.records.bulk.world import Ward, ndjson, observation, patient

pytestmark = pytest.mark.anyio

TIMES: list[dict[str, Any]] = [
    {"effectiveDateTime": "2026-11-22"},
    {"effectiveDateTime": "2026-11-22T08:15:30.123+07:00"},
    {"effectiveDateTime": "0001-01-01"},
    {"effectiveDateTime": "9999-12"},
    {"effectivePeriod": {"start": "1969-07-20T20:17:40Z"}},
    {"effectivePeriod": {"end": "2001-02-03"}},
]


def resources(many: int) -> list[dict[str, Any]]:
    """A patient with an address that has to be escaped, and others that refer to it, with moments of every kind."""
    seen = [observation(f"o{number}", "p", **TIMES[number % len(TIMES)]) for number in range(many - 1)]
    return [patient("p", birthDate="1985-03", meta={"source": "https://lab.example/it's\\here"}), *seen]


async def rows(ward: Ward, many: int) -> Rows:
    drafts = []
    for number, each in enumerate(resources(many)):
        document = compose(each)
        drafts.append(draft_of(utc_now(), document, resource_type=each["resourceType"], resource_id=each["id"]))
        drafts[-1].pk = number + 1
    async with ward.work() as work:
        return rows_of(work.tenant, drafts, last_known(work), {("Patient", "p"): 1})


@pytest.fixture
async def ward(standing: House, parts: Runtime) -> Ward:
    made = Ward(standing, parts)
    await parts.registry.refresh()
    return made


class TestCopies:
    async def test_hold_every_row_of_their_tables_and_the_statement_the_others(self, ward: Ward) -> None:
        few, many = await rows(ward, MANY - 1), await rows(ward, MANY)
        assert few.copies == []
        assert all(few.columns[place] for place in (0, 3, 10, 29))
        copied = ["resources", "tokens", "links", "dates", "compartments", "words"]
        assert [each.table for each in many.copies] == copied
        assert not any(
            many.columns[place] for place in (*range(6), *range(10, 14), 23, 24, 29, 30, 31, 35, *range(37, 40))
        )
        assert [len(many.columns[place]) for place in (10, 32, 33, 34, 36)] == [0, MANY, MANY, MANY, MANY]
        assert many.columns[6], "names of people stay in the statement"

    async def test_put_in_what_the_index_should_hold(self, standing: House, ward: Ward) -> None:
        job = await ward.imported(ndjson(resources(2 * MANY)))
        assert (job.state, job.progress["stored"]) == ("done", 2 * MANY)
        async with ward.work() as work:
            compared = await verify(work, 0, 2 * MANY)
        assert (list(compared.differences), compared.resources) == ([], 2 * MANY)
        schema = ward.tenant.schema
        open_ends = standing.sql(f"SELECT count(*) FROM {schema}.dates WHERE low = '-infinity' OR high = 'infinity'")
        lexemes = standing.sql(f"SELECT unnest(tsvector_to_array(content)) FROM {schema}.words")
        assert [each for (each,) in lexemes if each.endswith("https://lab.example/it's\\here")]
        counts = standing.sql(
            f"SELECT (SELECT count(*) FROM {schema}.compartments), (SELECT count(DISTINCT pk) FROM {schema}.tokens),"
            f" (SELECT count(*) FROM {schema}.links), (SELECT count(DISTINCT pk) FROM {schema}.dates)"
        )
        assert open_ends[0][0] > MANY // 2
        assert counts[0] == (2 * MANY, 2 * MANY, 2 * MANY - 1, 2 * MANY)
