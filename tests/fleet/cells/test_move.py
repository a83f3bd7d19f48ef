"""A hospital moves to another cell and back: nothing lost, nothing twice, and whoever is refused changes nothing."""

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import psycopg
import pytest

from emr.db.migrate import History, Target, drift, owner_engine
from emr.fleet.leaving.forgetting import forget
from emr.fleet.moving import fence
from emr.fleet.moving.move import Wish, drop_copies, move, undo
from emr.fleet.moving.parts import parts_of
from emr.kernel.errors import Conflict, Refusal
from emr.kernel.tenant import Tenant
from emr.settings import Settings
from emr.tenancy import registry
from emr.warehouse.outbox import DESTINATION
from emr.work.faults import POINT, kill_points
from tests.fhir.samples import mark, patient
from tests.fleet.cells.world import NORTH, City
from tests.forks import forked
from tests.house import CAU_VONG, HOA_SEN, House
from tests.warehouse.test_worker import wait_until

DEFAULT = "default"


@pytest.fixture(scope="module")
def mover(two: City) -> Iterator[Tenant]:
    """A hospital that nobody works at, for what concerns its tables alone."""
    made = two.house.new_hospital(f"di-{mark()[:8]}")
    yield made
    forget(two.house.settings.database, made.id, made.schema)
    assert two.house.sql("SELECT 1 FROM directory.tenants WHERE id = %s", made.id) == []


def cell_of(house: House, slug: str) -> str:
    [(cell,)] = house.sql("SELECT cell FROM directory.tenants WHERE slug = %s", slug)
    return str(cell)


def directory(house: House, slug: str) -> list[Any]:
    of = "SELECT id FROM directory.tenants WHERE slug = %s"
    return [
        house.sql("SELECT cell, state, moving_since, definition FROM directory.tenants WHERE slug = %s", slug),
        house.sql(f"SELECT phase, source, target FROM directory.moves WHERE tenant_id = ({of}) ORDER BY id", slug),
        house.sql(f"SELECT event FROM directory.tenant_events WHERE tenant_id = ({of}) ORDER BY number", slug),
    ]


class TestRefused:
    @pytest.mark.parametrize(
        ("to", "says"),
        [
            ("south", "There is no cell south here; there is default, north."),
            (DEFAULT, "hoa-sen is in the cell default already."),
        ],
        ids=["unknown", "the same"],
    )
    def test_a_cell_that_cannot_be_is_told_with_the_reason(self, two: City, to: str, says: str) -> None:
        before = directory(two.house, HOA_SEN)
        with pytest.raises(Refusal, match=says):
            move(two.house.settings.database, Wish(HOA_SEN, to, "test"))
        assert directory(two.house, HOA_SEN) == before

    def test_an_unknown_hospital(self, two: City) -> None:
        done = two.emr("tenants", "move", "nowhere", "--to", NORTH)
        assert (done.returncode, done.stderr) == (2, "There is no hospital nowhere.\n")

    def test_a_full_cell(self, two: City, mover: Tenant) -> None:
        before = directory(two.house, mover.slug)
        full = two.house.settings.database.model_copy(update={"cell_hospitals": 1})
        two.house.new_hospital(f"bac-{mark()[:8]}", cell=NORTH)
        with pytest.raises(Conflict, match="The cell north has 1 hospitals, and takes no more"):
            move(full, Wish(mover.slug, NORTH, "test"))
        assert directory(two.house, mover.slug) == before

    def test_a_cell_that_is_behind(self, two: City, mover: Tenant) -> None:
        before = directory(two.house, mover.slug)
        two.sql("UPDATE cell.alembic_version SET version_num = 'cell_0001'")
        try:
            with pytest.raises(Conflict, match="The cell north stands at cell_0001"):
                move(two.house.settings.database, Wish(mover.slug, NORTH, "test"))
        finally:
            two.sql("UPDATE cell.alembic_version SET version_num = 'cell_0003'")
        assert directory(two.house, mover.slug) == before
        assert two.sql("SELECT 1 FROM pg_namespace WHERE nspname = %s", mover.schema) == []

    def test_a_dry_run_says_and_does_nothing(self, two: City, mover: Tenant) -> None:
        before = directory(two.house, mover.slug)
        said = json.loads(two.emr("tenants", "move", mover.slug, "--to", NORTH, "--dry-run", "--json").stdout)
        assert (said["from"], said["to"], said["done"], said["bytes"] > 0) == (DEFAULT, NORTH, False, True)
        assert directory(two.house, mover.slug) == before

    def test_nothing_to_undo_and_no_copy_to_drop(self, two: City, mover: Tenant) -> None:
        database = two.house.settings.database
        for act in (lambda: undo(database, mover.slug, "x"), lambda: drop_copies(database, mover.slug, "x")):
            with pytest.raises(Refusal):
                act()


