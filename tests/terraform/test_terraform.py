"""Terraform's own checks of terraform/, offline, with providers that were built from source."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.helm.chart import text
from tests.servers.tools import cache, missing, tool

pytestmark = pytest.mark.server

ROOT = Path(__file__).parents[2]
MODULE = "terraform/modules/emr"
EXAMPLE = "terraform/environments/example"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the modules read, so that no state or lock file appears among the sources."""
    copy = tmp_path_factory.mktemp("tree")
    for folder in ("terraform", "helm", "tenants"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
    for folder in (MODULE, EXAMPLE):
        done = terraform(copy, folder, "init", "-backend=false")
        assert done.returncode == 0, done.stdout + done.stderr
    return copy


def terraform(tree: Path, folder: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    configuration = cache() / "terraform" / "terraformrc"
    if not configuration.exists():
        missing("the providers are not built: run ops/tools/terraform-providers")
    environment = os.environ | {
        "TF_CLI_CONFIG_FILE": str(configuration),
        "CHECKPOINT_DISABLE": "1",
        "TF_IN_AUTOMATION": "1",
    }
    return subprocess.run(
        [tool("terraform"), f"-chdir={tree / folder}", *arguments, "-no-color"],
        capture_output=True, text=True, check=False, timeout=240, env=environment,
    )  # fmt: skip


class TestSources:
    def test_they_are_formatted(self) -> None:
        done = subprocess.run(
            [tool("terraform"), "fmt", "-check", "-recursive", ROOT / "terraform"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.stdout == ""
        assert done.returncode == 0

    @pytest.mark.parametrize("folder", [MODULE, EXAMPLE])
    def test_they_are_valid(self, tree: Path, folder: str) -> None:
        done = terraform(tree, folder, "validate", "-json")
        report = json.loads(done.stdout)
        assert report["valid"], report["diagnostics"]
        assert report["warning_count"] == 0


class TestModule:
    def test_its_own_tests_hold(self, tree: Path) -> None:
        done = terraform(tree, MODULE, "test")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "8 passed, 0 failed" in done.stdout


class TestValues:
    def test_the_chart_takes_what_the_module_gives_it(self, tree: Path) -> None:
        """The example's values, as the console evaluates them, go through the chart's own schema."""
        expression = (
            'jsonencode({hospitals = { for file in fileset("../../../tenants", "*.yaml") : '
            'trimsuffix(file, ".yaml") => yamldecode(file("../../../tenants/${file}")) }})'
        )
        configuration = cache() / "terraform" / "terraformrc"
        done = subprocess.run(
            [tool("terraform"), f"-chdir={tree / EXAMPLE}", "console"],
            input=expression, capture_output=True, text=True, check=False, timeout=120,
            env=os.environ | {"TF_CLI_CONFIG_FILE": str(configuration), "CHECKPOINT_DISABLE": "1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        values = json.loads(json.loads(done.stdout))
        assert 'facility_code: "79999"' in text(values)
