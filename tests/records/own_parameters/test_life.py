"""Search parameters of a hospital's own: put into force, indexed in both directions of time, and taken back."""

import asyncio

import pytest

from emr.kernel.errors import Unavailable
from emr.records import own_parameters
from emr.records.create import create_resource
from emr.records.errors import SearchRefused
from emr.records.own_pass import advance_own
from emr.records.reindexing_job import reindex_jobs
from emr.records.update import update_resource
from emr.work.leases import Leases
from tests.fhir.samples import patient
from tests.records.own_parameters.samples import WARD, OwnWard, of, own

pytestmark = pytest.mark.anyio


class TestActivation:
    async def test_what_was_there_is_found_after_the_pass_and_not_before(self, ward: OwnWard) -> None:
        kinh, tay = await ward.create(of("kinh")), await ward.create(of("tay"))
        with pytest.raises(SearchRefused) as unknown:
            await ward.found("ethnicity=kinh")
        assert unknown.value.code == "search-parameter-unknown"
        await ward.put(own())
        with pytest.raises(Unavailable) as building:
            await ward.found("ethnicity=kinh")
        assert (building.value.code, building.value.location) == ("index-being-built", "ethnicity")
        later = await ward.create(of("kinh"))
        assert (await ward.passed()).resources == 3
        assert await ward.found("ethnicity=kinh") == {kinh, later}
        assert await ward.found("ethnicity=urn:dt|tay") == {tay}
        assert await ward.differences() == []

    async def test_batch_by_batch_with_rows_that_are_counted(self, ward: OwnWard) -> None:
        for _ in range(5):
            await ward.create(of("kinh"))
        await ward.create({"resourceType": "Organization", "name": "Khoa Nội"})
        await ward.put(own())
        async with ward.work() as work:
            first = await advance_own(work, 2)
        assert (first.complete, first.resources) == (False, 2)
        with pytest.raises(Unavailable):
            await ward.found("ethnicity=kinh")
        done = await ward.passed(2)
        tokens = "SELECT count(*) FROM {0}.tokens JOIN {0}.resources r USING (pk) WHERE r.type = 'Patient'"
        assert done.resources == 5
        assert done.rows["tokens"] == ward.standing.sql(tokens.format(ward.tenant.schema))[0][0]
        assert len(await ward.found("ethnicity=kinh")) == 5

    async def test_a_worker_does_it(self, ward: OwnWard) -> None:
        key = await ward.create(of("kinh"))
        await ward.put(own())
        leases = Leases(ward.parts.databases.cell(ward.tenant.cell).relay, "test", 30.0)
        (job,) = reindex_jobs(ward.parts, {ward.tenant.cell: leases})
        lease = await leases.acquire(job.name)
        assert lease is not None
        while await job.turn(lease):
            pass
        await leases.release(lease)
        assert await ward.found("ethnicity=kinh") == {key}

    async def test_a_process_that_knows_others_indexes_by_those_in_force(
        self, ward: OwnWard, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await ward.put(own())
        await ward.passed()
        new = await ward.create(of("kinh"))
        stale = own_parameters._KEPT
        monkeypatch.setattr(own_parameters, "_KEPT", own_parameters._Kept())
        await ward.put(own("ward", expression=f"Patient.extension('{WARD}').value"))
        await ward.passed()
        # No pass follows: what is found was indexed by the writes themselves.
        monkeypatch.setattr(own_parameters, "_KEPT", stale)
        inside = await ward.create(patient(extension=[{"url": WARD, "valueCode": "noi"}]))
        monkeypatch.setattr(own_parameters, "_KEPT", own_parameters._Kept())
        await ward.put(of("tay", id=new))
        assert await ward.found("ward=noi") == {inside}
        assert await ward.found("ethnicity=tay") == {new}
        assert await ward.found("ethnicity=kinh") == set()
        assert await ward.differences() == []

    async def test_the_pass_waits_for_writers_that_began_before(self, ward: OwnWard) -> None:
        stored, go = asyncio.Event(), asyncio.Event()

        async def slow() -> str:
            async with ward.work() as work:
                made = await create_resource(work, of("kinh"))
                stored.set()
                await go.wait()
                return made.id

        writer = asyncio.create_task(slow())
        await stored.wait()
        await ward.put(own())
        async with ward.work() as work:
            assert not (await advance_own(work)).complete
        waiting = await ward.create(of("kinh"))
        async with ward.work() as work:
            assert not (await advance_own(work)).complete
        go.set()
        late = await writer
        await ward.passed()
        assert await ward.found("ethnicity=kinh") == {late, waiting}

    async def test_together_with_resources_in_one_transaction(self, ward: OwnWard) -> None:
        async with ward.work() as work:
            await update_resource(work, own())
            made = await create_resource(work, of("kinh"))
        await ward.passed()
        assert await ward.found("ethnicity=kinh") == {made.id}

    async def test_one_that_is_undone_was_never_there(self, ward: OwnWard) -> None:
        with pytest.raises(RuntimeError):
            await _undone(ward)
        key = await ward.create(of("kinh"))
        with pytest.raises(SearchRefused):
            await ward.found("ethnicity=kinh")
        assert await ward.differences() == []
        await ward.put(own())
        await ward.passed()
        assert await ward.found("ethnicity=kinh") == {key}

    async def test_many_writers_while_parameters_come_and_go(self, ward: OwnWard) -> None:
        async def write(number: int) -> None:
            for turn in range(4):
                await ward.put(of("kinh", id=f"p{number}-{turn}"))
                await ward.put(of("tay" if turn % 2 else "kinh", id=f"p{number}-{turn}"))

        async def change() -> None:
            for status in ("active", "retired", "active"):
                await ward.put(own(status=status))
                async with ward.work() as work:
                    await advance_own(work, 3)

        await asyncio.gather(change(), *(write(number) for number in range(4)))
        await ward.passed(5)
        assert await ward.differences() == []
        assert await ward.found("ethnicity=tay") == {f"p{n}-{turn}" for n in range(4) for turn in (1, 3)}


async def _undone(ward: OwnWard) -> None:
    async with ward.work() as work:
        await update_resource(work, own())
        await create_resource(work, of("kinh"))
        raise RuntimeError


class TestEnd:
    @pytest.mark.parametrize("how", ["retired", "deleted"])
    async def test_it_is_unknown_again_and_its_rows_go_with_the_pass(self, ward: OwnWard, how: str) -> None:
        await ward.create(of("kinh"))
        await ward.put(own())
        await ward.passed()
        assert len(await ward.found("ethnicity=kinh")) == 1
        await (ward.delete("SearchParameter", "ethnicity") if how == "deleted" else ward.put(own(status="retired")))
        with pytest.raises(SearchRefused) as refusal:
            await ward.found("ethnicity=kinh")
        assert refusal.value.code == "search-parameter-unknown"
        await ward.passed()
        assert await ward.differences() == []

    async def test_the_same_code_with_another_expression_finds_by_that_alone(self, ward: OwnWard) -> None:
        by_ethnicity = await ward.create(of("noi"))
        by_ward = await ward.create(patient(extension=[{"url": WARD, "valueCode": "noi"}]))
        await ward.put(own("place"))
        await ward.passed()
        assert await ward.found("place=noi") == {by_ethnicity}
        await ward.delete("SearchParameter", "place")
        await ward.put(own("place", expression=f"Patient.extension('{WARD}').value"))
        with pytest.raises(Unavailable):
            await ward.found("place:missing=true")
        await ward.passed()
        assert await ward.found("place=noi") == {by_ward}
        assert await ward.found("place:missing=true") == {by_ethnicity}

    async def test_other_words_in_its_description_change_nothing(self, ward: OwnWard) -> None:
        key = await ward.create(of("kinh"))
        await ward.put(own())
        await ward.passed()
        await ward.put(own(description="khác"))
        assert await ward.found("ethnicity=kinh") == {key}


class TestHospitals:
    async def test_the_same_code_means_something_else_in_another_hospital(self, wards: list[OwnWard]) -> None:
        ward, other, third = wards
        keys = {}
        for each in wards:
            keys[each] = (
                await each.create(of("noi")),
                await each.create(patient(extension=[{"url": WARD, "valueCode": "noi"}])),
            )
        await ward.put(own("place"))
        await other.put(own("place", expression=f"Patient.extension('{WARD}').value"))
        await ward.passed()
        await other.passed()
        assert await ward.found("place=noi") == {keys[ward][0]}
        assert await other.found("place=noi") == {keys[other][1]}
        with pytest.raises(SearchRefused):
            await third.found("place=noi")
