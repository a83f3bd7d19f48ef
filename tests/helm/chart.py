"""The chart as Kubernetes gets it: rendered by Helm and read back."""

import json
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.servers.tools import tool

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm/emr"
Manifest = dict[str, Any]

# Values that turn on everything which is off in helm/emr/ci/values.yaml.
EVERYTHING: dict[str, Any] = {
    "image": {"digest": "sha256:" + "a" * 64, "pullSecrets": ["pull"]},
    "database": {"cells": True, "dedicated": True},
    "identity": {"adminUrl": "https://id.example"},
    "realm": {"apply": True, "accountRealm": "master"},
    "warehouse": {"url": "s3://warehouse/record", "endpoint": "https://s3.example", "existingSecret": "emr-warehouse"},
    "telemetry": {"otlpEndpoint": "http://collector.monitoring:4318"},
    "settings": {"EMR_HTTP__BODY_LIMIT_MIB": "8"},
    "serve": {"autoscaling": {"enabled": True}},
    "dicom": {"service": {"type": "LoadBalancer", "annotations": {"example.com/internal": "true"}}},
    "ingress": {"enabled": True, "className": "nginx", "tlsSecret": "emr-tls", "annotations": {"example.com/a": "b"}},
}


def helm(*arguments: str, values: dict[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
    """Call Helm on the chart with the values for linting and `values` over them."""
    return subprocess.run(
        [tool("helm"), *arguments, CHART, f"--values={CHART / 'ci/values.yaml'}", "--values=-"],
        input=json.dumps(values or {}), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def text(values: dict[str, Any] | None = None) -> str:
    """The rendered manifests as one YAML stream."""
    done = helm("template", "emr", "--namespace=emr", values=values)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refusal(values: dict[str, Any]) -> str:
    """What Helm says against the values; fails if it says nothing."""
    done = helm("template", "emr", values=values)
    assert done.returncode != 0, "Helm took these values"
    return done.stderr


def render(values: dict[str, Any] | None = None) -> list[Manifest]:
    """Every object that the chart makes."""
    return _render(json.dumps(values or {}, sort_keys=True))


@cache
def _render(values: str) -> list[Manifest]:
    return [manifest for manifest in yaml.load_all(text(json.loads(values)), Loader=yaml.CSafeLoader) if manifest]


def one(kind: str, name: str, values: dict[str, Any] | None = None) -> Manifest:
    """The single object of that kind and name."""
    (found,) = [m for m in render(values) if m["kind"] == kind and m["metadata"]["name"] == name]
    return found


def pods(values: dict[str, Any] | None = None) -> Iterator[tuple[str, Manifest]]:
    """Name and pod template's spec of each workload."""
    for manifest in render(values):
        if manifest["kind"] in {"Deployment", "Job"}:
            yield manifest["metadata"]["name"], manifest["spec"]["template"]["spec"]
        elif manifest["kind"] == "CronJob":
            yield manifest["metadata"]["name"], manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def containers(pod: Manifest) -> list[Manifest]:
    """Every container of a pod, those that run first included."""
    return [*pod.get("initContainers", []), *pod["containers"]]


def environment(container: Manifest) -> dict[str, Any]:
    """Variable → value, or where its value comes from."""
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container["env"]}
