"""`emr records …`: the search index of a hospital's record, built again and compared."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Annotated, Final, TypeVar

import typer
from rich.console import Console
from rich.progress import Progress as Bar
from rich.table import Table

from emr.identity.principal import system_principal
from emr.kernel.errors import Conflict
from emr.records.own_pass import advance_own
from emr.records.reindexing import Difference, Progress, advance, begin, verify
from emr.work.command import with_runtime
from emr.work.runtime import Runtime
from emr.work.unit import UnitOfWork, unit_of_work

R = TypeVar("R")

_PAUSE: Final = 0.5
"""Seconds between looks whether writers that were there before are done."""

records = typer.Typer(no_args_is_help=True, help="The search index of a hospital's record.")
Slug = Annotated[str, typer.Argument(help="The hospital's slug.")]
Json = Annotated[bool, typer.Option("--json", help="For machines.")]


@records.command("reindex")
def reindex(
    slug: Slug,
    *,
    again: Annotated[
        bool, typer.Option("--again", help="From the beginning, also where nothing is left to do.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Index what is not indexed yet, while care goes on; one that was cut off goes on where it stopped."""
    done, own = _with(slug, _reindex_again if again else _reindex)
    if as_json:
        beside = {"resources": own.resources, "rows": own.rows}
        typer.echo(json.dumps({"resources": done.resources, "rows": done.rows, "own": beside}))
        return
    typer.echo(f"{done.resources} resources are indexed: {_counts(done)}. Each batch was counted.")
    if own.resources:
        typer.echo(f"By the hospital's own search parameters last {own.resources} resources: {_counts(own)}.")


@records.command("verify")
def verify_(slug: Slug, *, as_json: Json = False) -> None:
    """Compute the index rows of every resource and compare; exit code 1 when one is missing or too many."""
    seen, found = _with(slug, _verify)
    if as_json:
        rows = [{"type": each.type, "id": each.id, "table": each.table, "missing": each.missing, "extra": each.extra}
                for each in found]  # fmt: skip
        typer.echo(json.dumps({"resources": seen, "differences": rows}))
    elif found:
        table = Table("resource", "table", "missing rows", "rows too many")
        for each in found[:200]:
            table.add_row(f"{each.type}/{each.id}", each.table, str(each.missing), str(each.extra))
        Console().print(table)
        typer.echo(f"{len(found)} differences in {seen} resources; `emr records reindex {slug} --again` mends them.")
    else:
        typer.echo(f"{seen} resources: the index is what it should be.")
    raise typer.Exit(1 if found else 0)


class _Hospital:
    """Short transactions in one hospital, one after another."""

    def __init__(self, opener: Callable[[], AbstractAsyncContextManager[UnitOfWork]]) -> None:
        self._opener = opener

    async def run(self, act: Callable[[UnitOfWork], Awaitable[R]]) -> R:
        async with self._opener() as work:
            return await act(work)


def _counts(progress: Progress) -> str:
    return ", ".join(f"{count} {table}" for table, count in progress.rows.items()) or "nothing"


async def _reindex(hospital: _Hospital) -> tuple[Progress, Progress]:
    """The pass of the whole record, then that of the hospital's own search parameters."""
    with Bar(transient=True) as bar:
        return await _through(hospital, advance, bar), await _through(hospital, advance_own, bar)


async def _through(hospital: _Hospital, act: Callable[[UnitOfWork], Awaitable[Progress]], bar: Bar) -> Progress:
    task = bar.add_task("resources", total=None)
    while True:
        try:
            progress = await hospital.run(act)
        except Conflict:
            continue
        bar.update(task, completed=progress.resources)
        if progress.complete:
            return progress
        if not progress.resources:
            await asyncio.sleep(_PAUSE)


async def _reindex_again(hospital: _Hospital) -> tuple[Progress, Progress]:
    await hospital.run(begin)
    return await _reindex(hospital)


async def _verify(hospital: _Hospital) -> tuple[int, list[Difference]]:
    seen, found = 0, list[Difference]()
    after = 0
    while True:
        compared = await hospital.run(partial(verify, after=after))
        if compared.last is None:
            return seen, found
        seen, after = seen + compared.resources, compared.last
        found += compared.differences


def _with(slug: str, act: Callable[[_Hospital], Awaitable[R]]) -> R:
    async def within(parts: Runtime) -> R:
        tenant = parts.registry.by_slug(slug)
        principal = system_principal("records", tenant_id=tenant.id)
        return await act(_Hospital(lambda: unit_of_work(parts, tenant, principal)))

    return with_runtime("records", within)
