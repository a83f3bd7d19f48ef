"""What every test may ask for. Servers start when first asked for, once in a run."""

import functools
import gc
import inspect
import ssl
from collections.abc import AsyncIterator, Callable, Iterator

import httpx
import pytest
from hypothesis import HealthCheck, settings

from emr.audit.sealing import Sealer
from emr.kernel.clock import utc_now
from emr.settings import Settings
from emr.subscriptions import guard as subscriptions
from emr.work.collector import look_seldom
from emr.work.faults import nowhere
from emr.work.runtime import Runtime, runtime
from emr_demo.postgres import Cluster, temporary
from tests.house import CAU_VONG, House, house, in_a_loop, served

look_seldom()

# Each of httpx's clients reads all the world's certificate authorities, which takes 30 ms; the tests make thousands of
# clients, so that one context serves all that ask for the same.
ssl.create_default_context = functools.cache(ssl.create_default_context)  # type: ignore[assignment]

# Three processes test on as many processors as there are: an example or an answer that is slow once says nothing of what
# is tested, and what must be quick is measured where that is said.
settings.register_profile("busy", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")
_patience = inspect.signature(httpx.Client).parameters["timeout"].default
_patience.connect = _patience.read = _patience.write = _patience.pool = 30.0


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, as the service does."""
    return "asyncio"


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server that forgets everything at the end."""
    with temporary() as running:
        yield running


@pytest.fixture(scope="session")
def standing(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Two hospitals with all their accounts; nothing listens but the provider."""
    with house(cluster, tmp_path_factory.mktemp("house")) as made:
        yield made


@pytest.fixture(scope="session")
def live(standing: House) -> Iterator[House]:
    """The same with the web service listening."""
    with served(standing) as made:
        yield made


@pytest.fixture
async def parts(standing: House) -> AsyncIterator[Runtime]:
    """A runtime of the test's own, for use cases that are called directly."""
    made = runtime(standing.settings)
    subscriptions.install(made)
    await made.open()
    yield made
    await made.close()


@pytest.fixture
def doctor(live: House) -> Iterator[httpx.Client]:
    """doctor@hoa-sen over FHIR."""
    with live.client() as client:
        yield client


@pytest.fixture
def neighbour(live: House) -> Iterator[httpx.Client]:
    """doctor@cau-vong over FHIR."""
    with live.client(slug=CAU_VONG) as client:
        yield client


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


def pytest_collection_finish() -> None:
    """The thousands of tests stay: the garbage collector need not look through them again and again."""
    gc.collect()
    gc.freeze()


def pytest_make_parametrize_id(val: object) -> str | None:
    """Bytes are named by their number: two processes that test side by side must give a test the same name."""
    return f"{len(val)}-bytes" if isinstance(val, bytes) and len(val) > 16 else None
