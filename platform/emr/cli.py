"""The `emr` command: puts the parts together and starts them."""

import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, NoReturn

import typer
import uvicorn
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from emr import app as service
from emr.db.roles import LoginTooPowerful
from emr.dimse import process as dicom_process
from emr.fleet import cli as fleet_cli
from emr.fleet import importing
from emr.kernel.errors import Refusal
from emr.settings import Settings
from emr.telemetry.logs import configure_logs
from emr.telemetry.tracing import configure_tracing
from emr.warehouse import worker as worker_process
from emr.warehouse.cli import warehouse
from emr.work.preconditions import demand_safe
from emr.work.runtime import Runtime, runtime

app = typer.Typer(no_args_is_help=True, add_completion=False, help="The shared electronic medical record.")
app.add_typer(fleet_cli.tenants, name="tenants")
app.add_typer(warehouse, name="warehouse")
app.command("migrate")(fleet_cli.migrate)

ManagementPort = Annotated[int, typer.Option("--management-port", help="Port of /metrics, /healthz and /readyz.")]


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
    workers: Annotated[int, typer.Option(help="Processes; one per pod in a cluster.", min=1, max=16)] = 1,
    management_port: ManagementPort = 8001,
) -> None:
    """The web service: pages, FHIR, DICOMweb."""
    settings = _ready_to_start()
    os.environ[service.MANAGEMENT_PORT] = str(management_port)
    os.environ[service.MANAGEMENT_PORTS] = str(workers)
    uvicorn.run(
        "emr.app:create",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=True,
        forwarded_allow_ips=settings.http.proxies,
        timeout_graceful_shutdown=25,
        timeout_worker_healthcheck=60,
        backlog=2048,
    )


@app.command()
def dicom(management_port: ManagementPort = 8001) -> None:
    """The DICOM listener: C-ECHO and C-STORE."""
    _run("dicom", lambda parts: dicom_process.serve(parts, management_port))


@app.command()
def worker(management_port: ManagementPort = 8001) -> None:
    """The relay to the city, the sealing of the audit journal, and what is tidied."""
    settings_ = _ready_to_start()
    try:
        code = worker_process.run(settings_, management_port)
    except Refusal as refusal:
        _refuse(refusal.message)
    raise typer.Exit(code)


@app.command("import")
def import_(
    tenant: Annotated[str, typer.Option("--tenant", help="The hospital's slug.")],
    paths: Annotated[list[Path], typer.Argument(help="Files or folders: .json, .json.gz, .ndjson.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Bring FHIR transaction Bundles or NDJSON into a hospital's record; start it again after a break."""
    settings_ = _ready_to_start()
    configure_logs(settings_.telemetry, "import")
    try:
        files = importing.files_of(paths)
        report = uvloop.run(_import(settings_, tenant, files))
    except Refusal as refusal:
        _refuse(refusal.message)
    typer.echo(json.dumps(asdict(report), ensure_ascii=False) if as_json else importing.told(report))
    if report.refused:
        raise typer.Exit(1)


async def _import(settings_: Settings, tenant: str, files: list[Path]) -> importing.Report:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    parts = runtime(settings_)
    await parts.open()
    try:
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(tenant, total=len(files))
            return await importing.import_files(parts, tenant, files, lambda: bar.advance(task))
    finally:
        await parts.close()


@app.command()
def settings() -> None:
    """Every setting with its description; no value of a secret is shown."""
    typer.echo(fleet_cli.settings_page(Settings))


def _run(process: str, serve_: Callable[[Runtime], Awaitable[None]]) -> None:
    """One of the long-running processes, from open connections to closed ones."""
    settings_ = _ready_to_start()
    configure_logs(settings_.telemetry, process)
    stop_tracing = configure_tracing(settings_.telemetry, process)

    async def live() -> None:
        parts = runtime(settings_)
        await parts.open()
        try:
            await serve_(parts)
        finally:
            await parts.close()

    try:
        uvloop.run(live())
    except Refusal as refusal:
        _refuse(refusal.message)
    finally:
        stop_tracing()


def _ready_to_start() -> Settings:
    """Settings that are safe to start with, or an end with a sentence that says what is not."""
    try:
        settings_ = Settings()
        demand_safe(settings_)
    except (LoginTooPowerful, Refusal, ValueError) as error:
        _refuse(str(error))
    return settings_


def _refuse(reason: str) -> NoReturn:
    typer.echo(reason, err=True)
    raise typer.Exit(2)


def main() -> None:
    """Run the command; packages may add commands under the entry point group `emr.commands`."""
    for entry in entry_points(group="emr.commands"):
        try:
            commands: typer.Typer = entry.load()
        except ImportError:
            continue
        app.registered_commands += commands.registered_commands
    app()


if __name__ == "__main__":
    main()
