"""The verbs behind the privacy officer's pages."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest

from emr.audit.reading import Wanted
from emr.kernel.errors import Forbidden, NotFound
from emr.privacy import trail
from emr.privacy.trail import read_entry, report_on_patient, search_trail
from emr.work.runtime import Runtime
from emr.work.unit import UnitOfWork, unit_of_work
from tests.fhir.samples import made, patient
from tests.house import CAU_VONG, HOA_SEN, House

Seal = Callable[[], None]


@asynccontextmanager
async def working(live: House, parts: Runtime, *duties: str, slug: str = HOA_SEN) -> AsyncIterator[UnitOfWork]:
    who = replace(live.principal("archivist", slug), duties=frozenset(duties))
    async with unit_of_work(parts, parts.registry.by_slug(slug), who) as work:
        yield work


def read_often(doctor: httpx.Client, times: int) -> str:
    person = str(made(doctor, patient())["id"])
    for _ in range(times):
        doctor.get(f"/Patient/{person}").raise_for_status()
    return person


@pytest.mark.anyio
class TestTrail:
    async def test_without_the_duty_each_verb_is_refused(self, live: House, parts: Runtime) -> None:
        with pytest.raises(Forbidden):
            async with working(live, parts) as work:
                await search_trail(work, Wanted())
        with pytest.raises(Forbidden):
            async with working(live, parts) as work:
                await report_on_patient(work, "p", Wanted())
        with pytest.raises(Forbidden):
            async with working(live, parts) as work:
                await read_entry(work, 1)

    async def test_another_hospitals_rows_are_not_there(
        self, live: House, parts: Runtime, doctor: httpx.Client, seal: Seal
    ) -> None:
        person = read_often(doctor, 1)
        seal()
        async with working(live, parts, "privacy", slug=CAU_VONG) as work:
            assert (await report_on_patient(work, person, Wanted())).entries == ()

    async def test_a_report_names_each_look_in_turn(
        self, live: House, parts: Runtime, doctor: httpx.Client, seal: Seal
    ) -> None:
        person = read_often(doctor, 5)
        seal()
        async with working(live, parts, "privacy") as work:
            first = await report_on_patient(work, person, Wanted(), count=4)
            assert first.before is not None
            rest = await report_on_patient(work, person, Wanted(before=first.before), count=4)
        acts = [entry.text["action"] for entry in (*first.entries, *rest.entries)]
        assert acts == ["record.read"] * 5 + ["record.created"]
        assert rest.before is None
        assert {entry.text["patients"][0] for entry in first.entries} == {person}

    async def test_what_only_the_rows_tell_is_looked_for_a_while_and_then_on_the_next_page(
        self, live: House, parts: Runtime, doctor: httpx.Client, seal: Seal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        person = read_often(doctor, 6)
        seal()
        monkeypatch.setattr(trail, "_PIECE", 2)
        monkeypatch.setattr(trail, "_LOOKED_THROUGH", 4)
        wanted, pages = Wanted(patient=person), []
        async with working(live, parts, "privacy") as work:
            while True:
                page = await search_trail(work, wanted, fits=lambda entry: entry.text["action"] == "record.created")
                pages.append(len(page.entries))
                if page.before is None:
                    break
                wanted = replace(wanted, before=page.before)
        assert pages == [0, 1]

    async def test_a_number_that_is_none_is_not_found(self, live: House, parts: Runtime) -> None:
        with pytest.raises(NotFound):
            async with working(live, parts, "privacy") as work:
                await read_entry(work, 10**15)
