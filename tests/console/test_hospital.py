"""One hospital's page: figures, charts, what became of it."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from emr.kernel.tenant import Tenant
from tests.console.conftest import rows_of, tell_traffic, tell_usage
from tests.house import HOA_SEN, House
from tests.identity.providers import Browser


class TestPage:
    def test_one_that_is_not_there(self, live: House, operator: Browser) -> None:
        assert operator.get(f"{live.url}/ops/hospitals/nowhere").status_code == 404

    def test_a_parameter_is_refused(self, live: House, operator: Browser) -> None:
        answer = operator.get(f"{live.url}/ops/hospitals/{HOA_SEN}?x=1", headers={"Accept": "application/json"})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "x")

    def test_figures_charts_and_history(self, live: House, operator: Browser, hospital: Tenant) -> None:
        now = datetime.now(UTC)
        for back in range(0, 300, 5):
            tell_traffic(live, hospital, now - timedelta(minutes=back + 1), 40, int(back == 50), 0.1)
        tell_usage(live, hospital, list(range(10, 40)))
        live.sql(
            "INSERT INTO directory.tenant_events (tenant_id, actor, event, detail) VALUES (%s, 'Lan',"
            """ 'hospital.state-changed', '{"from": "trial", "to": "live", "reason": "Khai trương", "x": "secret"}')""",
            hospital.id,
        )
        page = operator.get(f"{live.url}/ops/hospitals/{hospital.slug}").text
        assert page.count('<svg class="plot"') == 3
        assert "Khai trương" in page
        assert "secret" not in page
        told = operator.get(f"{live.url}/ops/api/hospitals/{hospital.slug}").json()
        assert told["hospital"]["requests"] == 120
        assert len(told["requests"]) == 60
        assert len(told["usage"]) == 30
        assert told["history"][0]["detail"] == {"from": "trial", "to": "live", "reason": "Khai trương"}

    def test_without_figures_it_says_so(self, live: House, operator: Browser, hospital: Tenant) -> None:
        page = operator.get(f"{live.url}/ops/hospitals/{hospital.slug}").text
        assert page.count("Chưa có số liệu.") == 3
        assert "chưa đo" in page

    def test_looking_leaves_a_row_with_the_hospital(self, live: House, operator: Browser, hospital: Tenant) -> None:
        operator.get(f"{live.url}/ops/hospitals/{hospital.slug}")
        assert rows_of(live, "hospital.shown-to-department")[-1]["detail"] == {"hospital": hospital.slug}


class TestPilot:
    def test_none_is_told_where_every_department_is_in(self, live: House, operator: Browser, hospital: Tenant) -> None:
        assert "Khoa thí điểm" not in operator.get(f"{live.url}/ops/hospitals/{hospital.slug}").text
        assert operator.get(f"{live.url}/ops/api/hospitals/{hospital.slug}").json()["pilot"] is None

    def test_departments_and_what_is_on_there(self, live: House, operator: Browser, hospital: Tenant) -> None:
        part = {"departments": {"noi": "Khoa Nội", "cdha": "Khoa CĐHA"}, "chart": ["noi"], "imaging": ["cdha", "noi"]}
        live.sql(
            "UPDATE directory.tenants SET definition = jsonb_set(definition, '{pilot}', %s::jsonb) WHERE slug = %s",
            json.dumps(part), hospital.slug,
        )  # fmt: skip
        page = operator.get(f"{live.url}/ops/hospitals/{hospital.slug}").text
        assert "Khoa thí điểm" in page
        assert "Ghi bệnh án" in page
        assert "Tải tài liệu lên" not in page
        assert operator.get(f"{live.url}/ops/api/hospitals/{hospital.slug}").json()["pilot"] == [
            {"ward": "cdha", "name": "Khoa CĐHA", "features": ["imaging"]},
            {"ward": "noi", "name": "Khoa Nội", "features": ["chart", "imaging"]},
        ]


class TestApi:
    def test_every_hospital_with_null_for_what_is_not_known(
        self, live: House, operator: Browser, hospital: Tenant
    ) -> None:
        said = operator.get(f"{live.url}/ops/api/hospitals", params={"q": hospital.slug}).json()
        [found] = said["hospitals"]
        assert (found["slug"], found["state"], found["served"]) == (hospital.slug, "trial", True)
        assert (found["p95_seconds"], found["storage_bytes"], found["light_at"]) == (None, None, None)
        assert {"grade": "warn", "code": "light-never"} in found["signs"]

    def test_a_token_of_an_operator_counts(self, live: House) -> None:
        with live.client("auditor", "city") as client:
            assert client.get(f"{live.url}/ops/api/hospitals").status_code == 200

    @pytest.mark.parametrize("given", ["x=1", "page=2", "sort=size", "state=live&state=live"])
    def test_an_unknown_parameter_is_named(self, live: House, operator: Browser, given: str) -> None:
        answer = operator.get(f"{live.url}/ops/api/hospitals?{given}")
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
        assert answer.json()["errors"][0]["pointer"] == given.partition("=")[0]
