"""`emr demo` and `emr token`, which exist only where the extra `demo` is installed.

Every `emr` command loads this module, so it knows nothing: the process becomes `python -m emr_demo`, which knows all.
"""

import os
import sys
from typing import Final

import typer

_AS_GIVEN: Final = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

demo = typer.Typer()
token = typer.Typer()


@demo.command(context_settings=_AS_GIVEN)
def run(context: typer.Context) -> None:
    """Run two made-up hospitals on this machine; Ctrl-C stops all of it."""
    _become("demo", context)


@token.command(context_settings=_AS_GIVEN)
def mint(context: typer.Context) -> None:
    """Print a bearer token from the demo's own identity provider, good for an hour."""
    _become("token", context)


def _become(command: str, context: typer.Context) -> None:
    # Compiled modules are kept even where the environment says otherwise: the second start must be a quick one.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.execv(sys.executable, [sys.executable, "-m", "emr_demo", command, *context.args])  # noqa: S606 - our own program
