"""Starting the provider: on loopback, in this process or in a thread of it."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import uvicorn

from emr_demo.provider.app import Provider
from emr_demo.provider.config import ProviderConfig
from emr_demo.provider.secrets_folder import write_private

_ADDRESS: Final = "provider.json"
_HOST: Final = "127.0.0.1"


class ProviderNotRunning(Exception):
    """Nothing answers where the demo's provider should be, or it never ran in this data folder."""


async def serve(config: ProviderConfig) -> None:
    """Serve until the process is told to stop."""
    await _server(Provider(config)).serve()


@contextlib.contextmanager
def running(config: ProviderConfig) -> Iterator[Provider]:
    """A provider that runs in a thread for as long as the block does."""
    provider = Provider(config)
    server = _server(provider)
    listening = _listen(config.port)
    thread = threading.Thread(target=server.run, args=([listening],), name="demo-provider", daemon=True)
    thread.start()
    try:
        _wait(server, thread)
        yield provider
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listening.close()


def remembered_issuer(folder: Path) -> str:
    """The issuer of the provider that runs, or ran, on this data folder."""
    try:
        return str(json.loads((folder / _ADDRESS).read_text("utf-8"))["issuer"])
    except FileNotFoundError as error:
        raise ProviderNotRunning(f"the demo has not been started with the data folder {folder}") from error


def _server(provider: Provider) -> uvicorn.Server:
    config = provider.state.config
    write_private(config.folder / _ADDRESS, json.dumps({"issuer": config.issuer}))
    options = uvicorn.Config(
        provider.app, host=_HOST, port=config.port, log_config=None, access_log=False, lifespan="off"
    )
    return uvicorn.Server(options)


def _listen(port: int) -> socket.socket:
    """A socket on loopback; bound here, so that a taken port is told to the caller and not to a thread's log."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((_HOST, port))
    except OSError as error:
        listening.close()
        raise ProviderNotRunning(f"port {port} of the demo's provider is taken") from error
    return listening


def _wait(server: uvicorn.Server, thread: threading.Thread) -> None:
    limit = time.monotonic() + 15
    while not server.started:
        if not thread.is_alive() or time.monotonic() > limit:
            raise ProviderNotRunning("the demo's provider did not start")
        time.sleep(0.02)
