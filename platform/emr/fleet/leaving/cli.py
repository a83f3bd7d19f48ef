"""`emr tenants export | verify-package | import-package`: a hospital's exit package, written, checked and loaded."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from emr.audit.anchors import trusted_of
from emr.definitions.warm import warm
from emr.fleet.leaving import package
from emr.fleet.leaving.bringing import Brought, bring_in
from emr.fleet.leaving.export import Written, export
from emr.fleet.leaving.manifest import public_key
from emr.fleet.leaving.record import Watch
from emr.kernel.errors import Refusal
from emr.settings import Settings
from emr.work.collector import leave_old_objects_alone
from emr.work.command import told, with_runtime
from emr.work.faults import kill_points
from emr.work.runtime import Runtime
from emr.work.starting import refuse

leaving = typer.Typer()
Slug = Annotated[str, typer.Argument(help="The hospital's slug.")]
Json = Annotated[bool, typer.Option("--json", help="For machines.")]
Place = Annotated[Path, typer.Argument(help="The package: its folder, or one zip file of it.")]
Key = Annotated[str, typer.Option("--key", help="Public key of the sender, as `emr audit key` prints it there.")]
To = Annotated[Path, typer.Option("--to", help="Folder in which the package's own folder is made.")]


@leaving.command("export")
def export_(slug: Slug, to: To, *, as_json: Json = False) -> None:
    """Write a hospital's exit package: everything of one moment, readable without us; started again, it goes on."""

    async def act(parts: Runtime) -> Written:
        leave_old_objects_alone()
        with _bar(quiet=as_json) as bar:
            return await export(parts, slug, to, _watch(bar, parts.settings))

    written = with_runtime("exit", act)
    if as_json:
        typer.echo(json.dumps({"folder": str(written.folder), "package": written.digest}))
    else:
        typer.echo(f"{written.folder}: whole. Package {written.digest}.")


@leaving.command("verify-package")
def verify_package(place: Place, *, key: Key = "", as_json: Json = False) -> None:
    """Read a package to its end and compare every file with what was signed; without --key: signed here."""
    try:
        trusted = public_key(key) if key else trusted_of(Settings())
        with package.opened(place) as opened:
            manifest = package.verify(opened, trusted)
    except Refusal as refusal:
        refuse(told(refusal))
    if as_json:
        typer.echo(json.dumps({"package": manifest.digest, "hospital": manifest.hospital} | manifest.body["counts"]))
    else:
        typer.echo(f"{manifest.hospital['name']}, {manifest.body['moment']}: whole. Package {manifest.digest}.")


@leaving.command("import-package")
def import_package(place: Place, *, key: Key = "", as_json: Json = False) -> None:
    """Load a package into a platform that does not have the hospital; it is on trial there, with all its history."""

    async def act(parts: Runtime) -> Brought:
        warm({"Asia/Ho_Chi_Minh"})
        leave_old_objects_alone()
        trusted = public_key(key) if key else trusted_of(parts.settings)
        with _bar(quiet=as_json) as bar:
            return await bring_in(parts, place, trusted, _watch(bar, parts.settings))

    brought = with_runtime("exit", act)
    if as_json:
        typer.echo(json.dumps(asdict(brought)))
    else:
        typer.echo(f"{brought.slug}: loaded and counted. Package {brought.package}. It is on trial.")


def _bar(*, quiet: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}"))
    return Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True)


def _watch(bar: Progress, settings: Settings) -> Watch:
    tasks: dict[str, TaskID] = {}
    reached = kill_points(settings)

    def watch(phase: str, more: int) -> None:
        if phase not in tasks:
            tasks[phase] = bar.add_task(phase, total=None)
        bar.advance(tasks[phase], more)
        reached(phase)

    return watch
