"""The same behind PgBouncer in transaction mode, where each transaction gets whatever backend is free; and the whole
service there: people, machines, writes, searches, the worker and the trail.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, cast

import asyncpg
import httpx
import pytest

from emr.audit.checking import Asked, check
from emr.audit.stored import waiting
from emr.db import pools
from emr.db.roles import refuse_powerful_login
from emr.kernel.errors import Unavailable
from emr.work.preconditions import demand_safe
from tests.fhir.samples import bundle, entry, found, made, patient, put
from tests.house import House, served
from tests.isolation.leaks.hospitals import Hospitals
from tests.isolation.leaks.kept import backends, forgotten_by_the_journal, misplaced
from tests.isolation.leaks.storm import Storm
from tests.isolation.leaks.trouble import KINDS
from tests.servers.pgbouncer import pgbouncer
from tests.servers.ports import free_port
from tests.warehouse.world import World, start_worker, stop

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]
PROBES = 4_000
BACKENDS = 3


@pytest.fixture(scope="module")
def bounced(four: Hospitals) -> Iterator[str]:
    """The service's address through PgBouncer."""
    with pgbouncer(four.house.settings.database.url, backends=BACKENDS) as url:
        yield url


@pytest.fixture(scope="module")
def pooled(lived_in: Hospitals) -> Iterator[House]:
    """The web service behind it."""
    settings = lived_in.house.settings
    with pgbouncer(settings.database.url, backends=BACKENDS) as url:
        yield from serving(lived_in, url)


def serving(lived_in: Hospitals, url: str) -> Iterator[House]:
    settings = lived_in.house.settings
    there = settings.database.model_copy(update={"url": url, "pooler": True})
    http = settings.http.model_copy(update={"base_url": f"http://127.0.0.1:{free_port()}"})
    warehouse = settings.warehouse.model_copy(update={"linger_ms": 20})
    house = replace(
        lived_in.house, settings=settings.model_copy(update={"database": there, "http": http, "warehouse": warehouse})
    )
    with served(house) as made_:
        yield made_


def storm(four: Hospitals, url: str, probes: int, *, trouble: float, writes: int = 15) -> Storm:
    async def run() -> Storm:
        parts = four.parts(size=8, url=url)
        await parts.open()
        try:
            return await Storm(four, parts, seed=23, trouble=trouble, writes=writes).run(probes)
        finally:
            await parts.close()

    return asyncio.run(run())


@pytest.fixture(scope="module")
def weathered(four: Hospitals, bounced: str) -> Storm:
    return storm(four, bounced, PROBES, trouble=4)


