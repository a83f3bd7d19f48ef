"""Tells the directory what each hospital asked of this process, every half minute and when the process ends.

Prometheus may be anywhere, or nowhere; the directory is where the console looks. What a process counted between the
last time and a `kill -9` is lost: half a minute at most.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Final

from emr.console import repository
from emr.db.connection import FAILURES
from emr.telemetry.logs import exception_facts, get_logger
from emr.telemetry.traffic import TRAFFIC
from emr.work.runtime import Runtime

SPAN: Final = timedelta(minutes=5)
"""What a row of `directory.traffic` holds."""
_EVERY_SECONDS: Final = 30.0
_AT_THE_END: Final = 2.0


def begin_of(moment: datetime) -> datetime:
    """The begin of the five minutes in which a moment lies."""
    seconds = SPAN.total_seconds()
    return datetime.fromtimestamp(moment.timestamp() // seconds * seconds, UTC)


async def tell(runtime: Runtime) -> None:
    """Add what was counted to the five minutes that it is now; where the directory does not answer, later."""
    counted = TRAFFIC.take()
    if not counted:
        return
    lines = json.dumps([{"slug": slug} | asdict(counts) for slug, counts in counted.items()])
    try:
        async with runtime.databases.directory.connection() as connection:
            await repository.tell(connection, begin_of(runtime.clock()), lines)
    except FAILURES as error:
        TRAFFIC.put_back(counted)
        get_logger().warning("traffic not told", **exception_facts(error))


@asynccontextmanager
async def told(runtime: Runtime) -> AsyncIterator[None]:
    """Tell while the body runs, and once more at its end."""
    telling = asyncio.create_task(_tell_forever(runtime), name="traffic")
    try:
        yield
    finally:
        telling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await telling
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_AT_THE_END):
                await tell(runtime)


async def _tell_forever(runtime: Runtime) -> None:
    while True:
        await asyncio.sleep(_EVERY_SECONDS)
        await tell(runtime)
