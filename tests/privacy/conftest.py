"""The privacy officer of Hoa Sen, and a trail that is sealed up to now."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from emr.audit.sealing import Sealer
from emr.kernel.clock import utc_now
from emr.settings import Settings
from emr.work.faults import nowhere
from emr.work.runtime import runtime
from tests.house import House, in_a_loop


@pytest.fixture
def officer(live: House) -> Iterator[httpx.Client]:
    """privacy@hoa-sen, whose token says that a second factor was proved."""
    with live.client("privacy") as client:
        yield client


@pytest.fixture
def seal(live: House) -> Callable[[], None]:
    """Moves what is in the journal into the hospitals' trails, as a worker does each second."""

    async def turn(settings: Settings) -> None:
        parts = runtime(settings)
        await parts.open()
        await Sealer("default", parts.databases.cell("default"), utc_now, lambda _: None, nowhere).turn()
        await parts.close()

    return lambda: in_a_loop(turn, live.settings)