class TestParts:
    def test_every_table_of_a_hospital_goes_along(self, two: City, mover: Tenant) -> None:
        tables = two.house.sql("SELECT tablename FROM pg_tables WHERE schemaname = %s", mover.schema)
        assert {name for (name,) in tables} - {"alembic_version"} == {
            part.table for part in parts_of(mover.schema) if part.schema == mover.schema
        }

    def test_the_relay_s_lease_is_called_what_the_worker_calls_it(self) -> None:
        assert f"relay:{DESTINATION}" == fence.RELAY


@dataclass
class Writers:
    """People who write and read over HTTP until they are told to stop, and what they were answered."""

    house: House
    slug: str
    acknowledged: dict[str, int] = field(default_factory=dict)
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    strange: list[str] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        known: str | None = None
        with self.house.client(slug=self.slug) as client:
            while not self.stopping.is_set():
                asked = time.monotonic()
                if known is None:
                    answer = client.post("/Patient", json=patient())
                else:
                    version = self.acknowledged[known]
                    changed = patient(id=known, birthDate=f"19{10 + version % 80}-01-01")
                    answer = client.put(f"/Patient/{known}", json=changed)
                self.note("write", answer, asked)
                if answer.status_code in (200, 201):
                    made = answer.json()
                    known = None if int(made["meta"]["versionId"]) > 3 else made["id"]
                    self.acknowledged[made["id"]] = int(made["meta"]["versionId"])
                if self.acknowledged:
                    asked = time.monotonic()
                    self.note("read", client.get(f"/Patient/{next(iter(self.acknowledged))}"), asked)
                time.sleep(0.02)

    def note(self, kind: str, answer: httpx.Response, asked: float) -> None:
        self.answers[kind, answer.status_code] += 1
        moving = answer.status_code == 503 and '"hospital-moving"' in answer.text and "retry-after" in answer.headers
        if kind == "write" and moving:
            self.refused.append(asked)
        elif answer.status_code not in (200, 201):
            self.strange.append(f"{kind} {answer.status_code} {answer.text[:300]}")


@contextmanager
def writing(house: House, slug: str) -> Iterator[Writers]:
    writers = Writers(house, slug)
    threads = [threading.Thread(target=writers.work, daemon=True) for _ in range(3)]
    for each in threads:
        each.start()
    try:
        yield writers
    finally:
        writers.stopping.set()
        for each in threads:
            each.join(30)


