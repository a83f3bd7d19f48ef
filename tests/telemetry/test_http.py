"""What operators see of a request."""

import asyncio

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from emr.telemetry import metrics
from emr.telemetry.http import ObserveRequests
from tests.telemetry.conftest import Lines

TEMPLATE = "/h/{slug}/fhir/{type}/{id}"
NAMES = ("Nguyễn", "Nguy%E1%BB%85n", "079185001234", "hoa-sen/fhir")


def get(application: ObserveRequests, path: str, **headers: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(application, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(ask())


def sample(name: str, **labels: str) -> float:
    families = text_string_to_metric_families(metrics.exposition().decode())
    found = [one.value for family in families for one in family.samples if one.name == name and one.labels == labels]
    return sum(found)


class TestAccessLine:
    def test_it_has_the_template_and_never_the_path_or_the_query(self, application, lines: Lines) -> None:
        get(application, "/h/hoa-sen/fhir/Patient/079185001234?name=Nguy%E1%BB%85n")
        assert lines.last["route"] == TEMPLATE
        assert lines.last["status"] == 200
        assert lines.last["method"] == "GET"
        assert not [name for name in NAMES if name in lines.text]

    def test_it_names_the_hospital_once_somebody_resolved_it(self, application, lines: Lines) -> None:
        get(application, "/h/hoa-sen/fhir/Patient/1")
        get(application, "/h/hoa-sen/unknown")
        assert [line.get("hospital") for line in lines.all] == ["hoa-sen", None]

    def test_an_unknown_path_is_not_repeated(self, application, lines: Lines) -> None:
        get(application, "/Nguyễn/079185001234")
        assert (lines.last["route"], lines.last["status"]) == ("(none)", 404)
        assert not [name for name in NAMES if name in lines.text]

    def test_a_plain_route_of_an_included_router_has_its_whole_template(self, application, lines: Lines) -> None:
        get(application, "/h/hoa-sen/raw/a/b/c")
        assert lines.last["route"] == "/h/{slug}/raw/{rest}"

    def test_what_is_mounted_says_only_that(self, application, lines: Lines) -> None:
        get(application, "/files/079185001234.pdf")
        assert lines.last["route"] == "(mounted)"

    def test_a_failure_is_logged_as_500(self, application, lines: Lines) -> None:
        get(application, "/broken")
        assert lines.last["status"] == 500
        assert not [name for name in NAMES if name in lines.text]


class TestRequestId:
    def test_each_answer_has_its_own(self, application, lines: Lines) -> None:
        answers = [get(application, "/h/hoa-sen/fhir/Patient/1") for _ in range(2)]
        ids = [answer.headers["x-request-id"] for answer in answers]
        assert ids == [line["request_id"] for line in lines.all]
        assert len(set(ids)) == 2

    def test_an_error_has_one_too(self, application, lines: Lines) -> None:
        assert len(get(application, "/missing").headers["x-request-id"]) == 32

    @pytest.mark.parametrize("given", ["0123456789abcdef0123456789abcdef", "018f3b6e-7c1a-7000-8000-0123456789ab"])
    def test_a_callers_id_is_kept(self, application, lines: Lines, given: str) -> None:
        assert get(application, "/missing", **{"X-Request-Id": given}).headers["x-request-id"] == given

    @pytest.mark.parametrize("given", ["Nguyen Van A", "079185001234", "a" * 300, "x\ty"])
    def test_text_of_a_caller_is_not(self, application, lines: Lines, given: str) -> None:
        answer = get(application, "/missing", **{"X-Request-Id": given})
        assert answer.headers["x-request-id"] != given
        assert given not in lines.text


class TestMetrics:
    def test_a_request_is_counted_by_template_and_by_hospital(self, application, lines: Lines) -> None:
        by_route = {"method": "GET", "route": TEMPLATE, "status": "200"}
        by_hospital = {"hospital": "hoa-sen", "class": "2xx"}
        name, hospital = "emr_http_request_duration_seconds_count", "emr_http_hospital_duration_seconds_count"
        before = sample(name, **by_route), sample(hospital, **by_hospital)
        get(application, "/h/hoa-sen/fhir/Patient/079185001234")
        assert (sample(name, **by_route), sample(hospital, **by_hospital)) == (before[0] + 1, before[1] + 1)

    def test_nothing_of_a_path_becomes_a_label(self, application, lines: Lines) -> None:
        get(application, "/h/hoa-sen/fhir/Patient/079185001234")
        get(application, "/Nguyễn")
        assert "079185001234" not in metrics.exposition().decode()
        assert "Nguy" not in metrics.exposition().decode()

    def test_a_made_up_method_does_not_become_a_label(self, application, lines: Lines) -> None:
        async def ask() -> None:
            transport = httpx.ASGITransport(application)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                await client.request("NGUYENVANA", "/missing")

        asyncio.run(ask())
        assert lines.last["method"] == "OTHER"
        assert "NGUYENVANA" not in metrics.exposition().decode()

    def test_hospitals_beyond_the_bound_share_one_label(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(metrics, "_hospitals", {f"h{n}" for n in range(400)})
        assert metrics.hospital_label("one-more") == "other"
        assert metrics.hospital_label("h7") == "h7"
        assert metrics.hospital_label(None) == "none"
