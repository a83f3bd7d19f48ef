"""What the audit trail costs: the same mixes with and without it in turns; what sealing costs afterwards; and how fast a
trail is verified.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from emr.audit import seals
from emr.audit.rows import AuditRow, Touched, event_of
from emr.audit.sealing import Sealer
from emr.db.cells import DEFAULT_CELL
from emr.identity.principal import Principal
from emr.kernel.ids import uuid7
from emr.work.faults import nowhere
from emr.work.runtime import runtime
from tests.benchmarks import mixes
from tests.benchmarks.load import Result, drive
from tests.benchmarks.machine import measured
from tests.benchmarks.service import Service, environment, wait_until_ready
from tests.house import ROOT
from tests.servers.ports import free_port

_ROUNDS = 3
_ROWS = 500_000
_BATCH = 5_000


def auditing(standing: Service) -> list[Result]:
    """Reads by few and by many clients, a chart, and the mix of B2, with the trail and without it in turns; sealing what
    they left, and `emr audit verify`.
    """
    house = standing.house
    with _without(standing) as bare:
        pair = standing, bare
        compared = [
            _compared("read one resource by id", pair, mixes.reads(house)),
            _compared("read one resource by id, 64 clients", pair, mixes.reads(house), clients=64),
            _compared("patient chart, six requests", pair, mixes.chart(house)),
            _compared("create 10, read 60, update 25, delete 5", pair, mixes.mixed(house)),
        ]
    return [*compared, _sealed(standing), _verified(standing)]


def _compared(what: str, pair: tuple[Service, Service], mix: Any, *, clients: int = 16) -> Result:
    """Medians of the rates and of their ratio: a neighbour who comes and goes meets both of a round."""
    rounds = [[drive("audit", what, each, mix, clients=clients).figures for each in pair] for _ in range(_ROUNDS)]
    figures: dict[str, Any] = {}
    for rate in ("per_second", "per_cpu_second"):
        figures[f"{rate}_with"] = statistics.median(with_[rate] for with_, _ in rounds)
        figures[f"{rate}_without"] = statistics.median(without[rate] for _, without in rounds)
        figures[f"{rate}_ratio"] = round(statistics.median(a[rate] / b[rate] for a, b in rounds), 3)
    return Result("audit", f"{what}: with audit and without", figures)


@contextmanager
def _without(standing: Service) -> Iterator[Service]:
    """A second web service on the same database that writes no trail."""
    port = free_port()
    log = Path(standing.house.folder) / "unaudited.log"
    options = ["--workers", "2", "--port", str(port), "--management-port", str(free_port())]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.unaudited", "serve", *options],
        env=os.environ | environment(standing.house) | {"PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=log.open("wb"),
    )
    http = standing.house.settings.http.model_copy(update={"base_url": f"http://127.0.0.1:{port}"})
    house = replace(standing.house, settings=standing.house.settings.model_copy(update={"http": http}))
    try:
        wait_until_ready(house.url, process, log)
        yield replace(standing, house=house, process=process)
    finally:
        process.terminate()
        process.wait(40)


def _sealed(standing: Service) -> Result:
    """What a worker spends on rows that wait in the journal: its own processor time, and the database's."""
    ((waiting,),) = standing.house.sql("SELECT count(*) FROM cell.audit_journal")
    own = time.process_time()
    with measured(standing.roots[1:]) as spent:
        begun = time.monotonic()
        asyncio.run(_seal(standing))
        seconds = time.monotonic() - begun
    micros = 1_000_000 / waiting
    figures = {
        "rows": waiting,
        "rows_per_second": round(waiting / seconds),
        "worker_us_a_row": round((time.process_time() - own) * micros, 1),
        "database_us_a_row": round(spent.cpu * micros, 1),
    }
    return Result("audit", "sealing what waits", figures)


async def _seal(standing: Service) -> None:
    parts = runtime(standing.house.settings)
    await parts.open()
    try:
        cell = parts.databases.cell(DEFAULT_CELL)
        while await Sealer(DEFAULT_CELL, cell, parts.clock, parts.registry.slug_of, nowhere).turn():
            pass
    finally:
        await parts.close()


def _verified(standing: Service) -> Result:
    """`emr audit verify` over a hospital's trail of half a million rows more."""
    _fill(standing, "cau-vong")
    command = [
        Path(sys.executable).with_name("emr"),
        "audit",
        "verify",
        "--no-anchors",
        "--tenant",
        "cau-vong",
        "--json",
    ]
    found = []
    for _ in range(_ROUNDS):
        begun = time.monotonic()
        done = subprocess.run(
            command, env=os.environ | environment(standing.house), capture_output=True, text=True, check=True
        )
        [stream] = json.loads(done.stdout)["streams"]
        found.append((stream["rows"] / stream["seconds"], time.monotonic() - begun))
    figures = {"rows": stream["rows"], "rows_per_second": round(statistics.median(rate for rate, _ in found))}
    return Result("audit", "emr audit verify", figures | {"command_seconds": round(min(each for _, each in found), 1)})


def _fill(standing: Service, slug: str) -> None:
    """Sealed rows of the usual size behind the hospital's own."""
    schema = standing.house.tenants[slug].schema
    who = Principal(uuid7(), "Bác sĩ Nguyễn Thị Đào", "doctor", "person", uuid7(), session_id=uuid7())
    with psycopg.connect(standing.house.cluster.url(database="emr")) as db:
        found = db.execute(f"SELECT batch, last, hash FROM {schema}.audit_seals ORDER BY batch DESC LIMIT 1").fetchone()
        head = seals.Head(*found) if found else seals.Head()
        for _ in range(_ROWS // _BATCH):
            now = datetime.now(UTC)
            rows = [
                event_of(number, AuditRow(
                    schema, now, "record.read", "success", who, uuid7(), (Touched("read", "Observation", uuid7(), 1),),
                    (uuid7(),),
                ).canonical())
                for number in range(head.last + 1, head.last + 1 + _BATCH)
            ]  # fmt: skip
            columns = "number, at, action, actor, patients, row"
            with db.cursor().copy(f"COPY {schema}.audit_events ({columns}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            made = seals.seal(schema, head, [seals.leaf(row[0], row[5]) for row in rows], now)
            db.execute(
                f"INSERT INTO {schema}.audit_seals (batch, first, last, root, previous, hash, sealed_at, format)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                (made.batch, made.first, made.last, made.root, made.previous, made.hash(), made.sealed_at, made.format),
            )
            head = seals.Head(made.batch, made.last, made.hash())
