"""How a process starts: settings that are safe, or an end with one sentence that says which is not."""

from typing import Annotated, Final, NoReturn

import typer

from emr.db.roles import LoginTooPowerful
from emr.kernel.errors import Refusal
from emr.settings import Settings
from emr.work.preconditions import demand_safe

MANAGEMENT_PORT: Final = "EMR_SERVE_MANAGEMENT_PORT"
MANAGEMENT_PORTS: Final = "EMR_SERVE_MANAGEMENT_PORTS"
"""How `emr serve` tells its processes where they may listen: the first port, and how many from there."""

ManagementPort = Annotated[int, typer.Option("--management-port", help="Port of /metrics, /healthz and /readyz.")]


def ready_to_start() -> Settings:
    """Settings that are safe to start with."""
    try:
        settings = Settings()
        demand_safe(settings)
    except (LoginTooPowerful, Refusal, ValueError) as error:
        refuse(str(error))
    return settings


def refuse(reason: str) -> NoReturn:
    """End with the reason on standard error and exit code 2."""
    typer.echo(reason, err=True)
    raise typer.Exit(2)
