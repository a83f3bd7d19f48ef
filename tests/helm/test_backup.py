"""Backups by the clock: made, closed, rehearsed; with the owner's address and no more than they need."""

import pytest

from tests.helm.chart import Manifest, containers, environment, one, refusal, render

pytestmark = pytest.mark.server
ON: Manifest = {"backup": {"enabled": True, "cells": ["default", "north"]}}


def jobs(values: Manifest) -> dict[str, Manifest]:
    """Those of the backups, by name."""
    found = {each["metadata"]["name"]: each["spec"] for each in render(values) if each["kind"] == "CronJob"}
    return {name: spec for name, spec in found.items() if name.startswith("emr-backup-")}


class TestBackup:
    def test_there_is_none_unless_it_is_said(self) -> None:
        assert jobs({}) == {}

    def test_each_cell_is_backed_up_and_one_job_rehearses(self) -> None:
        assert {name: spec["schedule"] for name, spec in jobs(ON).items()} == {
            "emr-backup-default-expired": "23 * * * *",
            "emr-backup-default-full": "17 1 * * 0",
            "emr-backup-default-incremental": "17 1 * * 1-6",
            "emr-backup-default-rehearsal": "41 3 * * 6",
            "emr-backup-north-full": "17 1 * * 0",
            "emr-backup-north-incremental": "17 1 * * 1-6",
        }

    def test_each_does_what_it_is_called(self) -> None:
        said = {
            name: containers(spec["jobTemplate"]["spec"]["template"]["spec"])[0]["args"]
            for name, spec in jobs(ON).items()
        }
        assert said["emr-backup-north-full"] == ["backup", "run", "--cell", "north", "--kind", "full"]
        assert said["emr-backup-default-rehearsal"] == ["rewind", "rehearse"]
        assert said["emr-backup-default-expired"] == ["rewind", "drop", "--expired", "--by", "cron"]

    def test_it_has_an_image_of_its_own_and_no_more_rights_than_others(self) -> None:
        for spec in jobs(ON).values():
            pod = spec["jobTemplate"]["spec"]["template"]["spec"]
            (container,) = containers(pod)
            assert container["image"] == "emr-backup:0.1.0"
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert (pod["securityContext"]["runAsNonRoot"], pod["automountServiceAccountToken"]) == (True, False)
            assert all("sizeLimit" in each["emptyDir"] for each in pod["volumes"] if "emptyDir" in each)

    def test_secrets_are_files_and_the_owners_address_is_one_of_them(self) -> None:
        pod = jobs(ON)["emr-backup-default-full"]["jobTemplate"]["spec"]["template"]["spec"]
        told = environment(containers(pod)[0])
        assert told["EMR_DATABASE__OWNER_URL_FILE"] == "/etc/emr/secrets/owner/url"
        assert told["EMR_BACKUP__CONFIG"] == "/etc/pgbackrest/pgbackrest.conf"
        assert {"name": "pgbackrest", "secret": {"secretName": "emr-backup", "defaultMode": 0o440}} in pod["volumes"]

    def test_a_policy_lets_it_out_to_pgbackrest_and_nobody_in(self) -> None:
        policy = one("NetworkPolicy", "emr-backup", ON)["spec"]
        assert policy["ingress"] == []
        assert {"ports": [{"port": 8432, "protocol": "TCP"}]} in policy["egress"]

    def test_a_schedule_that_is_none_is_refused(self) -> None:
        assert "schedule" in refusal({"backup": {"enabled": True, "schedule": {"full": "nachts"}}})
