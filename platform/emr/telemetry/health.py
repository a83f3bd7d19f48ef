"""Whether this process is ready, and if not, why: named checks, asked together and each within a bound."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from emr.telemetry.logs import exception_facts, get_logger

Check = Callable[[], Awaitable[str | None]]
"""Answers None when all is well, else one English sentence without data, such as `The database does not answer.`"""

CHECK_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Report:
    """What was found: check to reason, None where all is well."""

    checks: dict[str, str | None]
    tolerated: dict[str, str | None] = field(default_factory=dict)
    """The same for what a process can do without for a while: told, but no reason to send requests elsewhere."""

    @property
    def ready(self) -> bool:
        return not any(self.checks.values())

    def as_json(self) -> dict[str, object]:
        """`{"ready": false, "checks": {"database": "The database does not answer."}, "tolerated": {…}}`"""
        return {"ready": self.ready, "checks": self.checks, "tolerated": self.tolerated}


class Readiness:
    """The checks of one process. `drain` makes it unready for good, so that no new work is sent here."""

    def __init__(self, checks: dict[str, Check] | None = None, tolerated: dict[str, Check] | None = None) -> None:
        self._checks = dict(checks or {})
        self._tolerated = dict(tolerated or {})
        self._draining = False

    def add(self, name: str, check: Check) -> None:
        self._checks[name] = check

    def drain(self) -> None:
        self._draining = True

    async def report(self) -> Report:
        """Ask every check. One that takes longer than `CHECK_SECONDS` or raises counts as not ready."""
        if self._draining:
            return Report({"process": "This process is stopping."})
        asked = self._checks | self._tolerated
        found = await asyncio.gather(*(_ask(name, check) for name, check in asked.items()))
        said = dict(zip(asked, found, strict=True))
        return Report({name: said[name] for name in self._checks}, {name: said[name] for name in self._tolerated})


async def _ask(name: str, check: Check) -> str | None:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check()
    except TimeoutError:
        return f"No answer within {CHECK_SECONDS:g} s."
    except Exception as error:  # noqa: BLE001 - a check that breaks is an answer too: not ready
        get_logger().warning("readiness check failed", check=name, **exception_facts(error))
        return f"The check failed ({type(error).__name__})."
