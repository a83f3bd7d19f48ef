"""`emr audit …`: whether the trails are whole."""

import base64
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from multiprocessing import get_context
from typing import Annotated, Final

import psycopg
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from emr.audit.anchoring import Written, written
from emr.audit.anchors import signer_of, trusted_of
from emr.audit.archives import BROKEN, Archive, fitting, matching
from emr.audit.checking import Asked, Report, check, extent_of, parts_of, together
from emr.audit.files import demanded
from emr.audit.reading import Wanted, rows
from emr.audit.rows import Event
from emr.audit.seals import Head
from emr.audit.stored import DIRECTORY
from emr.db.cells import login_url, login_urls
from emr.db.pools import Databases
from emr.fleet.leaving.export import ACTOR
from emr.fleet.leaving.offboarding import OFFBOARDED
from emr.identity.principal import system_principal
from emr.kernel.errors import Refusal, Unavailable
from emr.kernel.tenant import Tenant
from emr.settings import Settings
from emr.storage.blobs import BlobStore
from emr.storage.keys import Keyring
from emr.storage.locked import open_locked
from emr.storage.opening import open_stores
from emr.storage.rowless import Rowless
from emr.tenancy.registry import Registry
from emr.work.command import with_registry
from emr.work.runtime import Keyrings
from emr.work.starting import refuse

_MOST_PROCESSES: Final = 8
_WORTH_PROCESSES: Final = 100_000
_PART_ROWS: Final = 50_000
"""Rows that a process checks at a time: many enough for each to be worth a connection, few enough to end together."""
_LEFT: Final = Wanted(actor=system_principal(ACTOR).subject, actions=(OFFBOARDED,))
_MOST_LEFT: Final = 100_000

audit = typer.Typer(no_args_is_help=True, help="Who did what: whether the trails are whole.")
Json = Annotated[bool, typer.Option("--json", help="For machines.")]


Chosen = Annotated[str | None, typer.Option("--tenant", help="One hospital's slug, or `directory`; all without it.")]
NoAnchors = Annotated[bool, typer.Option("--no-anchors", help="Read no anchors; then an end cut off is not found.")]
EveryAnchor = Annotated[bool, typer.Option("--every-anchor", help="Read every anchor that was ever written.")]


@dataclass(frozen=True, slots=True)
class _World:
    hospitals: Sequence[Tenant]
    keyrings: Mapping[str, Keyring]
    written: dict[str, Written] | None
    left: frozenset[str] = frozenset()
    """Streams of hospitals that have left: anchors name them for good."""


@audit.command("verify")
def verify(
    *, tenant: Chosen = None, no_anchors: NoAnchors = False, every_anchor: EveryAnchor = False, as_json: Json = False
) -> None:
    """Walk every row and seal and compare with the anchors. Exit code 0 if all is whole, 1 if not, 2 if unknown."""
    settings = Settings()
    try:
        world = with_registry(partial(_world, settings, anchors=not no_anchors, every=every_anchor))
        asked = _asked(settings, world, tenant)
        reports = _checked(asked, quiet=as_json)
    except (Refusal, psycopg.Error, ValueError) as error:
        refuse(str(error).splitlines()[0])
    faults = _of_anchors(world) if tenant is None else []
    _tell(reports, faults, as_json=as_json)
    raise typer.Exit(0 if not faults and all(report.whole for report in reports) else 1)


@audit.command("key")
def key(*, as_json: Json = False) -> None:
    """Print the public key whose anchors this installation signs, for whoever verifies elsewhere."""
    signer = signer_of(Settings())
    public = base64.b64encode(signer.public).decode("ascii")
    typer.echo(json.dumps({"id": signer.id, "public": public}) if as_json else f"{signer.id} {public}")


async def _world(settings: Settings, pools: Databases, registry: Registry, *, anchors: bool, every: bool) -> _World:
    keyrings = await _keyrings(settings, pools, registry.all())
    if not anchors:
        return _World(registry.all(), keyrings, None)
    # Before the rows are read: an anchor must not be newer than the state that it is compared with.
    store, trusted = open_locked(settings), trusted_of(settings)
    try:
        await store.open()
        cells = {name: await written(store, name, trusted, every=every) for name in pools.cells}
    finally:
        store.close()
    return _World(registry.all(), keyrings, cells, await _left(settings, pools, keyrings.get(DIRECTORY)))


