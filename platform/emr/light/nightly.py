"""When a hospital's doors are tried again: every night, and when another build serves."""

import asyncio
import hashlib
import sys
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import emr
from emr.db.pools import DEFAULT_CELL
from emr.kernel.tenant import Tenant
from emr.light.results import Result, Results, signer_of
from emr.telemetry import metrics
from emr.telemetry.logs import get_logger
from emr.work.leases import Lease, Leases
from emr.work.loop import Job
from emr.work.runtime import Runtime

_LOOK: Final = 60.0
_NIGHT: Final = timedelta(hours=20)
"""No hospital is tried twice in one night."""
_LONGEST: Final = timedelta(hours=6)


@cache
def build_id() -> str:
    """Twelve hexadecimal digits of a digest over this build's code: what is tried again when it changes."""
    root = Path(emr.__file__).parent
    digest = hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        digest.update(f"{file.relative_to(root)}\n".encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def due(tenant: Tenant, last: Result | None, now: datetime, hour: int) -> bool:
    """Whether to try this hospital now: never tried, or not by this build, or it is night and last night is over."""
    if last is None or last.build != build_id():
        return True
    local = now.astimezone(ZoneInfo(tenant.time_zone))
    return now - last.ended_at > _NIGHT and hour <= local.hour < hour + _LONGEST // timedelta(hours=1)


def border_jobs(parts: Runtime, leases: dict[str, Leases]) -> list[Job]:
    """One for the city: hospitals are tried by each other, whatever their cells. None where the settings say so."""
    if not parts.settings.border.nightly:
        return []
    results = Results(parts.databases.directory, signer_of(parts.signing_key))

    async def turn(lease: Lease | None) -> bool:
        if lease is None:
            return False
        waiting = []
        for tenant in parts.registry.all():
            last = next(iter(await results.newest(tenant)), None)
            if last is not None:
                label = metrics.hospital_label(tenant.slug)
                metrics.BORDER_RED.labels(label).set(0 if last.green else 1)
                metrics.BORDER_AGE.labels(label).set((parts.clock() - last.ended_at).total_seconds())
            if tenant.open and due(tenant, last, parts.clock(), parts.settings.border.hour):
                waiting.append(tenant.slug)
        if waiting:
            await _try(waiting[0])
        return len(waiting) > 1

    return [Job("border", _LOOK, turn, leases[DEFAULT_CELL])]


async def _try(slug: str) -> None:
    """In a process of its own, which knows the whole application and gives its memory back."""
    command = (sys.executable, "-m", "emr.cli", "border", "check", slug)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    try:
        code = await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
    get_logger().info("border tried", hospital=slug, code=code)
