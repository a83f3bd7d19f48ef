"""The process `emr dicom`: listens until it is told to stop, then finishes what runs."""

import asyncio
import contextlib
import signal
import tempfile
from collections.abc import Callable

from emr.dimse.listener import Listener
from emr.dimse.receiving import catch_up
from emr.telemetry.health import Readiness
from emr.telemetry.logs import get_logger
from emr.telemetry.management import serve_management
from emr.work.runtime import Runtime

DRAIN_SECONDS = 25.0


async def serve(runtime: Runtime, management_port: int, ready: Callable[[int, int], None] | None = None) -> None:
    """Run until SIGTERM or SIGINT. `ready` is told the DICOM and the management port.

    `runtime` is open already and stays open. Raises OSError when a port is taken.
    """
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    if runtime.settings.dicom.spool:
        # pynetdicom writes what it receives to the process's temporary folder.
        tempfile.tempdir = str(runtime.settings.dicom.spool)
    listener = Listener(runtime, loop)
    await asyncio.to_thread(listener.start)
    readiness = Readiness({"parts": lambda: _reason(runtime)})
    host = runtime.settings.telemetry.management_host
    management = await serve_management(management_port, readiness, host=host)
    get_logger().info("dicom ready", port=listener.port)
    if ready:
        ready(listener.port, management.port)
    catching_up = asyncio.create_task(catch_up(runtime), name="catch-up")
    await stopping.wait()
    readiness.drain()
    await asyncio.to_thread(listener.stop, DRAIN_SECONDS)
    catching_up.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await catching_up
    await management.stop()


async def _reason(runtime: Runtime) -> str | None:
    reasons = await runtime.reasons_not_ready()
    return "; ".join(reasons.values()) or None
