"""What an installation may say: anything else is refused with its place."""

from typing import Any

import pytest

from tests.helm.chart import EVERYTHING, helm, refusal

pytestmark = pytest.mark.server


class TestAccepted:
    @pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["plain", "everything"])
    def test_the_chart_lints(self, values: dict[str, Any]) -> None:
        done = helm("lint", "--strict", values=values)
        assert done.returncode == 0, done.stdout


class TestRefused:
    @pytest.mark.parametrize(
        ("values", "place"),
        [
            ({"tenants": {}}, "tenants"),
            ({"serve": {"replica": 3}}, "/serve"),
            ({"database": {"url": "postgresql://u:p@h/d"}}, "/database"),
            ({"keys": {"master": "k:abc"}}, "/keys"),
            ({"dicom": {"service": {"nodePort": 1}}}, "/dicom/service"),
            ({"serve": {"resources": {"limits": {"memory": "lots"}}}}, "/serve/resources/limits/memory"),
            ({"serve": {"replicas": 0}}, "/serve/replicas"),
            ({"baseUrl": "http://emr.example"}, "/baseUrl"),
            ({"baseUrl": "https://emr.example/path"}, "/baseUrl"),
            ({"identity": {"issuer": "http://id.example"}}, "/identity/issuer"),
            ({"storage": {"endpoint": "https://s3.example"}}, "/storage/endpoint"),
            ({"network": {"proxies": "*"}}, "/network/proxies"),
            ({"realm": {"apply": "yes"}}, "/realm/apply"),
            ({"realm": {"apply": True}}, "identity.adminUrl must say where it is"),
            ({"border": {"through": "elsewhere"}}, "/border/through"),
            ({"telemetry": {"sampleRatio": 2}}, "/telemetry/sampleRatio"),
            ({"image": {"digest": "sha256:abc"}}, "/image/digest"),
            ({"hospitals": {"Hoa Sen": {"slug": "Hoa Sen"}}}, "Hoa Sen"),
            ({"hospitals": {"hoa-sen": {"facility_code": "7"}}}, "/hospitals/hoa-sen/facility_code"),
            ({"hospitals": {"hoa-sen": {"dicom": {"peers": [{"cidr": "everywhere"}]}}}}, "/hospitals/hoa-sen/dicom"),
        ],
    )
    def test_with_its_place(self, values: dict[str, Any], place: str) -> None:
        assert place in refusal(values)

    @pytest.mark.parametrize(
        "name",
        [
            "EMR_KEYS__MASTER", "EMR_DATABASE__URL", "EMR_DATABASE__OWNER_URL", "EMR_STORAGE__SECRET_KEY",
            "EMR_IDENTITY__CLIENT_SECRET", "EMR_PROFILE", "PATH",
        ],
    )  # fmt: skip
    def test_a_secret_among_the_settings(self, name: str) -> None:
        assert f"invalid propertyName '{name}'" in refusal({"settings": {name: "x"}})

    def test_a_hospital_under_another_s_name(self) -> None:
        hospital = {"slug": "other", "name": "Other", "facility_code": "79001"}
        assert "the key and the slug must be the same" in refusal({"hospitals": {"hoa-sen": hospital}})
