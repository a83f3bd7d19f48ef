"""`emr profiles …`: the FHIR packages whose profiles a hospital's record is held to."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer
import uvloop
from rich.console import Console
from rich.table import Table

from emr.definitions.profiles.package import read_package
from emr.identity.principal import system_principal
from emr.kernel.errors import Refusal
from emr.records.packages import add_package, list_profiles, remove_package
from emr.settings import Settings
from emr.telemetry.logs import configure_logs
from emr.work.runtime import runtime
from emr.work.starting import ready_to_start, refuse
from emr.work.unit import UnitOfWork, unit_of_work

R = TypeVar("R")

profiles = typer.Typer(no_args_is_help=True, help="The profiles that a hospital's record is held to.")
Slug = Annotated[str, typer.Argument(help="The hospital's slug.")]
Json = Annotated[bool, typer.Option("--json", help="For machines.")]
_LARGEST = 64 * 1024 * 1024


@profiles.command("add")
def add(
    slug: Slug, file: Annotated[Path, typer.Argument(help="A FHIR package (.tgz).")], *, as_json: Json = False
) -> None:
    """Bring a package's profiles, value sets and code systems into the record; all of it or nothing."""
    if not file.is_file() or file.stat().st_size > _LARGEST:
        refuse(f"{file} is no file of at most {_LARGEST >> 20} MiB.")
    try:
        package = read_package(file.read_bytes())
    except Refusal as refusal:
        refuse(refusal.message)
    added = _with(slug, lambda work: add_package(work, package))
    if as_json:
        said = {"package": package.name, "version": package.version}
        typer.echo(json.dumps({**said, "resources": dict(added.counts), "unchecked": dict(added.unchecked)}))
        return
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(added.counts.items()))
    typer.echo(f"{package.name} {package.version}: {counts or 'nothing that validation needs'}.")
    for url, reasons in added.unchecked.items():
        typer.echo(f"not checked: {url}: {'; '.join(reasons)}")


@profiles.command("list")
def list_(slug: Slug, *, as_json: Json = False) -> None:
    """Every profile of a hospital, and what of it cannot be checked."""
    rows = [
        {"profile": each.url, "version": each.version, "type": each.type, "package": each.package,
         "unchecked": "; ".join(each.unchecked)}
        for each in _with(slug, list_profiles)
    ]  # fmt: skip
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    table = Table("profile", "version", "type", "package", "not checked")
    for row in rows:
        table.add_row(*row.values())
    Console().print(table if rows else "There is no profile.")


@profiles.command("remove")
def remove(slug: Slug, name: Annotated[str, typer.Argument(help="The package: name, or name#version.")]) -> None:
    """Take out all that a package brought; its history stays."""
    gone = _with(slug, lambda work: remove_package(work, name))
    typer.echo(f"{gone} definitions of {name} are gone.")


def _with(slug: str, act: Callable[[UnitOfWork], Awaitable[R]]) -> R:
    chosen = ready_to_start()
    configure_logs(chosen.telemetry, "profiles")
    try:
        return uvloop.run(_run(chosen, slug, act))
    except Refusal as refusal:
        refuse("\n".join(f"{each.message} {each.location or ''}".rstrip() for each in refusal.issues))


async def _run(chosen: Settings, slug: str, act: Callable[[UnitOfWork], Awaitable[R]]) -> R:
    parts = runtime(chosen)
    await parts.open()
    try:
        hospital = parts.registry.by_slug(slug)
        principal = system_principal("profiles", tenant_id=hospital.id)
        async with unit_of_work(parts, hospital, principal) as work:
            return await act(work)
    finally:
        await parts.close()
