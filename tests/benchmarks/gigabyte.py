"""What one large hospital takes: `python -m tests.benchmarks.gigabyte [--mib 1024] [--folder FOLDER] [--patients 40]`.

A cell with backups holds one hospital of so many MiB (tables and indexes); a second cell is empty. The hospital's past is opened after some
patients were changed, compared with today, one patient is brought back; then the hospital moves to the second cell and back. Prints JSON lines.

It is filled with the made-up patients of hospitals for training, taken in as any import, and then by PostgreSQL with copies of their rows
under other ids. What is changed and brought back are the originals: a copy's own text still names the resource that it was copied from.
"""

import argparse
import json
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, Final, TypeVar

from emr.definitions.warm import warm
from emr.fleet.backups.rows import make_backup
from emr.fleet.moving.move import Wish as Going
from emr.fleet.moving.move import drop_copies, move
from emr.fleet.rewind.bringing import Order, bring, compare_past
from emr.fleet.rewind.opening import Wish, close_past, open_past
from emr.fleet.rewind.rehearsing import rehearse
from emr.fleet.sandbox.patients import bundles
from emr.identity.principal import system_principal
from emr.kernel.tenant import Tenant
from emr.records.comparing import Wanted
from emr.records.importing import import_bundle
from emr.records.read import read
from emr.records.update import update_resource
from emr.work.runtime import Runtime, runtime
from emr.work.unit import unit_of_work
from tests.fleet.rewind.world import World, archived_world, second_cell
from tests.house import in_a_loop

R = TypeVar("R")
NORTH: Final = "north"
_INDEX: Final = ("tokens", "links", "strings", "dates", "quantities", "composites", "words", "identifiers")
_SIZE: Final = """
SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = %s AND c.relkind IN ('r', 'm')
"""
_COLUMNS: Final = """
SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position
"""
_OTHER: Final = {
    "pk": "t.pk + {step}",
    "patient": "t.patient + {step}",
    "id": "md5(t.id || {step})::uuid::text",
    "patients": "ARRAY(SELECT md5(p || {step})::uuid::text FROM unnest(t.patients) p)",
}
"""What a copy has instead of these columns."""


