"""Two hospitals in a real PostgreSQL, a warehouse in a folder or on MinIO, and workers as real processes."""

import base64
import json
import os
import secrets
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet

from emr.fleet.applying import apply
from emr.fleet.migration import migrate
from emr.identity.principal import system_principal
from emr.records.create import create_resource
from emr.records.delete import delete
from emr.records.update import update_resource
from emr.settings import Border, Database, Keys, Settings, Storage, Telemetry, Warehouse, Worker
from emr.tenancy.definition import HospitalFile
from emr.work.faults import POINT
from emr.work.runtime import Runtime, runtime
from emr.work.unit import UnitOfWork, unit_of_work
from emr.worker import run
from emr_demo.postgres import Cluster
from tests.curtain import behind
from tests.forks import forked

SLUGS = ("cau-vong", "hoa-sen")
Key = tuple[str, str, int]
_TENANTS = Path(__file__).parents[2] / "tenants"


@dataclass(frozen=True)
class World:
    """Settings of a platform that is migrated and has both hospitals, and SQL as the superuser."""

    settings: Settings
    superuser: str

    def sql(self, statement: str, *parameters: object) -> list[Any]:
        return behind(self.superuser, statement, parameters)

    def schema(self, slug: str) -> str:
        return str(self.sql("SELECT schema FROM directory.tenants WHERE slug = %s", slug)[0][0])

    def tenant_id(self, slug: str) -> str:
        return str(self.sql("SELECT id FROM directory.tenants WHERE slug = %s", slug)[0][0])

    def record(self, slug: str) -> Counter[Key]:
        """What the hospital's tables hold, by SQL alone."""
        schema = self.schema(slug)
        return Counter(
            self.sql(
                f"SELECT type, id, version FROM {schema}.resources UNION ALL"
                f" SELECT r.type, r.id, v.version FROM {schema}.resource_versions v JOIN {schema}.resources r USING (pk)"
            )
        )

    def waiting(self) -> int:
        return int(self.sql("SELECT count(*) FROM cell.outbox WHERE error IS NULL")[0][0])

    def unsealed(self) -> int:
        return int(self.sql("SELECT count(*) FROM cell.audit_journal")[0][0])

    def receipts(self, slug: str) -> Counter[Key]:
        return Counter(self.sql("SELECT type, id, version FROM cell.deliveries WHERE tenant = %s", self.schema(slug)))

    def empty(self) -> None:
        """Forget what earlier tests delivered or left waiting."""
        self.sql("TRUNCATE cell.outbox, cell.batches, cell.deliveries, cell.jobs, cell.audit_journal")
        self.sql(
            "TRUNCATE directory.audit_journal, directory.audit_events, directory.audit_seals, directory.audit_archives"
        )
        for slug in SLUGS:
            names = ", ".join(f"{self.schema(slug)}.{name}" for name in _RECORD)
            self.sql(f"TRUNCATE {names}")

    def bury(self) -> None:
        """The leases of workers that are known to be dead end now, and not when they would have run out."""
        self.sql("UPDATE cell.jobs SET leased_until = '-infinity'")

    def at(self, warehouse: Warehouse) -> "World":
        return replace(self, settings=self.settings.model_copy(update={"warehouse": warehouse}))

    def telling(self, telemetry: Telemetry) -> "World":
        return replace(self, settings=self.settings.model_copy(update={"telemetry": telemetry}))


_RECORD = (
    "resources", "resource_versions", "tokens", "links", "strings", "dates", "identifiers", "compartments",
    "audit_events", "audit_seals", "audit_archives",
)  # fmt: skip


