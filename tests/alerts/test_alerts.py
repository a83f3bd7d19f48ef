"""The alerts, as Prometheus reads them: valid, tried with cases, explained, and over metrics that exist."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from emr.telemetry.metrics import REGISTRY
from tests.servers.tools import tool

ALERTS = Path(__file__).parents[2] / "ops/alerts"


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((ALERTS / "emr.rules.yaml").read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


class TestRules:
    def test_each_metric_is_one_that_the_service_tells(self) -> None:
        told = {
            f"{family.name}{ending}" for family in REGISTRY.collect() for ending in ("", "_count", "_bucket", "_total")
        }
        used = {name for rule in rules() for name in re.findall(r"\bemr_\w+", rule["expr"])}
        assert used <= told

    def test_each_alert_says_what_to_do(self) -> None:
        headings = re.findall(r"^## (\w+)$", (ALERTS / "README.md").read_text("utf-8"), re.MULTILINE)
        assert [rule["alert"] for rule in rules()] == headings
        for rule in rules():
            assert rule["annotations"]["runbook"] == f"ops/alerts/README.md#{rule['alert'].lower()}"
            assert rule["labels"]["severity"] in {"page", "ticket"}

    def test_each_alert_is_seen_to_fire(self) -> None:
        cases = yaml.safe_load((ALERTS / "emr.test.yaml").read_text("utf-8"))["tests"]
        fired = {
            expected["alertname"] for case in cases for expected in case["alert_rule_test"] if expected["exp_alerts"]
        }
        assert fired == {rule["alert"] for rule in rules()}


@pytest.mark.server
class TestPrometheus:
    @pytest.mark.parametrize("arguments", [("check", "rules", "emr.rules.yaml"), ("test", "rules", "emr.test.yaml")])
    def test_it_agrees(self, arguments: tuple[str, ...]) -> None:
        done = subprocess.run(
            [tool("promtool"), *arguments], cwd=ALERTS, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr
