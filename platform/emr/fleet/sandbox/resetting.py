"""A hospital for training back to its beginning: the record emptied, the made-up patients taken in anew.

The trail stays, with a row of who asked for it: rows of a trail are never taken away. Runs as the owner of the tables,
from a command and never inside the service. What is cut off is done again from its start by the next run.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, text

from emr.db.migrate import owner_engine
from emr.db.owning import run, run_all
from emr.db.tables import tenant as tenant_tables
from emr.fleet.differences import SANDBOX_FILLED
from emr.fleet.owned import in_cell
from emr.fleet.sandbox.patients import bundles
from emr.identity.principal import system_principal
from emr.kernel.errors import Conflict, NotFound
from emr.kernel.tenant import Tenant
from emr.records.importing import import_bundle
from emr.settings import Database
from emr.work.faults import Reached, kill_points
from emr.work.runtime import Runtime
from emr.work.unit import UnitOfWork, unit_of_work
from emr.work.use_case import use_case

ACTOR: Final = "sandbox"
_KEPT: Final = frozenset({"audit_events", "audit_seals", "audit_archives", "blobs", "indexing"})
_TABLES: Final = tuple(sorted(set(tenant_tables.metadata.tables) - _KEPT))
_CELL: Final = (
    text("DELETE FROM cell.outbox WHERE tenant = :schema AND batch IS NULL"),
    text("DELETE FROM cell.subscribers WHERE tenant = :schema"),
    text("DELETE FROM cell.notices WHERE tenant = :schema"),
    text("DELETE FROM cell.events WHERE tenant = :schema"),
)
_SANDBOX: Final = text("""
SELECT id, schema, cell, coalesce((definition ->> 'sandbox')::bool, false) AS sandbox FROM directory.tenants
WHERE slug = :slug FOR UPDATE
""")
_EVENT: Final = text("""
INSERT INTO directory.tenant_events (tenant_id, actor, event, detail)
VALUES (:id, :by, :event, CAST(:detail AS jsonb))
""")
Told = Callable[[int, int], None]
"""Hears how many Bundles of how many are in."""


@dataclass(frozen=True, slots=True)
class Reset:
    """What was done: Bundles that were taken in, and for whom."""

    slug: str
    bundles: int
    by: str


async def reset(parts: Runtime, slug: str, by: str, told: Told = lambda *_: None) -> Reset:
    """Do it. Raises `NotFound`, `Conflict` for a hospital that is not for training."""
    engine, reached = owner_engine(parts.settings.database.owner_url), kill_points(parts.settings)
    await asyncio.to_thread(_empty, parts.settings.database, slug, by)
    reached("sandbox-emptied")
    await parts.registry.refresh()
    tenant = parts.registry.by_slug(slug)
    taken = await _fill(parts, tenant, by, (told, reached))
    await asyncio.to_thread(_note, engine, tenant.id, by, taken)
    return Reset(slug, taken, by)


@use_case("sandbox:fill", "sandbox.filled")
async def take_in(work: UnitOfWork, content: bytes, by: str) -> None:
    """One Bundle of made-up patients. Raises `Conflict` where patients are real."""
    if not work.tenant.sandbox:
        raise NotASandbox(work.tenant.slug)
    await import_bundle(work, content)
    work.trail.note(asked_by=by)


class NotASandbox(Conflict):
    """The hospital is not for training."""

    def __init__(self, slug: str) -> None:
        super().__init__("not-a-sandbox", f"{slug} is not a hospital for training; nothing was changed.")


async def _fill(parts: Runtime, tenant: Tenant, by: str, watch: tuple[Told, Reached]) -> int:
    told, reached = watch
    today = parts.clock().astimezone(ZoneInfo(tenant.time_zone)).date()
    contents = await asyncio.to_thread(lambda: list(bundles(today)))
    for number, content in enumerate(contents, 1):
        principal = system_principal(ACTOR, tenant_id=tenant.id)
        async with unit_of_work(parts, tenant, principal) as work:
            await take_in(work, content, by)
        reached("sandbox-bundle")
        told(number, len(contents))
    return len(contents)


def _empty(settings: Database, slug: str, by: str) -> None:
    with owner_engine(settings.owner_url).begin() as directory:
        row = directory.execute(_SANDBOX, {"slug": slug}).first()
        if row is None:
            raise NotFound("hospital-unknown", f"There is no hospital {slug}.")
        if not row.sandbox:
            raise NotASandbox(slug)
        with in_cell(directory, settings, row.cell) as connection:
            _clear(connection, row.schema)
        _tell(directory, (row.id, by), "hospital.sandbox-emptied", {})


def _clear(connection: Connection, schema: str) -> None:
    """What made-up patients have left in the cell."""
    run_all(connection, [("TRUNCATE {schema}.{table}", {"schema": schema, "table": each}) for each in _TABLES])
    # An object without a row is removed by the worker's sweep.
    run(
        connection,
        "DELETE FROM {schema}.blobs b WHERE NOT EXISTS (SELECT 1 FROM {schema}.audit_archives a WHERE a.key = b.key)",
        schema=schema,
    )
    for statement in _CELL:
        connection.execute(statement, {"schema": schema})


def _note(engine: Engine, tenant_id: str, by: str, taken: int) -> None:
    with engine.begin() as connection:
        _tell(connection, (tenant_id, by), SANDBOX_FILLED, {"bundles": taken})


def _tell(connection: Connection, of: tuple[str, str], event: str, detail: dict[str, Any]) -> None:
    tenant_id, by = of
    connection.execute(_EVENT, {"id": tenant_id, "by": by, "event": event, "detail": json.dumps(detail)})
