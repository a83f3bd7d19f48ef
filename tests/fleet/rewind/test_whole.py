"""The whole cell on an empty machine, as the handbook says it: files, log, start, trails."""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator

import psycopg
import pytest

from emr.fleet.rewind.opening import settle_log
from emr_demo.postgres import Cluster, Tuning
from emr_demo.postgres_server import Account, run_as
from tests.fleet.rewind.world import STANZA, World
from tests.fleet.world import emr
from tests.house import CAU_VONG, HOA_SEN
from tests.servers.tools import tool

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def moved(world: World) -> Iterator[tuple[World, Cluster, dict[str, object]]]:
    """The cell of a moment on another server, and the digests of both hospitals at that moment."""
    digests = {slug: world.digests(slug) for slug in (HOA_SEN, CAU_VONG)}
    moment = world.now()
    settle_log(world.house.settings, "default", moment)
    folder = world.folder / "empty-machine"
    folder.mkdir()
    cluster = Cluster(folder, tuning=Tuning(durable=False))
    account = Account.for_this_process()
    account.own(folder)
    command = [
        tool("pgbackrest"), f"--config={world.house.settings.backup.config}", f"--stanza={STANZA}", "restore",
        f"--pg1-path={cluster.data}", "--type=time", f"--target={moment:%Y-%m-%d %H:%M:%S.%f}+00",
        "--target-action=promote", "--archive-mode=off",
    ]  # fmt: skip
    cluster.data.mkdir(mode=0o700)
    account.own(cluster.data)
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", **run_as(account))
    assert done.returncode == 0, done.stdout + done.stderr
    shutil.copy(world.folder / "cell" / "passwords.json", folder)
    with cluster:
        _await_its_end(cluster)
        yield world, cluster, digests
    cluster.remove()


def _await_its_end(cluster: Cluster) -> None:
    """It lets people read before it has come to the moment."""
    deadline = time.monotonic() + 60
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        while connection.execute("SELECT pg_is_in_recovery()").fetchone() != (False,):
            assert time.monotonic() < deadline
            time.sleep(0.05)


class TestRestore:
    def test_every_hospital_is_as_it_was(self, moved: tuple[World, Cluster, dict[str, object]]) -> None:
        world, cluster, digests = moved
        elsewhere = World(world.house, world.folder)
        there, elsewhere.house.cluster = elsewhere.house.cluster, cluster
        try:
            assert {slug: elsewhere.digests(slug) for slug in digests} == digests
        finally:
            world.house.cluster = there

    def test_its_trails_are_whole(self, moved: tuple[World, Cluster, dict[str, object]]) -> None:
        world, cluster, _ = moved
        urls = world.house.settings.database
        at = {
            name: re.sub(r":\d+/", f":{cluster.port}/", url)
            for name, url in (("EMR_DATABASE__URL", urls.url), ("EMR_DATABASE__OWNER_URL", urls.owner_url))
        }
        done = emr(world.house, "audit", "verify", "--no-anchors", **at)
        assert done.returncode == 0, done.stdout + done.stderr
