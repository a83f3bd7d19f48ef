"""`emr import`: FHIR files become a hospital's record."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from emr.definitions.warm import warm
from emr.fleet import importing
from emr.fleet.lines import Report
from emr.fleet.printing import Json
from emr.work.collector import leave_old_objects_alone
from emr.work.command import with_runtime
from emr.work.runtime import Runtime

import_ = typer.Typer()


@import_.command()
def bring_in(
    tenant: Annotated[str, typer.Option("--tenant", help="The hospital's slug.")],
    paths: Annotated[list[Path], typer.Argument(help="Files or folders: .json, .json.gz, .ndjson.")],
    *,
    as_json: Json = False,
) -> None:
    """Bring FHIR transaction Bundles or NDJSON into a hospital's record; start it again after a break."""
    report = with_runtime("import", lambda parts: _import(parts, tenant, paths))
    typer.echo(json.dumps(asdict(report), ensure_ascii=False) if as_json else importing.told(report))
    if report.refused:
        raise typer.Exit(1)


async def _import(parts: Runtime, tenant: str, paths: list[Path]) -> Report:
    files = importing.files_of(paths)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    warm({parts.registry.by_slug(tenant).time_zone})
    leave_old_objects_alone()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(tenant, total=len(files))
        return await importing.import_files(parts, tenant, files, lambda: bar.advance(task))
