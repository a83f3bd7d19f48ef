"""`emr demo`: everything that a demonstration needs, started in order, watched, and stopped together.

A data folder with generated secrets, a PostgreSQL cluster, migrations, the hospitals of the files, an OpenID provider,
the processes of the platform, made-up patients. Everything listens on loopback only.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import httpx
from rich.console import Console

from emr.settings import Settings
from emr_demo.children import Children
from emr_demo.folder import DemoFolder, free_port
from emr_demo.onboarding import make_hospitals, make_logins, make_members, make_operators, provider_hospitals
from emr_demo.people.hospital import PROFILES
from emr_demo.postgres import Cluster
from emr_demo.provider.config import ProviderConfig
from emr_demo.provider.run import running

_HOST = "127.0.0.1"
_READY_SECONDS = 120.0
_LOOK_SECONDS = 0.5
_ASKED_SECONDS = 2
"""How often it is looked whether a page has asked for something."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Stopped(BaseException):
    """Somebody asked the demo to stop."""


class NotForProduction(Exception):
    """The demo was asked to run where EMR_PROFILE says production."""


class PortTaken(Exception):
    """Something else listens where the web service should."""


class NotLoaded(Exception):
    """The sample data are not complete."""


class NotReady(Exception):
    """The service did not become ready in time."""


@dataclass(frozen=True)
class Demo:
    """What was asked for."""

    port: int
    data: Path
    sample_data: bool = True

    @property
    def base_url(self) -> str:
        """Where browsers go."""
        return f"http://{_HOST}:{self.port}"


def run(demo: Demo) -> None:
    """Start everything, print one line when it is ready, and stop everything on Ctrl-C or SIGTERM.

    Raises NotForProduction, FolderInUse, PortTaken, ClusterFailed, OnboardingFailed, FilesBroken, ChildDied, NotLoaded,
    NotReady.
    """
    if os.environ.get("EMR_PROFILE") == "production":
        raise NotForProduction("EMR_PROFILE is production: the demo, which knows no passwords, does not start")
    folder, console = DemoFolder(demo.data), Console(stderr=True)
    with _stopped_by_signals(), ExitStack() as stack:
        stack.enter_context(folder.held())
        children = Children(folder.path)
        children.stop_leftovers()
        _demand_free(demo.port)
        with console.status("PostgreSQL"):
            cluster = stack.enter_context(Cluster(folder.path / "postgres"))
        settings = _settings(demo, folder, cluster)
        with console.status("Migrations and hospitals"):
            make_hospitals(settings)
            asyncio.run(make_members(settings))
            make_operators(settings)
        stack.enter_context(running(_provider(demo, folder, settings)))
        stack.callback(children.stop)
        _start_platform(demo, folder, children)
        if demo.sample_data and not _full(folder, settings):
            _load_sample_data(folder, children)
        with console.status("Waiting until the service is ready"):
            _wait_until_ready(demo, children)
        print(f"EMR ready: {demo.base_url}", flush=True)  # noqa: T201 - the one line that is promised
        while True:
            time.sleep(_LOOK_SECONDS)
            children.check()


def _demand_free(port: int) -> None:
    if free_port(port) is None:
        raise PortTaken(f"something else listens on port {port}; choose another one with --port")


def _settings(demo: Demo, folder: DemoFolder, cluster: Cluster) -> Settings:
    """The same settings for this process and, through the environment, for its children."""
    tenants = Path(os.environ.get("EMR_TENANTS", "tenants")).absolute()
    issuer = f"http://{_HOST}:{folder.port('provider')}"
    environment = folder.environment(make_logins(cluster), issuer=issuer, base_url=demo.base_url, tenants=tenants)
    os.environ.update(environment)
    return Settings()


def _provider(demo: Demo, folder: DemoFolder, settings: Settings) -> ProviderConfig:
    return ProviderConfig(
        profile="demo",
        issuer=settings.identity.issuer,
        platform_url=demo.base_url,
        folder=folder.path,
        hospitals=provider_hospitals(settings),
    )


def _start_platform(demo: Demo, folder: DemoFolder, children: Children) -> None:
    """The processes of the platform, each with a free management port of its own, and what pages ask of the owner."""
    emr = Path(sys.executable).with_name("emr")
    commands = {
        "serve": ["serve", "--host", _HOST, "--port", str(demo.port)],
        "worker": ["worker"],
        "dicom": ["dicom"],
    }
    for name, words in commands.items():
        management = ["--management-port", str(folder.port(f"{name}-management"))]
        children.start(name, [emr, *words, *management], {}, folder.log(name))
    watch: list[str | Path] = [emr, "tenants", "requests", "--watch", str(_ASKED_SECONDS)]
    children.start("requests", watch, {}, folder.log("requests"))


def _full(folder: DemoFolder, settings: Settings) -> bool:
    """Whether every hospital that could have made-up patients was filled at an earlier start."""
    return PROFILES.keys() & {one.alias for one in provider_hospitals(settings)} <= set(folder.loaded())


def _load_sample_data(folder: DemoFolder, children: Children) -> None:
    """In a process of its own, so that later starts need not know how patients are made. Raises NotLoaded."""
    loader = subprocess.Popen([sys.executable, "-m", "emr_demo.load", folder.path])
    try:
        while loader.poll() is None:
            children.check()
            time.sleep(_LOOK_SECONDS / 5)
    finally:
        loader.terminate()
        loader.wait()
    if loader.returncode != 0:
        raise NotLoaded("the made-up patients could not be loaded; the next start goes on where this one ended")


def _wait_until_ready(demo: Demo, children: Children) -> None:
    deadline, answer = time.monotonic() + _READY_SECONDS, "nothing answered"
    with httpx.Client(base_url=demo.base_url, timeout=5, trust_env=False) as client:
        while time.monotonic() < deadline:
            children.check()
            try:
                reply = client.get("/readyz")
            except httpx.HTTPError as error:
                answer = type(error).__name__
            else:
                if reply.is_success:
                    return
                answer = reply.text
            time.sleep(0.1)
    raise NotReady(f"{demo.base_url}/readyz was not ready after {_READY_SECONDS:.0f} s: {answer}")


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """The first SIGINT or SIGTERM ends the block, wherever it is; later ones do not disturb the clearing up."""

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise _Stopped

    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield
    except _Stopped:
        return
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
