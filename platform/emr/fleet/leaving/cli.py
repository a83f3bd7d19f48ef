"""`emr tenants export | verify-package | import-package | offboard | hold…`: how a hospital leaves, or may not."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from emr.audit.anchors import trusted_of
from emr.definitions.warm import warm
from emr.fleet.leaving import package
from emr.fleet.leaving.bringing import Brought, bring_in
from emr.fleet.leaving.export import Written, export
from emr.fleet.leaving.holds import EVERYBODY, list_holds, place_hold, release_hold
from emr.fleet.leaving.manifest import public_key
from emr.fleet.leaving.offboarding import Asked, offboard
from emr.fleet.leaving.record import Watch
from emr.kernel.errors import Refusal
from emr.records.bulk.exits import request_package
from emr.settings import Settings
from emr.work.collector import leave_old_objects_alone
from emr.work.command import told, with_runtime, with_work
from emr.work.faults import kill_points
from emr.work.runtime import Runtime
from emr.work.starting import refuse

leaving = typer.Typer()
Slug = Annotated[str, typer.Argument(help="The hospital's slug.")]
Json = Annotated[bool, typer.Option("--json", help="For machines.")]
Place = Annotated[Path, typer.Argument(help="The package: its folder, or one zip file of it.")]
Key = Annotated[str, typer.Option("--key", help="Public key of the sender, as `emr audit key` prints it there.")]
Certificate = Annotated[Path, typer.Option("--certificate", help="File for the signed certificate; a new one.")]
Confirm = Annotated[str, typer.Option("--confirm", help="The slug again.")]
KeptBy = Annotated[str, typer.Option("--kept-by", help="Who keeps the record from now on, and by which act.")]
Reason = Annotated[str, typer.Option("--reason", help="Whose order it is, and its number.")]
Patient = Annotated[str, typer.Option("--patient", help="Id of one Patient; the whole record without it.")]
To = Annotated[
    Path | None,
    typer.Option(
        "--to", help="Folder in which the package's own folder is made; without it the worker writes it into the store."
    ),
]


@leaving.command("export")
def export_(slug: Slug, to: To = None, *, as_json: Json = False) -> None:
    """Write a hospital's exit package: everything of one moment, readable without us; started again, it goes on."""
    if to is None:
        name = with_work("exit", slug, lambda work: request_package(work, "emr tenants export"))
        _say({"job": name}, f"{slug}: the worker writes it; its administrators fetch it at /h/{slug}/admin/package.",
             as_json=as_json)  # fmt: skip
        return
    folder = to

    async def act(parts: Runtime) -> Written:
        leave_old_objects_alone()
        with _bar(quiet=as_json) as bar:
            return await export(parts, slug, folder, _watch(bar, parts.settings))

    written = with_runtime("exit", act)
    _say({"folder": str(written.folder), "package": written.digest},
         f"{written.folder}: whole. Package {written.digest}.", as_json=as_json)  # fmt: skip


def _say(told_: dict[str, str], words: str, *, as_json: bool) -> None:
    typer.echo(json.dumps(told_) if as_json else words)


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


@leaving.command("offboard")
def offboard_(
    slug: Slug, place: Place, *, certificate: Certificate, confirm: Confirm, kept_by: KeptBy = "", as_json: Json = False
) -> None:
    """Destroy all that is kept of a hospital that has left with this package: keys, objects, tables, roles."""
    if confirm != slug:
        refuse(f"Say --confirm {slug} to destroy what is kept of it.")
    asked = Asked(slug, place, certificate.absolute(), kept_by)

    async def act(parts: Runtime) -> dict[str, Any]:
        with _bar(quiet=as_json) as bar:
            return await offboard(parts, asked, _watch(bar, parts.settings))

    said = with_runtime("exit", act)
    typer.echo(json.dumps(said, ensure_ascii=False) if as_json else f"{slug}: gone. {certificate} says what went.")


@leaving.command("hold")
def hold(slug: Slug, *, reason: Reason, patient: Patient = EVERYBODY) -> None:
    """Forbid that a hospital's record, or one patient's, is destroyed."""
    typer.echo(with_work("holds", slug, lambda work: place_hold(work, reason, patient)))


@leaving.command("holds")
def holds(slug: Slug, *, as_json: Json = False) -> None:
    """Every hold that stands."""
    found = [asdict(each) | {"placed_at": each.placed_at.isoformat()} for each in with_work("holds", slug, list_holds)]
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
    for each in () if as_json else found:
        typer.echo(f"{each['id']}  {each['placed_at'][:10]}  {each['patient']}  {each['reason']}")


@leaving.command("release-hold")
def release(slug: Slug, hold: Annotated[str, typer.Argument(help="The hold's id.")], *, reason: Reason) -> None:
    """End a hold."""
    with_work("holds", slug, lambda work: release_hold(work, hold, reason))


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
