"""Traces as a real collector receives them."""

import socket
import time

import pytest

from emr.settings import Telemetry
from emr.telemetry import spans
from emr.telemetry.tracing import FLUSH_SECONDS, configure_tracing
from tests.servers.otelcol import Collector
from tests.telemetry.conftest import Lines
from tests.telemetry.test_http import NAMES, TEMPLATE, get

pytestmark = pytest.mark.server
PARENT = "00-{trace}-b7ad6b7169203331-{flag}"


def settings(collector: Collector, ratio: float = 1.0) -> Telemetry:
    return Telemetry(otlp_endpoint=collector.endpoint, sample_ratio=ratio)


class TestARequest:
    def test_it_becomes_a_tree_of_http_use_case_and_sql(self, application, lines: Lines, collector: Collector) -> None:
        stop = configure_tracing(settings(collector), "serve")
        answer = get(application, "/h/hoa-sen/fhir/Patient/079185001234?name=Nguy%E1%BB%85n")
        stop()
        found = collector.wait_for(f"GET {TEMPLATE}")
        request = next(one for one in found if one.attributes.get("emr.request_id") == answer.headers["x-request-id"])
        tree = {one.name: one for one in found if one.trace_id == request.trace_id}
        assert set(tree) == {f"GET {TEMPLATE}", "use_case", "sql"}
        assert tree["use_case"].parent_id == request.span_id
        assert tree["sql"].parent_id == tree["use_case"].span_id
        assert request.kind == "Server"
        assert request.attributes == {
            "http.request.method": "GET",
            "http.route": TEMPLATE,
            "http.response.status_code": "200",
            "emr.hospital": "hoa-sen",
            "emr.request_id": answer.headers["x-request-id"],
        }
        assert tree["use_case"].attributes == {"emr.use_case": "read", "emr.permission": "record:read"}
        assert lines.last["trace_id"] == request.trace_id

    def test_no_patient_reaches_the_collector(self, application, lines: Lines, collector: Collector) -> None:
        stop = configure_tracing(settings(collector), "serve")
        for path in ("/h/hoa-sen/fhir/Patient/079185001234?name=Nguy%E1%BB%85n", "/missing", "/broken", "/down"):
            get(application, path)
        stop()
        collector.wait_for("GET /broken")
        assert not [name for name in NAMES if name in collector.text()]
        assert "url.path" not in collector.text()

    def test_a_refusal_is_an_answer_and_a_failure_is_an_error(self, application, lines, collector: Collector) -> None:
        stop = configure_tracing(settings(collector), "serve")
        for path in ("/missing", "/down", "/broken"):
            get(application, path)
        stop()
        status = {one.attributes.get("emr.use_case"): one.status for one in collector.wait_for("GET /down")}
        assert (status["missing"], status["down"], status["broken"]) == ("Unset", "Error", "Error")

    def test_a_callers_sampled_trace_is_continued_whatever_the_ratio(self, application, lines, collector) -> None:
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        stop = configure_tracing(settings(collector, 0.0), "serve")
        get(application, "/h/cau-vong/fhir/Patient/1", traceparent=PARENT.format(trace=trace, flag="01"))
        stop()
        found = [one for one in collector.wait_for(f"GET {TEMPLATE}") if one.trace_id == trace]
        assert [one.parent_id for one in found if one.kind == "Server"] == ["b7ad6b7169203331"]
        assert len(found) == 3

    def test_without_the_lot_nothing_is_recorded(self, application, lines: Lines, collector: Collector) -> None:
        before = len(collector.spans())
        trace = "5bf92f3577b34da6a3ce929d0e0e4736"
        stop = configure_tracing(settings(collector, 0.0), "serve")
        get(application, "/h/cau-vong/fhir/Patient/1")
        get(application, "/h/cau-vong/fhir/Patient/1", traceparent=PARENT.format(trace=trace, flag="00"))
        with spans.root_span("relay"):
            get(application, "/missing")
        stop()
        time.sleep(0.3)
        assert len(collector.spans()) == before


class TestARoot:
    def test_work_that_no_request_started_has_a_trace(self, collector: Collector) -> None:
        stop = configure_tracing(settings(collector), "worker")
        with spans.root_span("job", job="relay-test"):
            spans.describe(rows=7)
        stop()
        job = next(one for one in collector.wait_for("job") if one.attributes.get("emr.job") == "relay-test")
        assert job.attributes["emr.rows"] == "7"
        assert job.parent_id == ""
        assert "service.name: Str(emr-worker)" in collector.text()


class TestStop:
    def test_a_collector_that_never_answers_delays_it_by_no_more_than_the_bound(self) -> None:
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            deaf.listen()
            endpoint = f"http://127.0.0.1:{deaf.getsockname()[1]}"
            stop = configure_tracing(Telemetry(otlp_endpoint=endpoint, sample_ratio=1), "serve")
            for _ in range(3_000):
                with spans.root_span("job"):
                    pass
            began = time.monotonic()
            stop()
            assert time.monotonic() - began < FLUSH_SECONDS + 1

    def test_without_an_endpoint_there_is_nothing(self) -> None:
        stop = configure_tracing(Telemetry(), "serve")
        assert not spans.chosen(continued=True)
        stop()
