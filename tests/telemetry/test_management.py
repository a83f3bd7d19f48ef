"""The management port, over real sockets."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import httpx
import pytest

from emr.telemetry.health import Check, Readiness
from emr.telemetry.management import ManagementServer, serve_management


async def well() -> str | None:
    return None


async def down() -> str | None:
    return "The database does not answer."


async def broken() -> str | None:
    raise ValueError("password=hunter2")


async def slow() -> str | None:
    await asyncio.sleep(60)
    return None


def asked(path: str, checks: dict[str, Check], before: Callable[[Readiness], None] = lambda _: None) -> httpx.Response:
    async def ask() -> httpx.Response:
        readiness = Readiness(checks)
        server = await serve_management(0, readiness)
        before(readiness)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as client:
            answer = await client.get(path)
        await server.stop()
        return answer

    return asyncio.run(ask())


class TestReadyz:
    def test_it_is_200_when_every_check_is_well(self) -> None:
        answer = asked("/readyz", {"database": well, "storage": well})
        assert answer.status_code == 200
        assert answer.json() == {"ready": True, "checks": {"database": None, "storage": None}, "tolerated": {}}

    def test_it_is_503_with_the_reason_when_one_is_not(self) -> None:
        answer = asked("/readyz", {"database": down, "storage": well})
        assert answer.status_code == 503
        assert answer.json()["checks"] == {"database": "The database does not answer.", "storage": None}

    def test_what_is_tolerated_is_told_and_does_not_count(self) -> None:
        report = asyncio.run(Readiness({"database": well}, {"storage": down}).report())
        assert report.ready
        assert report.as_json()["tolerated"] == {"storage": "The database does not answer."}

    def test_a_check_that_breaks_shows_its_type_and_not_its_message(self) -> None:
        answer = asked("/readyz", {"database": broken})
        assert answer.json()["checks"] == {"database": "The check failed (ValueError)."}

    def test_a_check_that_hangs_is_not_waited_for(self) -> None:
        began = time.monotonic()
        answer = asked("/readyz", {"database": slow})
        assert answer.json()["checks"] == {"database": "No answer within 2 s."}
        assert time.monotonic() - began < 4

    def test_a_stopping_process_is_not_ready(self) -> None:
        answer = asked("/readyz", {"database": well}, Readiness.drain)
        assert answer.status_code == 503
        assert answer.json()["checks"] == {"process": "This process is stopping."}


class TestTheRest:
    def test_a_process_that_is_not_ready_still_lives(self) -> None:
        assert asked("/healthz", {"database": down}).status_code == 200

    def test_metrics_are_prometheus_text(self) -> None:
        answer = asked("/metrics", {})
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert "# TYPE emr_http_request_duration_seconds histogram" in answer.text
        assert "process_resident_memory_bytes" in answer.text

    def test_anything_else_is_not_found(self) -> None:
        assert asked("/h/hoa-sen", {}).status_code == 404

    def test_a_taken_port_is_an_error_and_not_the_end_of_the_process(self) -> None:
        async def twice() -> None:
            first = await serve_management(0, Readiness())
            attempt: Awaitable[ManagementServer] = serve_management(first.port, Readiness())
            try:
                with pytest.raises(OSError, match="cannot be listened on"):
                    await attempt
            finally:
                await first.stop()

        asyncio.run(twice())
