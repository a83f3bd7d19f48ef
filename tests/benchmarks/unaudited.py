"""`emr serve` without its audit trail, to be compared with: stands here alone, the product has no switch for it."""

import functools
import sys
from typing import Any

import uvicorn
from fastapi import FastAPI

from emr import app, cli
from emr.audit.writer import AuditWriter
from emr.work import unit


async def _nothing(*_: Any, **__: Any) -> None:
    return None


def create() -> FastAPI:
    """The web service whose rows go nowhere."""
    AuditWriter.record = _nothing  # type: ignore[method-assign]
    AuditWriter.record_directory = _nothing  # type: ignore[method-assign]
    unit._journal = _nothing
    return app.create()


if __name__ == "__main__":
    served = functools.partial(uvicorn.run, "tests.benchmarks.unaudited:create")
    uvicorn.run = lambda _, **options: served(**options)
    sys.argv[0] = "emr"
    cli.main()