class TestUnderLoad:
    def test_there_and_back_while_people_write(self, two: City, monkeypatch: pytest.MonkeyPatch) -> None:
        # The service looks so often that it has heard of each step in time, however busy the machine is.
        monkeypatch.setattr(registry, "REFRESH_SECONDS", 0.2)
        house, schema = two.house, two.house.tenants[CAU_VONG].schema
        with two.worker(), writing(house, CAU_VONG) as writers:
            wait_until(lambda: len(writers.acknowledged) > 10)
            self.moved(two, NORTH, writers)
            assert two.sql(f"SELECT count(*) FROM {schema}.resources")[0][0] > 10
            with pytest.raises(Conflict, match="The old copy is kept until"):
                drop_copies(house.settings.database, CAU_VONG, "test")
            self.moved(two, DEFAULT, writers)
            writers.stopping.set()
            wait_until(lambda: house.sql("SELECT count(*) FROM cell.outbox")[0][0] == 0)
        assert writers.strange == []
        assert writers.refused
        with house.client(slug=CAU_VONG) as client:
            for key, version in writers.acknowledged.items():
                found = client.get(f"/Patient/{key}").json()
                assert int(found["meta"]["versionId"]) >= version
                assert client.get(f"/Patient/{key}/_history/1").status_code == 200
        for table in ("outbox", "deliveries", "audit_journal", "subscribers", "notices", "events"):
            assert two.sql(f"SELECT count(*) FROM cell.{table} WHERE tenant = %s", schema) == [(0,)], table
        compared = json.loads(two.emr("warehouse", "replay", "--dry-run", "--json").stdout)["hospitals"]
        assert {each["hospital"]: each["whole"] for each in compared}[CAU_VONG], compared
        verified = json.loads(two.emr("audit", "verify", "--json").stdout)
        assert [each for each in verified["streams"] if not each["whole"]] == []
        assert drop_copies(house.settings.database, CAU_VONG, "test", early=True) == [NORTH]
        assert two.sql("SELECT 1 FROM pg_namespace WHERE nspname = %s", schema) == []
        assert two.sql("SELECT 1 FROM pg_roles WHERE rolname LIKE %s", f"{schema}%") == []
        with house.client(slug=CAU_VONG) as client:
            assert client.get("/Patient?_count=1").status_code == 200

    def moved(self, two: City, to: str, writers: Writers) -> None:
        before = len(writers.acknowledged)
        done = move(two.house.settings.database, Wish(CAU_VONG, to, "Lan", heard=1.3))
        assert (done.target, done.seconds < 40, done.rows["resources"] > 10) == (to, True, True)
        ended = time.monotonic()
        wait_until(lambda: len(writers.acknowledged) > before + 5)
        assert all(at < ended for at in writers.refused)
        assert cell_of(two.house, CAU_VONG) == to
        trail = two.house.sql(
            "SELECT row FROM directory.audit_journal UNION ALL SELECT row FROM directory.audit_events"
        )
        rows = [json.loads(row) for (row,) in trail if '"hospital.moved"' in row]
        assert (rows[-1]["actor"]["name"], {each["detail"]["to"] for each in rows} >= {to}) == ("Lan", True)


def _killed(settings: Settings, wish: Wish, point: str) -> None:
    os.environ[POINT] = point
    reached = kill_points(settings)
    move(settings.database, wish, lambda step, _: reached(f"move-{step}"))


