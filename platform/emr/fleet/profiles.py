"""`emr profiles …`: the FHIR packages whose profiles a hospital's record is held to."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from emr.definitions.profiles.package import read_package
from emr.kernel.errors import Refusal
from emr.records.packages import add_package, list_profiles, remove_package
from emr.work.command import told, with_work
from emr.work.starting import refuse

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
        refuse(told(refusal))
    added = with_work("profiles", slug, lambda work: add_package(work, package))
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
        for each in with_work("profiles", slug, list_profiles)
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
    gone = with_work("profiles", slug, lambda work: remove_package(work, name))
    typer.echo(f"{gone} definitions of {name} are gone.")