def make_world(cluster: Cluster, folder: Path, database: str) -> World:
    """A database of this name with both hospitals, and settings with which everything else starts."""
    cluster.create_login("emr_owner", options="CREATEROLE")
    cluster.create_login("emr_app", options="NOINHERIT")
    cluster.create_database(database, owner="emr_owner")
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    settings = Settings(
        profile="test",
        tenants=_TENANTS,
        database=Database(
            url=cluster.url(role="emr_app", database=database),
            owner_url=cluster.url(role="emr_owner", database=database),
        ),
        storage=Storage(folder=folder / "objects"),
        keys=Keys(master=f"k1:{key}", signing=key, sealing=key),
        warehouse=Warehouse(url=str(folder / "warehouse"), poll_ms=20, linger_ms=0),
        worker=Worker(lease_seconds=0.5, drain_seconds=20),
        border=Border(nightly=False),
    )
    assert not [step for step in migrate(settings.database) if step.error]
    assert not [outcome for outcome in apply(settings, _no_organizations) if outcome.error]
    return World(settings, cluster.url(database=database))


def _no_organizations(hospital: HospitalFile, known: str | None) -> str | None:
    return known


@asynccontextmanager
async def opened(world: World) -> AsyncIterator[Runtime]:
    parts = runtime(world.settings)
    await parts.open()
    try:
        yield parts
    finally:
        await parts.close()


@asynccontextmanager
async def working(parts: Runtime, slug: str) -> AsyncIterator[UnitOfWork]:
    tenant = parts.registry.by_slug(slug)
    async with unit_of_work(parts, tenant, system_principal("test", tenant_id=tenant.id)) as work:
        yield work


async def write_history(parts: Runtime, slug: str, number: int) -> None:
    """A patient of two versions, with an observation that is taken back: five versions in two transactions."""
    async with working(parts, slug) as work:
        patient = await create_resource(work, patient_of(number))
        observation = await create_resource(work, observation_of(patient.id))
    async with working(parts, slug) as work:
        await update_resource(work, patient_of(number, "Trần") | {"id": patient.id})
        await delete(work, "Observation", observation.id)


def patient_of(number: int, family: str = "Nguyễn") -> dict[str, Any]:
    return {"resourceType": "Patient", "name": [{"family": family, "given": [f"Thử {number}"]}]}


def observation_of(patient: str) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "Mạch"},
        "subject": {"reference": f"Patient/{patient}"},
    }


started: list[BaseProcess] = []
"""Workers of the running test; the fixture ends those that a failed test left behind."""


def start_worker(world: World, kill_at: str = "", *, port: int = 0) -> BaseProcess:
    """A worker in a process of its own, which ends itself at the named point."""
    process = forked(_worker, world.settings, kill_at, port)
    started.append(process)
    return process


def stop(process: BaseProcess) -> None:
    """Ask it to end, once it is so far that it can be asked."""
    assert process.pid is not None
    deadline = time.monotonic() + 60
    while not heeds(process.pid):
        assert process.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGTERM)
    process.join(30)
    assert process.exitcode == 0


def heeds(pid: int) -> bool:
    """Whether it catches the signal that asks it to end: its status has a bit for each that it catches (proc(5))."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    (caught,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught, 16) & 1 << signal.SIGTERM - 1)


def _worker(settings: Settings, kill_at: str, port: int) -> None:
    # A session of its own, by which whatever it starts is known, also when it is dead.
    os.setsid()
    os.environ[POINT] = kill_at
    raise SystemExit(run(settings, port))


def read_by_hand(table: Path, tenant_id: str) -> Counter[Key]:
    """The table without any Delta library: the log's JSON and the Parquet files that it leaves in force."""
    return Counter((row["type"], row["id"], row["version"]) for row in rows_by_hand(table, tenant_id))


def rows_by_hand(table: Path, tenant_id: str) -> Iterator[dict[str, Any]]:
    files: dict[str, None] = {}
    for commit in sorted((table / "_delta_log").glob("*.json")):
        for action in map(json.loads, commit.read_text("utf-8").splitlines()):
            if "add" in action:
                files[action["add"]["path"]] = None
            if "remove" in action:
                files.pop(action["remove"]["path"], None)
    for path in files:
        rows = parquet.read_table(table / path, partitioning=None).to_pylist()
        yield from (row for row in rows if row["tenant_id"] == tenant_id)
