"""Secrets come by reference only, as files, and each process sees no more than its own."""

import re

import pytest

from emr.settings import Settings
from tests.helm.chart import EVERYTHING, Manifest, containers, environment, pods, render, text

pytestmark = pytest.mark.server


def referenced(pod: Manifest) -> set[tuple[str, str]]:
    """Secret and key of every secret file in a pod."""
    return {
        (source["secret"]["name"], item["key"])
        for volume in pod["volumes"]
        if "projected" in volume
        for source in volume["projected"]["sources"]
        for item in source["secret"]["items"]
    }


class TestSecrets:
    def test_the_chart_makes_none(self) -> None:
        assert not [m for m in render(EVERYTHING) if m["kind"] == "Secret"]

    def test_none_stands_in_a_process_s_environment(self) -> None:
        for _, pod in pods():
            for container in containers(pod):
                assert all(isinstance(value, str) for value in environment(container).values())

    def test_only_the_jobs_see_the_login_that_owns_the_tables(self) -> None:
        seen = {name for name, pod in pods(EVERYTHING) if "emr-database-owner" in str(pod)}
        assert seen == {"emr-migrate", "emr-requests"}

    def test_every_process_that_serves_hospitals_has_the_logins_of_the_dedicated_tier(self) -> None:
        seen = {name for name, pod in pods(EVERYTHING) if ("emr-database", "dedicated") in referenced(pod)}
        assert seen == {name for name, pod in pods(EVERYTHING) if ("emr-database", "url") in referenced(pod)}
        assert not any(("emr-database", "dedicated") in referenced(pod) for _, pod in pods())

    def test_only_the_worker_sees_the_warehouse_s_keys(self) -> None:
        seen = {name for name, pod in pods(EVERYTHING) if "emr-warehouse" in str(pod)}
        assert seen == {"emr-worker"}

    def test_only_who_signs_anchors_and_notes_sees_the_key(self) -> None:
        seen = {name for name, pod in pods(EVERYTHING) if ("emr-keys", "anchor") in referenced(pod)}
        assert seen == {"emr-worker", "emr-requests"}

    def test_an_account_of_their_own_for_anchors_is_the_worker_s(self) -> None:
        values = EVERYTHING | {"anchors": {"bucket": "a-bucket", "retentionYears": 20, "existingSecret": "emr-anchors"}}
        seen = {name for name, pod in pods(values) if "emr-anchors" in str(pod)}
        assert seen == {"emr-worker"}

    def test_only_the_step_that_keeps_the_realm_sees_its_account_and_it_sees_nothing_else(self) -> None:
        assert {name for name, pod in pods(EVERYTHING) if "emr-upkeep" in str(pod)} == {"emr-migrate"}
        pod = dict(pods(EVERYTHING))["emr-migrate"]
        [volume] = [each for each in pod["volumes"] if each["name"] == "upkeep"]
        assert referenced({"volumes": [volume]}) == {("emr-upkeep", "clientSecret")}
        mounting = {c["name"]: {mount["name"] for mount in c["volumeMounts"]} for c in containers(pod)}
        assert mounting.pop("realm") == {"temporary", "upkeep"}
        assert not any("upkeep" in mounts for mounts in mounting.values())

    def test_every_file_that_is_named_is_mounted(self) -> None:
        for _, pod in pods(EVERYTHING):
            mounted = {
                f"/etc/emr/secrets/{item['path']}"
                for volume in pod["volumes"]
                if "projected" in volume
                for source in volume["projected"]["sources"]
                for item in source["secret"]["items"]
            }
            named = {
                value
                for container in containers(pod)
                for name, value in environment(container).items()
                if name.endswith("_FILE")
            }
            assert named == mounted

    def test_serve_sees_these(self) -> None:
        pod = dict(pods())["emr-serve"]
        assert referenced(pod) == {
            ("emr-database", "url"), ("emr-storage", "accessKey"), ("emr-storage", "secretKey"),
            ("emr-identity", "clientSecret"), ("emr-keys", "master"), ("emr-keys", "signing"), ("emr-keys", "sealing"),
        }  # fmt: skip


class TestSettings:
    def test_every_variable_is_one_that_the_service_knows(self) -> None:
        known = {"EMR_PROFILE", "EMR_TENANTS"}
        for group, field in Settings.model_fields.items():
            fields = getattr(field.annotation, "model_fields", {})
            known |= {f"EMR_{group}__{name}".upper() for name in fields}
        used = set(re.findall(r"\bEMR_[A-Z_]+\b", text(EVERYTHING)))
        realm = {"EMR_BASE_URL", "EMR_WEB_SECRET", "EMR_API_SECRET", "EMR_ADMIN_SECRET"}
        assert {name.removesuffix("_FILE") for name in used - realm} <= known

    def test_the_profile_is_production_everywhere(self) -> None:
        profiles = {environment(c)["EMR_PROFILE"] for _, pod in pods() for c in containers(pod)}
        assert profiles == {"production"}
