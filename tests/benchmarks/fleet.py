"""B10: many hospitals in one database: made, nothing to migrate, a real migration, memory of backends, transactions.

`python -m tests.benchmarks.fleet [NUMBER [HOSPITALS]]`; HOSPITALS: that a connection serves at most
(`EMR_DATABASE__POOL_HOSPITALS`). A database of its own; a real migration is one script more in a copy of the
code, run by that copy's own `emr migrate`.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from emr.db.migrate import owner_engine
from emr.db.pools import databases
from emr.fleet import migration
from emr.fleet.files import read_hospitals
from emr.fleet.onboarding import make_hospital
from emr.settings import Database, Keys, Settings, Storage
from emr.tenancy.definition import HospitalFile
from emr.tenancy.registry import read_tenants
from emr_demo.onboarding import make_logins
from emr_demo.postgres import Cluster, Tuning
from tests.benchmarks.builds import THIS, command_of, next_build
from tests.benchmarks.load import Result
from tests.benchmarks.machine import description, largest_backend_mib, measured
from tests.house import ROOT, _key
from tests.servers.pgbouncer import pgbouncer

_AT_ONCE = 8
_SECONDS = 6.0
_READ = """
SELECT (SELECT count(*) FROM resources WHERE type = 'Patient' AND id = 'x'), (SELECT count(*) FROM tokens WHERE key = 1),
  (SELECT count(*) FROM dates WHERE key = 1), (SELECT count(*) FROM strings WHERE key = 1),
  (SELECT count(*) FROM links WHERE path = 1), (SELECT count(*) FROM identifiers WHERE type = 'Patient' AND value = 'x'),
  (SELECT count(*) FROM compartments WHERE pk = 1), (SELECT count(*) FROM resource_versions WHERE pk = 1)
