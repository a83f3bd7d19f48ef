"""The management port of serve, worker and dicom: `/metrics`, `/healthz`, `/readyz`. Inside the cluster only."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any

import uvicorn

from emr.telemetry import metrics
from emr.telemetry.health import Readiness

Message = MutableMapping[str, Any]


class ManagementServer:
    """Runs inside the process's own loop, so that it also tells whether that loop still turns."""

    def __init__(self, server: uvicorn.Server, task: "asyncio.Task[None]") -> None:
        self._server, self._task = server, task

    @property
    def port(self) -> int:
        """The port that it listens on, also when 0 was asked for."""
        port: int = self._server.servers[0].sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        """Stop listening; returns when it has."""
        self._server.should_exit = True
        await self._task


async def serve_management(port: int, readiness: Readiness, *, host: str = "127.0.0.1") -> ManagementServer:
    """Listen, and answer when that has begun. `OSError` when the port is taken."""
    config = uvicorn.Config(
        _application(readiness),
        host=host,
        port=port,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    server = _WithoutSignals(config)
    task = asyncio.create_task(_serve(server), name="management")
    while not server.started:
        if task.done():
            await task
        await asyncio.sleep(0.01)
    return ManagementServer(server, task)


class _WithoutSignals(uvicorn.Server):
    """The process has signal handlers of its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(server: uvicorn.Server) -> None:
    try:
        await server.serve()
    except SystemExit as error:
        # uvicorn leaves the process when it cannot listen; here that is for the caller to decide.
        raise OSError("The management port cannot be listened on.") from error


def _application(
    readiness: Readiness,
) -> Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]:
    async def application(
        scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        del receive
        status, kind, body = await _answer(scope["path"], readiness)
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return application


async def _answer(path: str, readiness: Readiness) -> tuple[int, str, bytes]:
    if path == "/metrics":
        return 200, metrics.CONTENT_TYPE, metrics.exposition()
    if path == "/healthz":
        return 200, "application/json", b'{"status":"ok"}'
    if path == "/readyz":
        report = await readiness.report()
        return 200 if report.ready else 503, "application/json", json.dumps(report.as_json()).encode()
    return 404, "text/plain", b"not found"
