"""`python -m emr_demo`: the process behind `emr demo` and `emr token`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from emr.fleet.files import FilesBroken
from emr.kernel.errors import Refusal
from emr_demo.children import ChildDied
from emr_demo.folder import FolderInUse
from emr_demo.onboarding import OnboardingFailed
from emr_demo.postgres import ClusterFailed
from emr_demo.postgres_server import NoServer
from emr_demo.provider.config import NotForProduction as ProviderNotForProduction
from emr_demo.provider.mint import NoSuchAccount, mint_token
from emr_demo.provider.run import ProviderNotRunning
from emr_demo.supervise import Demo, NotForProduction, NotLoaded, NotReady, PortTaken, run

_TOLD = (
    ChildDied, ClusterFailed, FilesBroken, FolderInUse, NoServer, NoSuchAccount, NotForProduction, NotLoaded, NotReady,
    OnboardingFailed, PortTaken, ProviderNotForProduction, ProviderNotRunning,
)  # fmt: skip
Data = Annotated[Path, typer.Option("--data", help="The demo's data folder.")]
_DATA = Path(".demo")


app = typer.Typer()


@app.command()
def demo(
    *,
    port: Annotated[int, typer.Option(help="Port of the web service on 127.0.0.1.")] = 8000,
    data: Data = _DATA,
    no_sample_data: Annotated[bool, typer.Option("--no-sample-data", help="Hospitals without patients.")] = False,
) -> None:
    """Run two made-up hospitals on this machine; Ctrl-C stops all of it."""
    try:
        run(Demo(port, data, sample_data=not no_sample_data))
    except _TOLD as fault:
        _exit(str(fault))
    except Refusal as refusal:
        _exit(refusal.message)


@app.command()
def token(
    *,
    tenant: Annotated[str, typer.Option(help="Slug of the hospital.")],
    role: Annotated[str, typer.Option(help="A role of the hospital, or a machine client.")],
    data: Data = _DATA,
    scope: Annotated[str, typer.Option(help="SMART scopes that limit the role, such as user/Patient.rs.")] = "",
) -> None:
    """Print a bearer token from the demo's own identity provider, good for an hour."""
    try:
        print(mint_token(data, tenant=tenant, role=role, scope=scope))  # noqa: T201 - the token is what was asked for
    except _TOLD as fault:
        _exit(str(fault))


def _exit(reason: str) -> None:
    print(reason, file=sys.stderr)  # noqa: T201 - the reason, for a person
    raise typer.Exit(1)


if __name__ == "__main__":
    app(prog_name="emr")
