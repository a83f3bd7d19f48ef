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
        "emr.serving:serve": {"serve": "The web service: pages, FHIR, DICOMweb."},
        "emr.worker:worker": {
            "worker": "The relay to the city, the sealing of the audit journal, what was asked for, and what is tidied."
        },
        "emr.dimse.cli:dicom": {"dicom": "The DICOM listener: C-ECHO and C-STORE."},
        "emr.fleet.migration_cli:migrate": {
            "migrate": "Bring directory, cells and every hospital to the newest revision; one that was cut off goes on."
        },
        "emr.fleet.cli:tenants": {"tenants": "The hospitals: what their files say, and making it so."},
        "emr.fleet.members:members": {"members": "Who belongs to a hospital, and in which role."},
        "emr.fleet.operators:operators": {"operators": "Who works for the department and may open its console."},
        "emr.fleet.records:records": {"records": "The search index of a hospital's record."},
        "emr.fleet.profiles:profiles": {"profiles": "The profiles that a hospital's record is held to."},
        "emr.fleet.importing_cli:import_": {
            "import": "Bring FHIR transaction Bundles or NDJSON into a hospital's record; start it again after a break."
        },
        "emr.fleet.trails:audit": {"audit": "Who did what: whether the trails are whole."},
        "emr.fleet.backups.cli:backup": {"backup": "Backups of the cells: made, listed, checked."},
        "emr.fleet.rewind.cli:rewind": {"rewind": "One hospital at any second of the past: opened, closed."},
        "emr.border.cli:border": {"border": "The border light: every hospital's doors, tried from outside."},
        "emr.subscriptions.cli:subscriptions": {"subscriptions": "What other systems asked to be told."},
        "emr.warehouse.cli:warehouse": {"warehouse": "What leaves for the city's warehouse."},
        "emr.smart.cli:apps": {"apps": "The SMART apps and services of a hospital."},
        "emr.fleet.realm:realm": {"realm": "Whether Keycloak's realm has what the platform relies on."},
        "emr.fleet.directory_cli:settings": {
            "settings": "Every setting with its description; no value of a secret is shown."
        },
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