class TestProbes:
    def test_none_shows_what_is_another_hospitals(self, weathered: Storm) -> None:
        assert (weathered.tally.leaks, weathered.tally.blind) == ([], [])
        assert weathered.tally.total >= PROBES

    def test_nobody_else_notices_trouble(self, weathered: Storm) -> None:
        assert weathered.broken == []
        assert len(weathered.tally.lost.keys() & set(KINDS)) > 3

    def test_nothing_was_written_where_it_does_not_belong(self, weathered: Storm, four: Hospitals) -> None:
        assert weathered.changes > PROBES // 200
        assert misplaced(four) == []

    def test_no_backend_is_kept(self, weathered: Storm, four: Hospitals) -> None:
        assert weathered.tally.total
        wait_until(lambda: backends(four) == [])

    def test_a_role_that_is_taken_for_the_session_turns_them_red(
        self, four: Hospitals, bounced: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What one transaction leaves on a backend is the next one's, whoever that is."""

        def becoming(role: str, path: str) -> str:
            return f"SET ROLE {role};SET search_path TO {path}"

        def prologue(self: pools.Cell, schema: str, begin: str, driver: Any) -> str:
            known.setdefault(id(driver), becoming(schema, schema))
            return f"{known.pop(id(driver))};{begin}" if id(driver) not in seen and not seen.add(id(driver)) else begin

        known: dict[int, str] = {}
        seen: set[int] = set()
        with forgotten_by_the_journal(four), monkeypatch.context() as patch:
            patch.setattr(pools.Cell, "_prologue", prologue)
            found_ = storm(four, bounced, 300, trouble=0, writes=0)
        assert "leaks" in found_.red
        with asyncio.Runner() as runner:
            runner.run(forgotten(bounced))


async def forgotten(url: str) -> None:
    """Every backend is itself again."""
    drivers = [await asyncpg.connect(url, statement_cache_size=0) for _ in range(BACKENDS)]
    for each in drivers:
        await each.execute("BEGIN; RESET ROLE; RESET search_path")
    for each in drivers:
        await each.execute("COMMIT")
        await each.close()


class TestTheSetting:
    def test_without_it_nothing_works(self, four: Hospitals, bounced: str) -> None:
        """PgBouncer knows no parameters of a connection but its own few, and says so to the first who asks."""

        async def run() -> None:
            settings = four.house.settings.database.model_copy(update={"url": bounced})
            parts = pools.databases(settings)
            await parts.open()
            async with parts.hospital(four.all[0].tenant) as connection:
                await connection.fetchval("SELECT 1")

        with pytest.raises((asyncpg.PostgresError, Unavailable)):
            asyncio.run(run())

    def test_the_login_is_looked_at_through_it(self, pooled: House) -> None:
        refuse_powerful_login(pooled.settings.database.url)
        demand_safe(pooled.settings)


class TestTheService:
    @pytest.fixture
    def doctor(self, pooled: House) -> Iterator[httpx.Client]:
        with pooled.client(slug="an-binh") as client:
            yield client

    def test_who_brings_a_token_writes_reads_and_finds(self, doctor: httpx.Client, lived_in: Hospitals) -> None:
        word = lived_in.all[0].word
        person = made(doctor, patient(name=[{"family": f"{word}nguoi"}]))
        key = person["id"]
        assert doctor.get(f"/Patient/{key}").json()["id"] == key
        assert put(doctor, person | {"gender": "female"}).status_code == 200
        assert found(doctor, f"Patient?family={word}nguoi") == [key]
        assert doctor.get(f"/Patient/{key}/_history").json()["total"] == 2
        assert doctor.get(f"/Patient/{key}/$everything").status_code == 200
        assert doctor.delete(f"/Patient/{key}").status_code == 204
        assert doctor.get(f"/Patient/{key}").status_code == 410

    def test_a_transaction_is_kept_whole_or_not_at_all(self, doctor: httpx.Client) -> None:
        good = entry("PUT", "Patient/pooled", patient(id="pooled"))
        bad = entry("POST", "Observation", {"resourceType": "Observation", "subject": {"reference": "Patient/no"}})
        assert bundle(doctor, "transaction", good, bad).status_code >= 400
        assert doctor.get("/Patient/pooled").status_code == 404
        assert bundle(doctor, "transaction", good).status_code == 200
        assert doctor.get("/Patient/pooled").status_code == 200

    def test_a_limited_sight_is_limited_there(self, pooled: House) -> None:
        with pooled.client(slug="binh-minh") as client:
            assert [client.get(f"/Patient/p{number}").status_code for number in (1, 11)] == [200, 404]

    def test_a_page_is_shown(self, pooled: House, doctor: httpx.Client) -> None:
        page = doctor.get(f"{pooled.url}/h/an-binh/patients/p1", headers={"Accept": "text/html"})
        assert page.status_code == 200
        assert "chung" in page.text.lower()

    def test_others_are_refused(self, pooled: House, doctor: httpx.Client) -> None:
        assert doctor.get(f"{pooled.fhir('chi-lang')}/Patient/p1").status_code == 403
        assert httpx.get(f"{pooled.fhir('an-binh')}/Patient/p1", trust_env=False).status_code == 401

    def test_many_at_once_on_three_backends(self, pooled: House, lived_in: Hospitals) -> None:
        """More connections than backends, a good part of them in several transactions for one answer."""

        async def ask(client: httpx.AsyncClient, number: int) -> list[str]:
            here = lived_in.all[number % 4]
            headers = {"Authorization": f"Bearer {pooled.token('his', here.slug)}"}
            path = ("Patient/p1", f"Patient?family={here.word}", "Observation/o3/_history")[number % 3]
            answer = await client.get(f"{pooled.fhir(here.slug)}/{path}", headers=headers)
            assert answer.status_code == 200, answer.text
            assert here.word in answer.text
            return lived_in.strangers_in(here, answer.content)

        async def run() -> list[list[str]]:
            async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
                rounds = [[ask(client, number) for number in range(begin, begin + 24)] for begin in range(0, 120, 24)]
                return [each for some in rounds for each in await asyncio.gather(*some)]

        for here in lived_in.all:
            pooled.token("his", here.slug)
        assert asyncio.run(run()) == [[]] * 120

    def test_the_worker_relays_and_seals(self, pooled: House, doctor: httpx.Client) -> None:
        key = made(doctor, patient())["id"]
        schema = pooled.tenants["an-binh"].schema
        worker = start_worker(cast(World, pooled))
        try:
            wait_until(none_left(pooled, "SELECT count(*) FROM cell.outbox"), seconds=120)
            wait_until(none_left(pooled, "SELECT count(*) FROM cell.audit_journal"), seconds=120)
        finally:
            stop(worker)
        assert waiting(pooled.settings.database.url, schema).rows == 0
        report = check(Asked(pooled.settings.database.url, schema, "an-binh", None))
        assert report.faults == []
        rows = f"SELECT count(*) FROM {schema}.audit_events WHERE row LIKE %s"
        assert pooled.sql(rows, f"%{key}%") == [(1,)]


def none_left(house: House, query: str) -> Callable[[], bool]:
    return lambda: house.sql(query) == [(0,)]


def wait_until(done: Callable[[], bool], *, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)
