"""Every process of the platform runs with no more rights than it needs, and says how it is."""

from typing import Any

import pytest

from tests.helm.chart import EVERYTHING, Manifest, containers, one, pods, render

pytestmark = pytest.mark.server

VARIANTS: list[Any] = [pytest.param({}, id="plain"), pytest.param(EVERYTHING, id="everything")]


@pytest.mark.parametrize("values", VARIANTS)
class TestRights:
    def test_there_are_three_processes_and_two_jobs(self, values: Manifest) -> None:
        assert {name for name, _ in pods(values)} == {
            "emr-serve", "emr-worker", "emr-dicom", "emr-migrate", "emr-requests",
        }  # fmt: skip

    def test_pods_run_as_the_image_s_user_under_the_default_seccomp_profile(self, values: Manifest) -> None:
        for _, pod in pods(values):
            security = pod["securityContext"]
            assert security["runAsNonRoot"] is True
            assert (security["runAsUser"], security["runAsGroup"]) == (10001, 10001)
            assert security["seccompProfile"] == {"type": "RuntimeDefault"}

    def test_containers_have_no_capability_and_a_read_only_root(self, values: Manifest) -> None:
        for _, pod in pods(values):
            for container in containers(pod):
                assert container["securityContext"] == {
                    "allowPrivilegeEscalation": False,
                    "privileged": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                }

    def test_pods_share_nothing_with_their_node(self, values: Manifest) -> None:
        for _, pod in pods(values):
            assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
            assert {kind for volume in pod["volumes"] for kind in set(volume) - {"name"}} <= {
                "emptyDir", "projected", "configMap",
            }  # fmt: skip

    def test_pods_have_no_access_to_the_cluster_s_interface(self, values: Manifest) -> None:
        accounts = {m["metadata"]["name"] for m in render(values) if m["kind"] == "ServiceAccount"}
        for _, pod in pods(values):
            assert pod["automountServiceAccountToken"] is False
            assert pod["serviceAccountName"] in accounts
        assert not [m for m in render(values) if m["kind"].endswith(("Role", "RoleBinding"))]

    def test_what_can_be_written_to_is_bounded(self, values: Manifest) -> None:
        for _, pod in pods(values):
            assert all("sizeLimit" in volume["emptyDir"] for volume in pod["volumes"] if "emptyDir" in volume)

    def test_memory_is_limited_and_processor_time_is_asked_for(self, values: Manifest) -> None:
        for _, pod in pods(values):
            for container in containers(pod):
                assert set(container["resources"]["requests"]) >= {"cpu", "memory"}
                assert "memory" in container["resources"]["limits"]


class TestImage:
    def test_the_chart_s_version_is_the_tag_unless_said_otherwise(self) -> None:
        assert {c["image"] for _, pod in pods() for c in containers(pod)} == {"emr:0.1.0"}

    def test_a_digest_wins(self) -> None:
        images = {c["image"] for _, pod in pods(EVERYTHING) for c in containers(pod)}
        assert images == {"emr@sha256:" + "a" * 64}


class TestHealth:
    @pytest.mark.parametrize(("name", "port"), [("serve", 8000), ("worker", 8001), ("dicom", 8001)])
    def test_the_probes_ask_the_port_that_knows(self, name: str, port: int) -> None:
        (container,) = one("Deployment", f"emr-{name}")["spec"]["template"]["spec"]["containers"]
        ports = {entry["name"]: entry["containerPort"] for entry in container["ports"]}
        asked = {
            kind: (container[f"{kind}Probe"]["httpGet"]["path"], ports[container[f"{kind}Probe"]["httpGet"]["port"]])
            for kind in ("startup", "liveness", "readiness")
        }
        assert asked == {"startup": ("/healthz", port), "liveness": ("/healthz", port), "readiness": ("/readyz", port)}

    @pytest.mark.parametrize("name", ["serve", "worker", "dicom"])
    def test_each_process_tells_its_metrics(self, name: str) -> None:
        (container,) = one("Deployment", f"emr-{name}")["spec"]["template"]["spec"]["containers"]
        assert {"name": "management", "containerPort": 8001} in container["ports"]
        assert container["args"][-2:] == ["--management-port", "8001"]


class TestAvailability:
    @pytest.mark.parametrize("name", ["serve", "worker", "dicom"])
    def test_a_node_can_be_emptied_but_never_of_two_replicas_at_once(self, name: str) -> None:
        budget = one("PodDisruptionBudget", f"emr-{name}")["spec"]
        template = one("Deployment", f"emr-{name}")["spec"]["template"]
        assert budget["maxUnavailable"] == 1
        assert budget["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()

    def test_a_new_version_of_serve_stands_before_an_old_one_goes(self) -> None:
        assert one("Deployment", "emr-serve")["spec"]["strategy"]["rollingUpdate"] == {
            "maxUnavailable": 0,
            "maxSurge": 1,
        }

    @pytest.mark.parametrize(("name", "seconds"), [("serve", 60), ("worker", 60), ("dicom", 120)])
    def test_there_is_time_to_finish(self, name: str, seconds: int) -> None:
        pod = one("Deployment", f"emr-{name}")["spec"]["template"]["spec"]
        assert pod["terminationGracePeriodSeconds"] == seconds

    def test_replicas_are_spread_over_zones_and_nodes(self) -> None:
        pod = one("Deployment", "emr-serve")["spec"]["template"]["spec"]
        assert [rule["topologyKey"] for rule in pod["topologySpreadConstraints"]] == [
            "topology.kubernetes.io/zone",
            "kubernetes.io/hostname",
        ]

    def test_an_autoscaler_alone_says_how_many(self) -> None:
        assert "replicas" not in one("Deployment", "emr-serve", EVERYTHING)["spec"]
        scaler = one("HorizontalPodAutoscaler", "emr-serve", EVERYTHING)["spec"]
        assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 8)

    def test_the_dicom_listener_can_be_left_out(self) -> None:
        names = {m["metadata"]["name"] for m in render({"dicom": {"enabled": False}})}
        assert not [name for name in names if "dicom" in name]