"""


def fleet(number: int, knows: int = Database().pool_hospitals) -> list[Result]:
    """Everything with so many hospitals; `knows`: that a connection serves at most."""
    with tempfile.TemporaryDirectory(prefix="emr-fleet-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        cluster = Cluster(folder / "postgres", tuning=Tuning(shared_buffers_mib=512, log_kept_mib=1024))
        cluster.start()
        try:
            settings = _settings(cluster, folder, knows)
            assert not [step.error for step in migration.migrate(settings.database) if step.error]
            found = {"hospitals": number} | _made(settings, number)
            found["first_refresh_s"] = asyncio.run(_registry(settings))
            found |= _migrations(settings, folder)
            assert cluster._process is not None
            found |= asyncio.run(_transactions(settings, cluster._process.pid))
            found |= _behind_pgbouncer(settings, cluster._process.pid)
        finally:
            cluster.remove()
    return [Result("B10", f"{number} hospitals in one database", found)]


def _settings(cluster: Cluster, folder: Path, knows: int) -> Settings:
    logins = make_logins(cluster)
    return Settings(
        profile="test",
        tenants=ROOT / "tenants",
        database=Database(
            url=logins.service,
            owner_url=logins.owner,
            pool_size=8,
            pool_slices=2,
            pool_hospitals=knows,
            cell_hospitals=10_000,
        ),
        storage=Storage(folder=folder / "objects", endpoint=""),
        keys=Keys(master=f"test:{_key()}", signing=_key(), sealing=_key()),
    )


def _made(settings: Settings, number: int) -> dict[str, Any]:
    pattern = next(each for each in read_hospitals(ROOT / "tenants") if each.slug == "hoa-sen")
    hospitals = [_named(pattern, count) for count in range(number)]
    began = time.monotonic()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        seconds = list(processes.map(_make, repeat(settings), hospitals, chunksize=4))
    ordered = sorted(seconds)
    return {
        "made_in_s": round(time.monotonic() - began, 1),
        "one_p50_s": round(statistics.median(seconds), 2),
        "one_p95_s": round(ordered[int(len(ordered) * 0.95)], 2),
    }


def _named(pattern: HospitalFile, count: int) -> HospitalFile:
    slug = f"h-{count:04}"
    identity = pattern.identity.model_copy(update={"organization": slug, "domains": ()})
    more = {"slug": slug, "facility_code": f"{10_000 + count}", "dicom": None, "identity": identity}
    return pattern.model_copy(update=more)


def _make(settings: Settings, hospital: HospitalFile) -> float:
    began = time.monotonic()
    with owner_engine(settings.database.owner_url).begin() as connection:
        make_hospital(connection, settings, hospital)
    return time.monotonic() - began


async def _registry(settings: Settings) -> float:
    pools = databases(settings.database)
    await pools.directory.open()
    async with pools.directory.connection() as connection:
        began = time.monotonic()
        await read_tenants(connection)
        taken = time.monotonic() - began
    await pools.directory.close()
    return round(taken, 3)


def _migrations(settings: Settings, folder: Path) -> dict[str, Any]:
    """`emr migrate` as a process: with nothing to do, then a real change from a copy of the code with a script more."""
    began = time.monotonic()
    assert _emr(settings, THIS) == []
    nothing = time.monotonic() - began
    began = time.monotonic()
    assert migration.migrate(settings.database) == []
    alone = time.monotonic() - began
    copy, name = next_build(folder)
    with measured([]) as spent:
        steps = _emr(settings, copy)
    assert all(step["outcome"] == "moved" and step["to"] == name for step in steps), steps[:3]
    seconds = sorted(step["seconds"] for step in steps)
    return {
        "nothing_to_do_s": round(nothing, 2),
        "nothing_to_do_without_start_s": round(alone, 2),
        "real_migrate_s": round(spent.wall, 1),
        "one_migrated_p50_s": round(statistics.median(seconds), 3),
        "others_cores": round(spent.others, 2),
    }


def _emr(settings: Settings, code: Path) -> list[dict[str, Any]]:
    environment = {
        "EMR_PROFILE": "test",
        "EMR_DATABASE__URL": settings.database.url,
        "EMR_DATABASE__OWNER_URL": settings.database.owner_url,
        "PYTHONPATH": str(code),
    }
    done = subprocess.run(
        command_of("migrate", "--json"), env=os.environ | environment, cwd=code, capture_output=True, text=True,
        check=False, timeout=1200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


async def _transactions(settings: Settings, postgres: int) -> dict[str, Any]:
    """Reads of one hospital, then of all of them in turn; then how much memory the backends hold, twice."""
    pools = databases(settings.database)
    await pools.open()
    try:
        async with pools.directory.connection() as connection:
            tenants = [each for each in await read_tenants(connection) if each.slug.startswith("h-")]
        one = await _read_for(pools, tenants[:1], postgres)
        many = await _read_for(pools, tenants, postgres)
        for _ in range(2):
            await _touch(pools, tenants)
        first = largest_backend_mib(postgres)
        for _ in range(2):
            await _touch(pools, tenants)
        second = largest_backend_mib(postgres)
    finally:
        await pools.close()
    return {
        "one_per_second": round(one[0]), "one_per_cpu_second": round(one[1]),
        "all_per_second": round(many[0]), "all_per_cpu_second": round(many[1]),
        "fewer_percent": round(100 * (1 - many[1] / one[1]), 1),
        "backend_mib": first, "backend_mib_again": second,
    }  # fmt: skip


def _behind_pgbouncer(settings: Settings, postgres: int) -> dict[str, Any]:
    """What a backend holds that every hospital was asked on, which nothing but its age keeps from getting there."""
    with pgbouncer(settings.database.url, backends=2) as url:
        update = {"url": url, "pooler": True}
        return asyncio.run(_all_asked(settings.database.model_copy(update=update), postgres))


async def _all_asked(settings: Database, postgres: int) -> dict[str, Any]:
    pools = databases(settings)
    await pools.open()
    try:
        async with pools.directory.connection() as connection:
            tenants = [each for each in await read_tenants(connection) if each.slug.startswith("h-")]
        await _touch(pools, tenants)
        first = largest_backend_mib(postgres)
        for _ in range(2):
            await _touch(pools, tenants)
        return {"pgbouncer_backend_mib": first, "pgbouncer_backend_mib_again": largest_backend_mib(postgres)}
    finally:
        await pools.close()


async def _read_for(pools: Any, tenants: list[Any], postgres: int) -> tuple[float, float]:
    """Transactions a second, and for each CPU second of this process and PostgreSQL together; after one round."""
    await _touch(pools, tenants)
    count, until = 0, time.monotonic() + _SECONDS

    async def ask(start: int) -> None:
        nonlocal count
        at = start
        while time.monotonic() < until:
            async with pools.hospital_to_read(tenants[at % len(tenants)]) as connection:
                await connection.fetchrow(_READ)
            count, at = count + 1, at + _AT_ONCE

    with measured([postgres, os.getpid()]) as spent:
        await asyncio.gather(*(ask(start) for start in range(_AT_ONCE)))
    return count / spent.wall, count / spent.cpu


async def _touch(pools: Any, tenants: list[Any]) -> None:
    """Each hospital once by each of eight readers."""

    async def ask() -> None:
        for tenant in tenants:
            async with pools.hospital_to_read(tenant) as connection:
                await connection.fetchrow(_READ)

    await asyncio.gather(*(ask() for _ in range(_AT_ONCE)))


if __name__ == "__main__":
    for result in fleet(*(int(each) for each in sys.argv[1:] or ["1000"])):
        print(description(), json.dumps({"id": result.id} | result.figures, indent=1))
