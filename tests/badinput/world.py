"""What must be the same before and after something bad has come in, and how much it may cost."""

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.house import CAU_VONG, HOA_SEN, House
from tests.patience import comes_true

SECONDS = 2.0
MEMORY = 100 * 1024 * 1024
LEAKS = re.compile(
    r"Traceback|File \"|asyncpg|psycopg|SELECT |INSERT |resource_versions|t_[a-z0-9]{12}|/home/|/usr/|/tmp/|platform/emr|site-packages|\.py\b|line \d+"
)


@dataclass(frozen=True)
class Standing:
    """Everything that a refusal must leave as it was."""

    counts: dict[str, dict[str, int]]
    objects: list[str]
    open_transactions: int


def standing_of(house: House) -> Standing:
    return Standing(
        {slug: house.counts(slug) for slug in (HOA_SEN, CAU_VONG)},
        house.objects(HOA_SEN) + house.objects(CAU_VONG),
        open_transactions(house),
    )


def open_transactions(house: House) -> int:
    """How many stay open: a reader's is left open for some milliseconds, for the next who reads."""
    busy = (
        "SELECT count(*) FROM pg_stat_activity WHERE usename = 'emr_app' AND state LIKE 'idle in%%'"
        " AND datname = current_database()"
    )
    comes_true(lambda: house.sql(busy) == [(0,)])
    return int(house.sql(busy)[0][0])


def resident() -> int:
    """Bytes of this process, in which the service runs."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def peak() -> int:
    """The most that this process has had since `forget_peak`."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text("ascii"))
    assert found is not None
    return int(found[1]) * 1024


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5", "ascii")


@contextmanager
def unmoved(house: House, *, refusals: int = 1, trail: str | None = HOA_SEN) -> Iterator[None]:
    """Nothing is stored, exactly so many refusals are written down, memory stays flat."""
    before, written = standing_of(house), house.refusals(trail)
    forget_peak()
    held = resident()
    yield
    grown = peak() - held
    assert standing_of(house) == before
    assert house.refusals(trail) == written + refusals
    assert grown < MEMORY, f"{grown / 2**20:.0f} MiB"


def timed(action: Callable[[], httpx.Response]) -> httpx.Response:
    began = time.monotonic()
    answer = action()
    took = time.monotonic() - began
    assert took < SECONDS, f"{took:.1f} s"
    return answer


def demand_refusal(answer: httpx.Response, *statuses: int) -> None:
    """One of these answers, in the language of FHIR, and nothing that only we should know."""
    assert answer.status_code in statuses, answer.text[:500]
    body = answer.json()
    assert body["resourceType"] == "OperationOutcome"
    assert all(issue["details"]["coding"][0]["code"] for issue in body["issue"])
    assert not LEAKS.search(answer.text), answer.text[:500]