class TestKilled:
    """Not at the same time as others: they move one hospital to and fro."""

    @pytest.fixture(autouse=True)
    def waiting(self, two: City, mover: Tenant) -> None:
        """Something of everything that goes along waits in the hospital's cell, whichever it is."""
        ask = two.sql if cell_of(two.house, mover.slug) == NORTH else two.house.sql
        one, schema = mark(), mover.schema
        put = f"INSERT INTO {schema}.resources (type, id, version, updated, patients, body) VALUES"
        ask(f"{put} ('Patient', %s, 1, now(), '{{}}', '\\x00')", one)
        ask("INSERT INTO cell.outbox (tenant, type, id, version) VALUES (%s, 'Patient', %s, 1)", schema, one)
        ask("INSERT INTO cell.audit_journal (tenant, at, row) VALUES (%s, now(), %s)", schema, json.dumps({"x": one}))
        ask("INSERT INTO cell.subscribers (tenant, id, type, state, owner) VALUES (%s, %s, 'Patient', 'active', 'x')",
            schema, one)  # fmt: skip
        ask("INSERT INTO cell.notices (tenant, type, id, version, deleted) VALUES (%s, 'Patient', %s, 1, false)",
            schema, one)  # fmt: skip
        ask("INSERT INTO cell.events VALUES (%s, %s, 1, 'Patient', %s, 1, 'create', now(), now())", schema, one, one)
        ask("INSERT INTO cell.deliveries VALUES (%s, %s, 'Patient', %s, 1, 1, NULL, now())", "warehouse", schema, one)

    def kept(self, two: City, schema: str, cell: str) -> dict[str, Any]:
        """What is in one cell of the hospital; of its journal without what the move itself says."""
        ask = two.sql if cell == NORTH else two.house.sql
        tables = ("outbox", "subscribers", "notices", "events", "deliveries")
        found = {name: sorted(ask(f"SELECT id FROM cell.{name} WHERE tenant = %s", schema)) for name in tables}
        journal = (
            "SELECT row FROM cell.audit_journal WHERE tenant = %s AND row NOT LIKE '%%hospital.moved%%' ORDER BY 1"
        )
        found["journal"] = ask(journal, schema)
        return found

    def own(self, two: City, schema: str, cell: str) -> list[Any]:
        ask = two.sql if cell == NORTH else two.house.sql
        return ask(f"SELECT pk, type, id, version FROM {schema}.resources ORDER BY pk")

    @pytest.mark.parametrize("step", ["compared resources", "settled", "carried"])
    def test_the_same_command_goes_on_and_nothing_is_lost_or_twice(self, two: City, mover: Tenant, step: str) -> None:
        source = cell_of(two.house, mover.slug)
        target = NORTH if source == DEFAULT else DEFAULT
        before, record = self.kept(two, mover.schema, source), self.own(two, mover.schema, source)
        wish = Wish(mover.slug, target, "test", heard=0.1, keep=timedelta())
        process = forked(_killed, two.house.settings, wish, f"move-{step}")
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
        with pytest.raises(Conflict, match="is on its way to the cell"):
            move(two.house.settings.database, Wish(mover.slug, source, "test", heard=0.1))
        done = move(two.house.settings.database, wish)
        assert (done.target, cell_of(two.house, mover.slug)) == (target, target)
        assert self.kept(two, mover.schema, target) == before
        assert self.own(two, mover.schema, target) == record
        empty = {name: [] for name in before}
        assert self.kept(two, mover.schema, source) == empty
        [(moving,)] = two.house.sql("SELECT moving_since FROM directory.tenants WHERE slug = %s", mover.slug)
        assert moving is None
        self.as_before(two, mover, target)

    def as_before(self, two: City, mover: Tenant, cell: str) -> None:
        """Tables as the scripts make them, rights as ever, the next number free, and the move told once in the trail."""
        settings, ask = two.house.settings.database, two.sql if cell == NORTH else two.house.sql
        url = settings.cell_owners[NORTH] if cell == NORTH else settings.owner_url
        with owner_engine(url).connect() as connection:
            assert drift(connection, Target(History.TENANT, mover.schema)) == []
        address = settings.cells[NORTH] if cell == NORTH else settings.url
        with psycopg.connect(address) as own:
            own.execute(f"SET ROLE {mover.schema}")
            own.execute(f"SET search_path TO {mover.schema}")
            own.execute(
                "INSERT INTO resources (type, id, version, updated, patients, body)"
                " VALUES ('Patient', %s, 1, now(), '{}', '')",
                (mark(),),
            )
        told = "SELECT count(*) FROM cell.audit_journal WHERE tenant = %s AND row LIKE '%%hospital.moved%%'"
        [(moves,)] = two.house.sql(
            "SELECT count(*) FROM directory.moves m JOIN directory.tenants t ON t.id = m.tenant_id"
            " WHERE t.slug = %s AND m.phase = 'done'", mover.slug,
        )  # fmt: skip
        assert ask(told, mover.schema) == [(moves,)]

    @pytest.mark.parametrize("step", ["closed"])
    def test_undo_leaves_it_where_it_was(self, two: City, mover: Tenant, step: str) -> None:
        source = cell_of(two.house, mover.slug)
        target = NORTH if source == DEFAULT else DEFAULT
        before, record = self.kept(two, mover.schema, source), self.own(two, mover.schema, source)
        wish = Wish(mover.slug, target, "test", heard=0.1)
        process = forked(_killed, two.house.settings, wish, f"move-{step}")
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
        undo(two.house.settings.database, mover.slug, "test")
        assert (cell_of(two.house, mover.slug), self.own(two, mover.schema, source)) == (source, record)
        assert self.kept(two, mover.schema, source) == before
        ask = two.sql if target == NORTH else two.house.sql
        assert ask("SELECT 1 FROM pg_namespace WHERE nspname = %s", mover.schema) == []
        held = "SELECT count(*) FROM cell.outbox WHERE tenant = %s AND batch IS NOT NULL"
        assert (two.sql if source == NORTH else two.house.sql)(held, mover.schema) == [(0,)]
