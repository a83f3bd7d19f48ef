"""Who may speak to whom, and what the outside can reach."""

from typing import ClassVar

import pytest

from tests.helm.chart import EVERYTHING, Manifest, environment, one, render

pytestmark = pytest.mark.server


def let_in(name: str, port: str, values: Manifest | None = None) -> list[Manifest]:
    """The peers that a process's policy lets in on a port."""
    rules = one("NetworkPolicy", f"emr-{name}", values)["spec"]["ingress"]
    return [peer for rule in rules for entry in rule["ports"] if entry["port"] == port for peer in rule["from"]]


class TestPolicies:
    @pytest.mark.parametrize("name", ["serve", "worker", "dicom", "migrate"])
    def test_each_process_has_one_for_both_directions(self, name: str) -> None:
        policy = one("NetworkPolicy", f"emr-{name}")["spec"]
        assert policy["policyTypes"] == ["Ingress", "Egress"]
        assert policy["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == name

    def test_pages_come_through_the_ingress_only(self) -> None:
        labels = {"kubernetes.io/metadata.name": "ingress-nginx"}
        assert let_in("serve", "http") == [{"namespaceSelector": {"matchLabels": labels}}]

    @pytest.mark.parametrize("name", ["serve", "worker", "dicom"])
    def test_metrics_are_for_monitoring_only(self, name: str) -> None:
        labels = {"kubernetes.io/metadata.name": "monitoring"}
        assert let_in(name, "management") == [{"namespaceSelector": {"matchLabels": labels}}]

    def test_images_come_from_the_hospitals_devices_only(self) -> None:
        assert let_in("dicom", "dicom") == [{"ipBlock": {"cidr": "10.20.0.0/24"}}]

    def test_without_a_listed_device_nobody_sends_images(self) -> None:
        values = {"hospitals": {"hoa-sen": {"dicom": {"peers": []}}}, "network": {"metricsFrom": []}}
        assert one("NetworkPolicy", "emr-dicom", values)["spec"]["ingress"] == []

    def test_nobody_speaks_to_the_job(self) -> None:
        assert one("NetworkPolicy", "emr-migrate")["spec"]["ingress"] == []

    def test_no_process_may_speak_to_any_port(self) -> None:
        for policy in (m for m in render() if m["kind"] == "NetworkPolicy"):
            assert all(rule["ports"] for rule in policy["spec"]["egress"])

    def test_a_cluster_that_fences_otherwise_can_go_without(self) -> None:
        assert not [m for m in render({"network": {"enabled": False}}) if m["kind"] == "NetworkPolicy"]


class TestBorderLight:
    """The worker asks the service as outsiders do."""

    SERVICE: ClassVar[Manifest] = {"border": {"through": "service"}}

    def test_by_default_it_goes_out_to_the_public_address(self) -> None:
        (container,) = one("Deployment", "emr-worker")["spec"]["template"]["spec"]["containers"]
        assert environment(container)["EMR_HTTP__BASE_URL"] == "https://emr.example"
        assert "EMR_BORDER__URL" not in environment(container)
        out = one("NetworkPolicy", "emr-worker")["spec"]["egress"]
        assert [rule for rule in out if "to" not in rule and {"port": 443, "protocol": "TCP"} in rule["ports"]]

    def test_where_it_cannot_it_asks_the_service_itself(self) -> None:
        (container,) = one("Deployment", "emr-worker", self.SERVICE)["spec"]["template"]["spec"]["containers"]
        service = one("Service", "emr", self.SERVICE)["spec"]
        assert environment(container)["EMR_BORDER__URL"] == "http://emr"
        assert [(port["port"], port["targetPort"]) for port in service["ports"]] == [(80, "http")]

    def test_that_way_is_open_to_the_worker_alone(self) -> None:
        here = one("NetworkPolicy", "emr-worker", self.SERVICE)["spec"]
        there = one("NetworkPolicy", "emr-serve", self.SERVICE)["spec"]
        assert {"podSelector": here["podSelector"]} in let_in("serve", "http", self.SERVICE)
        assert {"ports": [{"port": "http", "protocol": "TCP"}], "to": [{"podSelector": there["podSelector"]}]} in here[
            "egress"
        ]
        for name in ("serve", "dicom", "migrate"):
            out = one("NetworkPolicy", f"emr-{name}", self.SERVICE)["spec"]["egress"]
            assert out == one("NetworkPolicy", f"emr-{name}")["spec"]["egress"]

    def test_a_setting_of_the_installations_own_wins(self) -> None:
        values = self.SERVICE | {"settings": {"EMR_BORDER__URL": "http://elsewhere"}}
        (container,) = one("Deployment", "emr-worker", values)["spec"]["template"]["spec"]["containers"]
        assert environment(container)["EMR_BORDER__URL"] == "http://elsewhere"


class TestIngress:
    def test_there_is_none_unless_asked_for(self) -> None:
        assert not [m for m in render() if m["kind"] == "Ingress"]

    def test_it_leads_to_pages_and_nowhere_else(self) -> None:
        (rule,) = one("Ingress", "emr", EVERYTHING)["spec"]["rules"]
        (path,) = rule["http"]["paths"]
        assert rule["host"] == "emr.example"
        assert path["backend"] == {"service": {"name": "emr", "port": {"name": "http"}}}

    def test_no_service_offers_the_management_port(self) -> None:
        ports = [
            port["targetPort"] for m in render(EVERYTHING) if m["kind"] == "Service" for port in m["spec"]["ports"]
        ]
        assert sorted(ports) == ["dicom", "http"]

    def test_its_access_log_keeps_no_query_string(self) -> None:
        annotations = one("Ingress", "emr", EVERYTHING)["metadata"]["annotations"]
        assert annotations["nginx.ingress.kubernetes.io/enable-access-log"] == "false"
        assert annotations["example.com/a"] == "b"

    def test_the_service_believes_its_pods_and_nobody_else(self) -> None:
        (container,) = one("Deployment", "emr-serve")["spec"]["template"]["spec"]["containers"]
        assert environment(container)["EMR_HTTP__PROXIES"] == "10.0.0.0/8"

    def test_it_speaks_tls(self) -> None:
        assert one("Ingress", "emr", EVERYTHING)["spec"]["tls"] == [{"hosts": ["emr.example"], "secretName": "emr-tls"}]


class TestDicomService:
    def test_a_load_balancer_keeps_the_devices_addresses(self) -> None:
        assert one("Service", "emr-dicom", EVERYTHING)["spec"]["externalTrafficPolicy"] == "Local"
