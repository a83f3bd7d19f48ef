"""The `emr` command. A command's room is loaded when it is asked for, so that each process holds only what it needs."""

import os
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from multiprocessing import get_context
from typing import Annotated, Any, Final, Literal

import typer
import uvicorn
from typer._completion_classes import completion_init
from typer._completion_shared import get_completion_script
from typer.core import TyperGroup
from typer.main import get_command
from uvicorn import _subprocess

from emr.work.starting import MANAGEMENT_PORT, MANAGEMENT_PORTS, ManagementPort, ready_to_start

_ROOMS: Final = {
    "worker": "emr.warehouse.cli:worker",
    "dicom": "emr.dimse.cli:dicom",
    "migrate": "emr.fleet.cli:migrate",
    "tenants": "emr.fleet.cli:tenants",
    "members": "emr.fleet.members:members",
    "operators": "emr.fleet.operators:operators",
    "records": "emr.fleet.records:records",
    "profiles": "emr.fleet.profiles:profiles",
    "import": "emr.fleet.cli:import_",
    "audit": "emr.fleet.trails:audit",
    "backup": "emr.fleet.backups.cli:backup",
    "rewind": "emr.fleet.rewind.cli:rewind",
    "border": "emr.border.cli:border",
    "subscriptions": "emr.subscriptions.cli:subscriptions",
    "warehouse": "emr.warehouse.cli:warehouse",
    "apps": "emr.smart.cli:apps",
    "settings": "emr.fleet.cli:settings",
}
"""Command, and where its Typer application is."""


class _Rooms(TyperGroup):
    """The commands of this module, those of the rooms, and those that packages add under `emr.commands`."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *_ROOMS, *_added()]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in _ROOMS:
            module, _, name = _ROOMS[cmd_name].partition(":")
            return _named(cmd_name, getattr(import_module(module), name))
        if cmd_name in _added():
            return _named(cmd_name, _added()[cmd_name].load())
        return super().get_command(ctx, cmd_name)


app = typer.Typer(cls=_Rooms, no_args_is_help=True, add_completion=False, help="The shared electronic medical record.")


@app.callback()
def about() -> None:
    """Nothing is common to all commands."""


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
    workers: Annotated[int, typer.Option(help="Processes; one per pod in a cluster.", min=1, max=16)] = 1,
    management_port: ManagementPort = 8001,
) -> None:
    """The web service: pages, FHIR, DICOMweb."""
    settings = ready_to_start()
    os.environ[MANAGEMENT_PORT] = str(management_port)
    os.environ[MANAGEMENT_PORTS] = str(workers)
    if workers > 1:
        # Copies of one process that has loaded everything start sooner than processes that load it each for itself,
        # and hold it once. Nothing runs in this one but the loading: no thread, no loop, no connection.
        import_module("emr.app").preload()
        _subprocess.spawn = get_context("fork")  # type: ignore[assignment]
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
        timeout_worker_healthcheck=15,
        backlog=2048,
    )


@app.command()
def completion(shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(help="The shell.")]) -> None:
    """Print what completes these commands in a shell: source <(emr completion bash)."""
    typer.echo(get_completion_script(prog_name="emr", complete_var="_EMR_COMPLETE", shell=shell))


def _named(name: str, loaded: typer.Typer) -> Any:
    # `emr completion` completes every room; a room alone could only install what completes nothing.
    loaded._add_completion = False  # noqa: SLF001
    command = get_command(loaded)
    command.name = name
    command.help = command.help or str(loaded.info.help)
    return command


def _added() -> dict[str, EntryPoint]:
    """Commands of other packages; one that is not installed is not there."""
    return {entry.name: entry for entry in entry_points(group="emr.commands") if _installed(entry)}


def _installed(entry: EntryPoint) -> bool:
    try:
        entry.load()
    except ImportError:
        return False
    return True


def main() -> None:
    """Run the command."""
    completion_init()
    app()


if __name__ == "__main__":
    main()
