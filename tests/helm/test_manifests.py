"""Kubernetes takes the manifests, this year's and older ones, and the chart's own suites hold."""

import importlib.resources
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.helm.chart import CHART, EVERYTHING, text
from tests.servers.tools import tool

pytestmark = pytest.mark.server
VERSIONS = [f"1.{minor}" for minor in range(29, 38)]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("manifests")
    files = {"plain": text(), "everything": text(EVERYTHING)}
    for name, content in files.items():
        (folder / f"{name}.yaml").write_text(content, "utf-8")
    return sorted(folder.iterdir())


class TestSchemas:
    @pytest.mark.parametrize("version", VERSIONS)
    def test_every_object_is_valid(self, rendered: list[Path], version: str) -> None:
        validate = Path(sys.executable).with_name("kubernetes-validate")
        done = subprocess.run(
            [validate, "-k", version, "--strict", "--quiet", *rendered], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    @pytest.mark.parametrize("version", ["1.30", "1.37"])
    def test_a_second_validator_agrees(self, rendered: list[Path], version: str, tmp_path: Path) -> None:
        _local_schemas(version, tmp_path)
        done = subprocess.run(
            [
                tool("kubeconform"), "-strict", "-summary", "-output=json", "-schema-location",
                f"{tmp_path}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json", *rendered,
            ],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        summary = json.loads(done.stdout)["summary"]
        assert (done.returncode, summary["invalid"], summary["errors"], summary["skipped"]) == (0, 0, 0, 0), done.stdout
        assert summary["valid"] > 30


class TestSuites:
    def test_the_chart_s_own_suites_hold(self) -> None:
        done = subprocess.run(
            [tool("helm-unittest"), "-f", "tests/*_test.yaml", CHART], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def _local_schemas(version: str, folder: Path) -> None:
    """The schemas inside the package kubernetes-validate, with references that need no network."""
    bundled = importlib.resources.files("kubernetes_validate") / "kubernetes-json-schema" / f"v{version}.0-local-strict"
    for entry in bundled.iterdir():
        if entry.name.endswith(".json"):
            schema = _relocated(json.loads(entry.read_text("utf-8")))
            schema.pop("$id", None)
            (folder / entry.name).write_text(json.dumps(schema), "utf-8")


def _relocated(node: Any) -> Any:
    match node:
        case dict():
            return {
                key: value.replace("/api/_definitions.json", "_definitions.json")
                if key == "$ref" and isinstance(value, str)
                else _relocated(value)
                for key, value in node.items()
            }
        case list():
            return [_relocated(entry) for entry in node]
        case _:
            return node
