"""Reading lines beside the worker is reading them here, and a process that dies costs a piece and nothing else."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from emr.definitions.own import Own, compiled
from emr.kernel.errors import Unavailable
from emr.records.bulk import verbs
from emr.records.bulk.beside import DeskBeside, Desks, PileBeside, PileHere
from emr.records.bulk.desk import Sheet, Terms, Wish
from emr.records.reindexing import verify
from emr.records.update import update_resource
from emr.work.runtime import Runtime
from tests.house import House
from tests.records.bulk.world import Ward, ndjson, observation, patient

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
OWN = {
    "resourceType": "SearchParameter",
    "id": "note",
    "url": "https://hoasen.example/fhir/SearchParameter/note",
    "name": "note",
    "status": "active",
    "description": "What is noted of an observation.",
    "code": "noted",
    "base": ["Observation"],
    "type": "string",
    "expression": "Observation.note.text",
}
NOTE = [{"text": "Mạch đều"}]


@pytest.fixture
async def ward(standing: House, parts: Runtime) -> Ward:
    made = Ward(standing, parts)
    await parts.registry.refresh()
    return made


@pytest.fixture
async def beside() -> AsyncIterator[DeskBeside]:
    [desk] = DeskBeside.start(1)
    await desk.settled.wait()
    assert desk.usable
    yield desk
    await desk.close()


def terms(ward: Ward) -> Terms:
    own = Own("a-mark", {"Observation": {"noted": compiled(OWN)["Observation"]}})
    return Terms(ward.tenant, ward.principal, "https://here.example/fhir", own)


def sheets() -> list[Sheet]:
    seen = [observation(f"o{number}", "p", note=NOTE) for number in range(50)]
    wrong = [b"not json", b'{"resourceType":"Patient","id":"x","gender":"neither"}', b'{"resourceType":"Patient"}']
    return [Sheet(line) for line in [*ndjson([patient("p"), *seen]).splitlines(), *wrong]]


async def read_and_made(pile: PileHere | PileBeside, terms: Terms) -> tuple[Any, Any, str]:
    read = await pile.read(terms, sheets())
    wishes = [Wish(place, place + 1, None) for place, each in enumerate(read) if not each.issues]
    known = {each.name: place + 1 for place, each in enumerate(read) if each.name is not None}
    made = await pile.make(terms, wishes, known, NOW)
    where = await pile.where(1, terms.base_url, ("Patient", "p"))
    await pile.clear()
    return read, made, where


class TestBeside:
    async def test_says_what_a_desk_here_says(self, ward: Ward, beside: DeskBeside) -> None:
        pile = beside.pile()
        there = await read_and_made(pile, terms(ward))
        assert there == await read_and_made(PileHere(), terms(ward))
        read, made, where = there
        assert [each.issues[0].code for each in read if each.issues] == ["json-syntax", "code", "ndjson-line"]
        assert (len(made.rows[0].written), where) == (51, "Observation.subject.reference")
        assert beside.piles == 0

    async def test_knows_the_hospitals_own_parameters(self, ward: Ward, beside: DeskBeside) -> None:
        _, made, _ = await read_and_made(beside.pile(), terms(ward))
        _, without, _ = await read_and_made(beside.pile(), Terms(ward.tenant, ward.principal, ""))
        assert made.rows[0].mark == "a-mark"
        assert sum(map(len, made.rows[0].columns)) > sum(map(len, without.rows[0].columns))

    async def test_that_has_ended_is_unavailable(self, ward: Ward, beside: DeskBeside) -> None:
        pile = beside.pile()
        await pile.read(terms(ward), sheets())
        kill(beside)
        with pytest.raises(Unavailable):
            await pile.make(terms(ward), [], {}, NOW)
        assert beside.over
        await pile.clear()

    async def test_ends_with_a_fault(self, ward: Ward, beside: DeskBeside) -> None:
        with pytest.raises(Unavailable):
            await beside.pile().make(terms(ward), [], {}, NOW)
        assert beside.over


class TestDesks:
    async def test_are_in_this_process_until_a_large_import(self) -> None:
        desks = Desks(1)
        assert isinstance(desks.pile(), PileHere)
        await desks.open()
        await desks.ready()
        assert isinstance(desks.pile(), PileBeside)
        await desks.close()
        assert isinstance(desks.pile(), PileHere)

    async def test_that_ended_are_started_again(self) -> None:
        desks = Desks(1)
        await desks.open()
        await desks.ready()
        [first] = desks._beside
        kill(first)
        await asyncio.wait([first._listening])
        await desks.open()
        assert desks._beside != [first]
        await desks.close()

    async def test_are_several_processes_that_end_with_the_one_that_loaded_them(self) -> None:
        desks = Desks(2)
        await desks.open()
        await desks.ready()
        pids = [desk.pid for desk in desks._beside]
        loaded = desks._beside[0]._program
        assert len({*pids, loaded.pid}) == 3
        kill(desks._beside[0])
        await asyncio.wait([desks._beside[0]._listening])
        assert isinstance(desks.pile(), PileBeside), "the other one goes on"
        await desks.close()
        assert loaded._process.returncode == 0, "it has waited for both"
        for pid in pids:
            with pytest.raises(ProcessLookupError):
                os.kill(pid or 0, 0)

    async def test_that_cannot_start_are_not_waited_for(self) -> None:
        desks = Desks(2)
        await desks.open()
        os.killpg(desks._beside[0]._program.pid, signal.SIGKILL)
        await desks.ready()
        assert isinstance(desks.pile(), PileHere)
        await desks.close()


class TestImport:
    async def test_goes_on_when_the_process_beside_it_is_killed(self, ward: Ward) -> None:
        long = [{"text": "Ghi chú " * 400}]
        lines = [observation(f"o{number}", "p", note=long) for number in range(2_500)]
        upload = await ward.upload(ndjson([patient("p"), *lines]))
        async with ward.work() as work:
            name = await verbs.begin_import(work, verbs.AskedImport("test", upload=upload))
        worker = ward.worker()
        working = asyncio.create_task(worker.turn(None))
        killed = await kill_one(worker._desks, working)
        await working
        job = await ward.done(name, worker)
        assert killed
        assert (job.state, job.progress["stored"], job.progress["refused"]) == ("done", 2_501, 0)
        assert await faults(ward) == []

    async def test_indexes_as_every_other_way_does(self, ward: Ward) -> None:
        async with ward.work() as work:
            await update_resource(work, OWN)
            await update_resource(work, patient("p"))
            await update_resource(work, observation("o0", "p"))
        lines = [observation(f"o{number}", "p", note=NOTE) for number in range(600)]
        job = await ward.imported(ndjson([patient("p"), *lines]))
        assert (job.progress["stored"], job.progress["found"], job.progress["refused"]) == (600, 1, 0)
        assert await faults(ward) == []


def kill(desk: DeskBeside) -> None:
    """End its process at once."""
    assert desk.pid is not None
    os.kill(desk.pid, signal.SIGKILL)


async def kill_one(desks: Desks, working: asyncio.Task[bool]) -> bool:
    """Kill the first process that has begun to read lines, while there is work."""
    while not working.done():
        for desk in desks._beside:
            if desk.usable and desk.piles:
                kill(desk)
                return True
        await asyncio.sleep(0.005)
    return False


async def faults(ward: Ward) -> list[Any]:
    """What `emr records verify` finds."""
    found: list[Any] = []
    last: int | None = 0
    while last is not None:
        async with ward.work() as work:
            compared = await verify(work, last)
        found += compared.differences
        last = compared.last
    return found