async def _left(settings: Settings, pools: Databases, keyring: Keyring | None) -> frozenset[str]:
    """Streams of hospitals that have left, as the directory's trail tells of them, in its table and in its files."""
    async with pools.directory.transaction() as connection:
        events = await rows(connection, _LEFT, _MOST_LEFT)
        files = await fitting(connection, DIRECTORY, _LEFT, _MOST_LEFT)
    if files:
        stores = open_stores(settings)
        try:
            blobs = stores.blobs(DIRECTORY, demanded(keyring), Rowless())
            for each in files:
                events += await _of_file(blobs, each)
        finally:
            stores.close()
    return frozenset(json.loads(event[5])["detail"]["stream"] for event in events)


async def _of_file(blobs: BlobStore, archive: Archive) -> list[Event]:
    """Nothing of a file that is not what was written, which is told of where the stream is walked."""
    try:
        return await matching(blobs, archive, _LEFT, _MOST_LEFT)
    except Unavailable as refusal:
        if refusal.code != BROKEN:
            raise
        return []


async def _keyrings(settings: Settings, pools: Databases, hospitals: Sequence[Tenant]) -> dict[str, Keyring]:
    """By stream, for rows that lie in files; none where this process was given no master key."""
    if not settings.keys.master.get_secret_value():
        return {}
    stores = open_stores(settings)
    try:
        known = Keyrings(pools, stores)
        found = {tenant.schema: await known.of(tenant) for tenant in hospitals}
        own = await known.of_directory()
        return found | ({DIRECTORY: own} if own is not None else {})
    finally:
        stores.close()


def _asked(settings: Settings, world: _World, slug: str | None) -> list[Asked]:
    urls = login_urls(settings.database)
    streams = [(DIRECTORY, DIRECTORY, settings.database.url)]
    for each in world.hospitals:
        if each.cell not in urls:
            raise ValueError(f"The cell {each.cell} of {each.slug} is not configured here.")
        streams.append((each.slug, each.schema, login_url(settings.database, each.cell, each.slug, each.tier)))
    chosen = [each for each in streams if slug in (None, each[0])]
    if not chosen:
        raise ValueError("There is no such hospital.")
    return [Asked(url, stream, name, _heads(world, stream), world.keyrings.get(stream)) for name, stream, url in chosen]


def _heads(world: _World, stream: str) -> list[Head] | None:
    """Where the stream ended by the anchors of whichever cell it was in."""
    if world.written is None:
        return None
    heads = {head for found in world.written.values() for head in found.heads.get(stream, ())}
    return sorted(heads, key=lambda head: head.batch)


def _of_anchors(world: _World) -> list[str]:
    """What is wrong with the anchors themselves, and streams that they name and that are gone."""
    known = {DIRECTORY, *world.left, *(tenant.schema for tenant in world.hospitals)}
    faults: list[str] = []
    for found in (world.written or {}).values():
        faults += found.faults
        faults += [f"stream {name} was anchored and no hospital has it" for name in sorted(found.heads.keys() - known)]
    return faults


def _checked(asked: Sequence[Asked], *, quiet: bool) -> list[Report]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True) as progress:
        total = sum(extent_of(each) for each in asked)
        task = progress.add_task("rows", total=total)
        processes = min(_MOST_PROCESSES, os.cpu_count() or 1) if total > _WORTH_PROCESSES else 1
        return list(_each(asked, processes, lambda rows: progress.advance(task, rows)))


def _each(asked: Sequence[Asked], processes: int, passed: Callable[[int], None]) -> Iterator[Report]:
    if processes == 1:
        yield from (check(each, passed) for each in asked)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        parted = [(each, parts_of(each, _PART_ROWS)) for each in asked]
        found = pool.map(check, [part for _, parts in parted for part in parts])
        for _, parts in parted:
            reports = []
            for report in islice(found, len(parts)):
                passed(report.rows)
                reports.append(report)
            yield together(reports)


def _tell(reports: Sequence[Report], faults: Sequence[str], *, as_json: bool) -> None:
    at = datetime.now(UTC).isoformat(timespec="seconds")
    whole = not faults and all(report.whole for report in reports)
    if as_json:
        streams = [report.as_json() for report in reports]
        typer.echo(
            json.dumps({"at": at, "whole": whole, "anchors": list(faults), "streams": streams}, ensure_ascii=False)
        )
        return
    grid = Table("stream", "rows", "seals", "anchored to", "not sealed yet", "oldest, s", "result", title=at)
    for each in reports:
        anchored = "not asked" if each.anchored_batch is None else str(each.anchored_batch)
        unsealed = (str(each.unsealed.rows), f"{each.unsealed.seconds:.1f}")
        result = "whole" if each.whole else f"{each.fault_count} faults"
        grid.add_row(each.name, str(each.rows), str(each.batches), anchored, *unsealed, result)
    Console().print(grid)
    for fault in faults:
        typer.echo(f"anchors: {fault}")
    for each in reports:
        for fault in each.faults:
            typer.echo(f"{each.name}: {fault}")
