"""The job before each install and upgrade: schemas first, then the hospitals as their files say."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
import yaml

from tests.helm.chart import EVERYTHING, ROOT, environment, one, render

pytestmark = pytest.mark.server


def hospitals_of_the_repository() -> dict[str, Any]:
    """The files of tenants/ as the chart's value."""
    return {path.stem: yaml.safe_load(path.read_text("utf-8")) for path in sorted((ROOT / "tenants").glob("*.yaml"))}


class TestJob:
    def test_it_runs_before_anything_else_changes(self) -> None:
        annotations = one("Job", "emr-migrate")["metadata"]["annotations"]
        assert annotations == {
            "helm.sh/hook": "pre-install,pre-upgrade",
            "helm.sh/hook-weight": "0",
            "helm.sh/hook-delete-policy": "before-hook-creation",
        }

    @pytest.mark.parametrize(
        ("kind", "name"),
        [("ServiceAccount", "emr-migrate"), ("ConfigMap", "emr-hospitals"), ("NetworkPolicy", "emr-migrate")],
    )
    def test_what_it_needs_is_there_before_it(self, kind: str, name: str) -> None:
        annotations = one(kind, name)["metadata"]["annotations"]
        assert annotations["helm.sh/hook"] == "pre-install,pre-upgrade"
        assert int(annotations["helm.sh/hook-weight"]) < 0

    def test_it_migrates_before_it_onboards(self) -> None:
        pod = one("Job", "emr-migrate")["spec"]["template"]["spec"]
        assert [c["args"] for c in pod["initContainers"]] == [["migrate"]]
        assert [c["args"] for c in pod["containers"]] == [["tenants", "apply"]]
        assert pod["restartPolicy"] == "Never"

    def test_the_realm_is_touched_only_where_that_was_asked_for_and_before_the_hospitals_are(self) -> None:
        pod = one("Job", "emr-migrate", EVERYTHING)["spec"]["template"]["spec"]
        assert [c["args"] for c in pod["initContainers"]] == [["migrate"], ["realm", "apply"]]
        assert [c["args"] for c in pod["containers"]] == [["tenants", "apply"]]
        assert "UPKEEP" not in str(one("Job", "emr-migrate"))

    def test_that_step_is_told_where_and_as_whom_it_asks(self) -> None:
        realm = one("Job", "emr-migrate", EVERYTHING)["spec"]["template"]["spec"]["initContainers"][1]
        told = {name: value for name, value in environment(realm).items() if name.startswith("EMR_IDENTITY__")}
        assert told == {
            "EMR_IDENTITY__ISSUER": "https://id.example/realms/emr",
            "EMR_IDENTITY__CLIENT_ID": "emr-web",
            "EMR_IDENTITY__ADMIN_URL": "https://id.example",
            "EMR_IDENTITY__UPKEEP_REALM": "master",
            "EMR_IDENTITY__UPKEEP_CLIENT_ID": "emr-upkeep",
            "EMR_IDENTITY__UPKEEP_CLIENT_SECRET_FILE": "/etc/emr/secrets/upkeep/clientSecret",
        }

    def test_it_finds_the_hospitals_where_it_is_told(self) -> None:
        (container,) = one("Job", "emr-migrate")["spec"]["template"]["spec"]["containers"]
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert environment(container)["EMR_TENANTS"] == mounts["hospitals"]

    def test_the_jobs_and_the_web_service_alone_administer_the_identity_provider(self) -> None:
        with_address = [
            m["metadata"]["name"] for m in render(EVERYTHING) if "EMR_IDENTITY__ADMIN_URL" in str(m.get("spec"))
        ]
        assert sorted(with_address) == ["emr-migrate", "emr-requests", "emr-serve"]


class TestRequests:
    def test_one_run_at_a_time_carries_out_what_was_asked_for(self) -> None:
        spec = one("CronJob", "emr-requests")["spec"]
        assert spec["concurrencyPolicy"] == "Forbid"
        (container,) = spec["jobTemplate"]["spec"]["template"]["spec"]["containers"]
        assert container["args"] == ["tenants", "requests"]
        assert "EMR_DATABASE__OWNER_URL_FILE" in environment(container)

    def test_nobody_speaks_to_it(self) -> None:
        assert one("NetworkPolicy", "emr-requests")["spec"]["ingress"] == []


class TestHospitals:
    def test_their_files_arrive_as_they_were_written(self) -> None:
        files = hospitals_of_the_repository()
        assert len(files) >= 2
        data = one("ConfigMap", "emr-hospitals", {"hospitals": files})["data"]
        assert {name: yaml.safe_load(text) for name, text in data.items()} == {
            f"{slug}.yaml": hospital for slug, hospital in files.items()
        }

    def test_the_command_that_prints_them_speaks_the_chart_s_language(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "emr.cli", "tenants", "values", "tenants"],
            capture_output=True, text=True, check=False, cwd=ROOT, env=os.environ | {"PYTHONPATH": "platform"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        data = one("ConfigMap", "emr-hospitals", json.loads(done.stdout))["data"]
        assert set(data) == {"hoa-sen.yaml", "cau-vong.yaml"}
