"""`emr serve`: the web service as a process, or as several behind one port."""

import os
from importlib import import_module
from multiprocessing import get_context
from typing import Annotated

import typer
import uvicorn
from uvicorn import _subprocess

from emr.work.starting import MANAGEMENT_PORT, MANAGEMENT_PORTS, ManagementPort, ready_to_start

serve = typer.Typer()


@serve.command()
def listen(
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
