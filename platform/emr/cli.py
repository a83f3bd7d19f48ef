"""The `emr` command. A command's room is loaded when it is asked for, so that each process holds only what it needs."""

from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any, ClassVar, Literal

import typer
from typer._completion_classes import completion_init
from typer._completion_shared import get_completion_script

from emr.work.collector import look_seldom
from emr.work.rooms import Rooms, command_of


class _Emr(Rooms):
    """The commands of the platform, and those that packages add under `emr.commands`."""

    rooms: ClassVar = {
        "serve": "emr.serving:serve",
        "worker": "emr.worker:worker",
        "dicom": "emr.dimse.cli:dicom",
        "migrate": "emr.fleet.migration_cli:migrate",
        "tenants": "emr.fleet.cli:tenants",
        "members": "emr.fleet.members:members",
        "operators": "emr.fleet.operators:operators",
        "records": "emr.fleet.records:records",
        "profiles": "emr.fleet.profiles:profiles",
        "import": "emr.fleet.importing_cli:import_",
        "audit": "emr.fleet.trails:audit",
        "backup": "emr.fleet.backups.cli:backup",
        "rewind": "emr.fleet.rewind.cli:rewind",
        "border": "emr.border.cli:border",
        "subscriptions": "emr.subscriptions.cli:subscriptions",
        "warehouse": "emr.warehouse.cli:warehouse",
        "apps": "emr.smart.cli:apps",
        "realm": "emr.fleet.realm:realm",
        "settings": "emr.fleet.cli:settings",
    }

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *_added()]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        found = super().get_command(ctx, cmd_name)
        if found is None and cmd_name in _added():
            return command_of(cmd_name, _added()[cmd_name].load())
        return found


app = typer.Typer(cls=_Emr, no_args_is_help=True, add_completion=False, help="The shared electronic medical record.")


@app.callback()
def about() -> None:
    """Nothing is common to all commands."""


@app.command()
def completion(shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(help="The shell.")]) -> None:
    """Print what completes these commands in a shell: source <(emr completion bash)."""
    typer.echo(get_completion_script(prog_name="emr", complete_var="_EMR_COMPLETE", shell=shell))


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
    look_seldom()
    completion_init()
    app()


if __name__ == "__main__":
    main()
