"""`emr tenants reset-sandbox`: a hospital for training back to its beginning."""

import getpass
import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from emr.fleet.printing import Json
from emr.fleet.sandbox.resetting import Reset, reset
from emr.work.command import with_runtime
from emr.work.runtime import Runtime

sandbox = typer.Typer()


@sandbox.command("reset-sandbox")
def reset_sandbox(
    slug: Annotated[str, typer.Argument(help="The hospital's slug; its file says `sandbox: true`.")],
    *,
    by: Annotated[str, typer.Option("--by", help="Who asks for it; the account on this machine unless said.")] = "",
    as_json: Json = False,
) -> None:
    """Empty a hospital for training and fill it with its made-up patients; any other hospital refuses."""
    done = with_runtime("sandbox", lambda parts: _reset(parts, slug, by or getpass.getuser()))
    if as_json:
        typer.echo(json.dumps(asdict(done), ensure_ascii=False))
    else:
        typer.echo(f"{done.slug} is as at its beginning: {done.bundles} Bundles of made-up patients.")


async def _reset(parts: Runtime, slug: str, by: str) -> Reset:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(slug, total=None)
        return await reset(parts, slug, by, lambda done, of: bar.update(task, completed=done, total=of))
