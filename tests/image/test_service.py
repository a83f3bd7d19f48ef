"""The image does what the chart asks of it: migrate, onboard, serve, and stop when told."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from emr_demo.postgres import Cluster
from tests.image.cluster import MANAGEMENT_HOST, Node, Running, database, write_secrets
from tests.patience import comes_true
from tests.servers import image
from tests.servers.minio import minio_server
from tests.servers.ports import free_port

# The first build fetches and compiles every dependency.
pytestmark = [pytest.mark.server, pytest.mark.timeout(1500)]


@dataclass(frozen=True)
class Serving:
    """The service from the image, and where it listens."""

    process: Running
    pages: str
    management: str


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("image")


@pytest.fixture(scope="module")
def cluster(folder: Path) -> Iterator[Cluster]:
    with database(folder / "postgres") as made:
        yield made


@pytest.fixture(scope="module")
def node(folder: Path, cluster: Cluster) -> Iterator[Node]:
    (folder / "minio").mkdir()
    with minio_server(folder / "minio") as store, image.build().container() as container:
        write_secrets(folder / "secrets", cluster, store)
        yield Node(container, folder / "secrets", {"storage": {"endpoint": store.host, "secure": False}})


@pytest.fixture(scope="module")
def onboarded(node: Node) -> Node:
    """The migrate job, run as the chart says."""
    for name in ("migrate", "onboard"):
        done = node.container.run(*node.arguments("emr-migrate", name, {}), given=node.given("emr-migrate", name))
        assert done.returncode == 0, done.stdout + done.stderr
    return node


class TestMigrateJob:
    def test_it_makes_the_hospitals(self, onboarded: Node, cluster: Cluster) -> None:
        del onboarded
        with psycopg.connect(cluster.url(database="emr")) as connection:
            rows = connection.execute("SELECT slug FROM directory.tenants ORDER BY slug").fetchall()
        assert rows == [("cau-vong",), ("hoa-sen",)]

    def test_a_second_time_changes_nothing(self, onboarded: Node) -> None:
        again = onboarded.container.run("emr", "tenants", "plan", given=onboarded.given("emr-migrate", "onboard"))
        assert again.returncode == 0, again.stderr
        assert "Files and world agree." in again.stdout


@pytest.fixture(scope="module")
def serving(onboarded: Node) -> Iterator[Serving]:
    ports = {"8000": free_port(), "8001": free_port()}
    with onboarded.running("serve", ports) as process:
        yield Serving(process, f"http://127.0.0.1:{ports['8000']}", f"http://{MANAGEMENT_HOST}:{ports['8001']}")


class TestServe:
    def test_it_is_alive_and_ready(self, serving: Serving) -> None:
        assert serving.process.wait_for(f"{serving.pages}/healthz")[0] == 200
        comes_true(lambda: serving.process.wait_for(f"{serving.pages}/readyz")[0] == 200)
        status, report = serving.process.wait_for(f"{serving.pages}/readyz")
        assert status == 200, report

    def test_it_runs_as_an_ordinary_user(self, serving: Serving) -> None:
        assert serving.process.user("/opt/python/bin/python") == 10001

    def test_metrics_are_on_the_management_port_alone(self, serving: Serving) -> None:
        assert serving.process.wait_for(f"{serving.management}/metrics")[0] == 200
        assert serving.process.wait_for(f"{serving.pages}/metrics")[0] == 404

    def test_it_answers_a_hospital_s_capabilities(self, serving: Serving) -> None:
        status, body = serving.process.wait_for(f"{serving.pages}/h/hoa-sen/fhir/metadata")
        assert status == 200
        assert json.loads(body)["resourceType"] == "CapabilityStatement"

    def test_it_stops_when_told(self, serving: Serving) -> None:
        assert "Traceback" not in serving.process.end()
        assert serving.process.process.returncode is not None

    def test_it_refuses_the_owner_s_login(self, onboarded: Node) -> None:
        given = onboarded.given("emr-serve", "serve", {"EMR_DATABASE__URL_FILE": "/etc/emr/secrets/owner/url"})
        done = onboarded.container.run("emr", "serve", "--port", str(free_port()), given=given)
        assert done.returncode == 2
        assert "refuses this database login" in done.stderr


@pytest.mark.parametrize("name", ["worker", "dicom"])
class TestOtherProcesses:
    def test_they_say_how_they_are_where_the_probes_ask(self, onboarded: Node, name: str) -> None:
        ports = {"8001": free_port()}
        with onboarded.running(
            name, ports, {"EMR_DICOM__PORT": str(free_port()), "EMR_DICOM__SPOOL": "/tmp"}
        ) as process:
            assert process.wait_for(f"http://{MANAGEMENT_HOST}:{ports['8001']}/healthz")[0] == 200
            ready = f"http://{MANAGEMENT_HOST}:{ports['8001']}/readyz"
            comes_true(lambda: process.wait_for(ready)[0] == 200)
            status, report = process.wait_for(ready)
            assert status == 200, report
            output = process.end()
        assert "Traceback" not in output
