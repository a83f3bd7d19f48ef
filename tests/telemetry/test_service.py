"""The whole service under a real collector: what a request leaves in traces, logs and metrics, and what it does not."""

import asyncio
from urllib.parse import quote

import httpx
import pytest

from emr.app import build
from emr.settings import Telemetry
from emr.telemetry import metrics
from emr.telemetry.tracing import configure_tracing
from tests.house import HOA_SEN, House
from tests.servers.otelcol import Collector, Received
from tests.telemetry.conftest import Lines

pytestmark = pytest.mark.server

FAMILY, GIVEN, CITIZEN, INSURANCE, PHONE = "Trịnh", "Ngọc Huyền", "079185012345", "DN4797912345678", "0912345678"
FORBIDDEN = [
    text
    for plain in (FAMILY, GIVEN, CITIZEN, INSURANCE, PHONE, "Ngoc Huyen")
    for text in (plain, quote(plain), plain.encode("unicode_escape").decode())
]
PATIENT = {
    "resourceType": "Patient",
    "identifier": [{"system": "urn:test:cccd", "value": CITIZEN}, {"system": "urn:test:bhyt", "value": INSURANCE}],
    "name": [{"family": FAMILY, "given": [GIVEN]}],
    "telecom": [{"system": "phone", "value": PHONE}],
}
READ = "GET /h/{slug}/fhir/{type}/{id}"


async def day(house: House, client: httpx.AsyncClient) -> str:
    """A patient is registered, found, read, changed and missed; the id of the request that read."""
    headers = {"Content-Type": "application/fhir+json"}
    made = await client.post("/Patient", json=PATIENT, headers=headers)
    assert made.status_code == 201, made.text
    key = made.json()["id"]
    for query in (f"name={quote(FAMILY)}", f"identifier={CITIZEN}", f"phone={PHONE}", f"nonsense={quote(GIVEN)}"):
        await client.get(f"/Patient?{query}")
    await client.post("/Patient", content=f'{{"resourceType":"Patient","x{CITIZEN}":1}}', headers=headers)
    await client.get(f"/Patient/{quote(FAMILY)}")
    await client.get(f"/{quote(GIVEN)}/{CITIZEN}")
    await client.get(f"/Patient/{key}", headers={"Authorization": f"Bearer {CITIZEN}"})
    broken = await client.get("http://test/broken")
    assert broken.status_code == 500
    assert len(broken.headers["x-request-id"]) == 32
    read = await client.get(f"/Patient/{key}")
    assert read.status_code == 200
    return read.headers["x-request-id"]


async def _broken() -> None:
    raise ValueError(f"{FAMILY} {CITIZEN}")


def observed(house: House, telemetry: Telemetry) -> str:
    """Run the day against the application; answers the reading request's id."""
    settings = house.settings.model_copy(update={"telemetry": telemetry})
    app = build(settings)
    app.add_api_route("/broken", _broken)

    async def inside() -> str:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=transport,
                base_url=house.fhir(),
                headers={"Authorization": f"Bearer {house.token()}"},
            ) as client,
        ):
            return await day(house, client)

    stop = configure_tracing(telemetry, "serve")
    try:
        return asyncio.run(inside())
    finally:
        stop()


def below(spans: list[Received], parent: Received) -> list[Received]:
    children = [span for span in spans if span.parent_id == parent.span_id]
    return children + [each for child in children for each in below(spans, child)]


@pytest.fixture(scope="module")
def seen(standing: House, collector: Collector) -> tuple[str, list[Received]]:
    telemetry = Telemetry(otlp_endpoint=collector.endpoint, sample_ratio=1)
    return observed(standing, telemetry), collector.wait_for(READ)


class TestADay:
    def test_a_read_is_a_tree_of_http_use_case_and_sql(self, seen: tuple[str, list[Received]]) -> None:
        request_id, spans = seen
        request = next(span for span in spans if span.attributes.get("emr.request_id") == request_id)
        assert request.attributes["emr.hospital"] == HOA_SEN
        inside = below(spans, request)
        use_case = next(span for span in inside if span.name == "use case")
        assert use_case.attributes["emr.use_case"] == "record.read"
        assert "sql" in {span.name for span in below(spans, use_case)}

    def test_nothing_of_the_patient_reaches_the_collector(self, seen: object, collector: Collector) -> None:
        assert len(collector.spans()) > 30
        assert [text for text in FORBIDDEN if text in collector.text()] == []

    def test_nothing_of_the_patient_becomes_a_label(self, seen: object) -> None:
        text = metrics.exposition().decode()
        assert [each for each in FORBIDDEN if each in text] == []
        assert 'emr_use_case_duration_seconds_count{outcome="ok",use_case="record.read"}' in text


class TestLogs:
    def test_nothing_of_the_patient_is_logged(self, standing: House, lines: Lines) -> None:
        observed(standing, Telemetry())
        answered = [line for line in lines.all if line["event"] == "request"]
        assert {line.get("hospital") for line in answered} >= {HOA_SEN}
        assert len(answered) == 11
        failed = next(line for line in lines.all if line["event"] == "request failed")
        assert failed["error"] == "ValueError"
        assert failed["request_id"] in {line["request_id"] for line in answered if line["status"] == 500}
        assert [text for text in FORBIDDEN if text in lines.text] == []