def main() -> None:
    """Make it, measure it, take it away."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.gigabyte", description=__doc__)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--patients", type=int, default=40)
    parser.add_argument("--folder", type=Path, help="where the servers' files lie; in memory unless said")
    asked = parser.parse_args()
    warm({"Asia/Ho_Chi_Minh"})
    with archived_world(asked.folder) as world, second_cell(world, NORTH):
        tenant = world.house.new_hospital("lon")
        with told("fill") as figures:
            in_a_loop(with_parts, world, lambda parts: take_in(parts, tenant))
            figures.update(grow(world, tenant, asked.mib << 20))
        world.house.sql("VACUUM ANALYZE")
        with told("base backup, full") as figures:
            figures["mib"] = make_backup(world.house.settings, "default", "full").size >> 20
        time.sleep(1.1)
        measure_past(world, tenant, asked.patients)
        measure_moves(world, tenant)


def measure_past(world: World, tenant: Tenant, patients: int) -> None:
    """Open it, compare, bring one patient and then all that was changed back, close it; and rehearse."""
    schema = tenant.schema
    people = [
        str(row[0])
        for row in world.house.sql(
            f"SELECT id FROM {schema}.resources WHERE type = 'Patient' AND NOT deleted ORDER BY pk LIMIT %s", patients
        )
    ]
    moment = world.now()
    in_a_loop(with_parts, world, lambda parts: rename(parts, tenant, people))
    steps: dict[str, float] = {}
    with told("open a past") as figures:
        rewind = open_past(world.house.settings, Wish(tenant.slug, moment, "bench", "bench"), timed(steps))
        figures["steps"] = ended(steps)
    with told("compare all") as figures:
        found = in_a_loop(with_parts, world, lambda parts: compare_past(parts, rewind.id, Wanted(), 20))
        figures["differ"] = found.total
    for name, wanted in (("one patient", Wanted(people[0])), ("everything that was changed", Wanted())):
        order = Order(rewind.id, wanted, "bench", "bench")
        with told(f"bring back {name}") as figures:
            outcome = in_a_loop(with_parts, world, lambda parts, order=order: bring(parts, order, lambda _: None))
            figures |= {"brought": len(outcome.brought), "refused": len(outcome.refused)}
    with told("close it"):
        close_past(world.house.settings, rewind.id, "bench")
    with told("rehearse") as figures:
        rehearsal = in_a_loop(with_parts, world, lambda parts: rehearse(parts, tenant.slug, lambda _: None))
        figures["passed"] = rehearsal.passed


def measure_moves(world: World, tenant: Tenant) -> None:
    """To the second cell and back, each time into a cell that has nothing of it."""
    for target in (NORTH, "default"):
        with told(f"move to {target}") as figures:
            moved = move(world.house.settings.database, Going(tenant.slug, target, "bench"))
            figures |= {"read_only_seconds": round(moved.seconds, 1), "rows": sum(moved.rows.values())}
        with told("drop the old copy"):
            drop_copies(world.house.settings.database, tenant.slug, "bench", early=True)


async def take_in(parts: Runtime, tenant: Tenant) -> None:
    """The made-up patients."""
    for content in bundles(date(2026, 11, 20)):
        async with unit_of_work(parts, tenant, system_principal("bench", tenant_id=tenant.id)) as work:
            await import_bundle(work, content)


async def rename(parts: Runtime, tenant: Tenant, people: list[str]) -> None:
    """Somebody renames these patients by mistake."""
    for patient in people:
        async with unit_of_work(parts, tenant, system_principal("bench", tenant_id=tenant.id)) as work:
            stored = (await read(work, "Patient", patient)).resource()
            await update_resource(work, stored | {"name": [{"text": "Gộp Nhầm"}]})


def grow(world: World, tenant: Tenant, size: int) -> dict[str, Any]:
    """Copies of what is there, until the hospital takes `size` bytes."""
    schema, copies = tenant.schema, 0
    [(first,)] = world.house.sql(_SIZE, schema)
    [(span,)] = world.house.sql(f"SELECT max(pk) FROM {schema}.resources")
    tables = {
        table: [row[0] for row in world.house.sql(_COLUMNS, schema, table)]
        for table in ("resources", "resource_versions", "compartments", *_INDEX)
    }
    while (taken := world.house.sql(_SIZE, schema)[0][0]) < size:
        # As many as are missing by what one has taken so far, at most sixteen at once.
        each = (taken - first) // copies if copies else first
        more = max(1, min(16, int((size - taken) // max(each, 1))))
        for table, columns in tables.items():
            wanted = ", ".join(_OTHER.get(column, f"t.{column}").format(step=f"n * {span}") for column in columns)
            world.house.sql(
                f"INSERT INTO {schema}.{table} ({', '.join(columns)}) SELECT {wanted}"
                f" FROM {schema}.{table} t, generate_series({copies + 1}, {copies + more}) n WHERE t.pk <= {span}"
            )
        copies += more
    [(count,)] = world.house.sql(f"SELECT count(*) FROM {schema}.resources")
    world.house.sql(
        f"SELECT setval(pg_get_serial_sequence('{schema}.resources', 'pk'), (SELECT max(pk) FROM {schema}.resources))"
    )
    return {"mib": taken >> 20, "resources": count, "copies": copies}


async def with_parts(world: World, act: Callable[[Runtime], Awaitable[R]]) -> R:
    """With the settings of this moment."""
    parts = runtime(world.house.settings)
    await parts.open()
    try:
        return await act(parts)
    finally:
        await parts.close()


def timed(steps: dict[str, float]) -> Callable[[str], None]:
    """Remembers when each step begins."""
    return lambda step: steps.update({step: time.monotonic()})


def ended(steps: dict[str, float]) -> dict[str, float]:
    """Seconds of each step, the last one until now."""
    ends = [*steps.values(), time.monotonic()][1:]
    return {name: round(end - begun, 1) for (name, begun), end in zip(steps.items(), ends, strict=True)}


@contextmanager
def told(name: str) -> Iterator[dict[str, Any]]:
    """Print what the body took."""
    figures: dict[str, Any] = {}
    begun = time.monotonic()
    yield figures
    load = round(os.getloadavg()[0], 1)
    print(json.dumps({"what": name, "seconds": round(time.monotonic() - begun, 1), "load": load} | figures), flush=True)


if __name__ == "__main__":
    main()
