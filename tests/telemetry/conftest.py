"""A collector for the tests of this folder, logs into a buffer, and an application with every kind of route."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from emr.kernel.errors import NotFound, Unavailable
from emr.settings import Telemetry
from emr.telemetry import activity, spans
from emr.telemetry.http import ObserveRequests
from emr.telemetry.logs import configure_logs
from tests.servers.otelcol import Collector, otelcol_server


@pytest.fixture(scope="session")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    with otelcol_server(tmp_path_factory.mktemp("otelcol")) as running:
        yield running


class Lines:
    """What was logged, as text and as objects."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def all(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.text.splitlines()]

    @property
    def last(self) -> dict[str, object]:
        return self.all[-1]


@pytest.fixture
def lines() -> Iterator[Lines]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    kept = Lines()
    configure_logs(Telemetry(log_level="debug"), "serve", kept.stream)
    yield kept
    configure_logs(Telemetry(), "test")
    logging.captureWarnings(False)
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


async def _read(slug: str, type: str, id: str) -> dict[str, str]:  # noqa: A002
    activity.note_hospital(slug)
    with (
        spans.span("use_case", use_case="read", permission="record:read", patient_name="Nguyễn Thị Hoa"),
        spans.span("sql", statement="records.read"),
    ):
        return {"type": type, "id": id}


async def _missing() -> None:
    with spans.span("use_case", use_case="missing"):
        raise NotFound("no-such-patient", "No patient Nguyễn Thị Hoa.")


async def _down() -> None:
    with spans.span("use_case", use_case="down"):
        raise Unavailable("database-unavailable", "Nguyễn Thị Hoa cannot be read.")


async def _broken() -> None:
    with spans.span("use_case", use_case="broken"):
        raise ValueError("Nguyễn Thị Hoa, 079185001234")


async def _plain(request: Request) -> PlainTextResponse:
    return PlainTextResponse(request.path_params["rest"])


async def _not_found(request: Request, error: Exception) -> PlainTextResponse:
    return PlainTextResponse("no", status_code=404 if isinstance(error, NotFound) else 503)


@pytest.fixture
def application() -> ObserveRequests:
    """The wrapped application; its routers are included twice deep, as the real ones are."""
    inner = APIRouter(prefix="/fhir")
    inner.add_api_route("/{type}/{id}", _read)
    inner.add_route("/raw/{rest:path}", _plain)
    outer = APIRouter(prefix="/h/{slug}")
    outer.include_router(inner)
    app = FastAPI()
    app.include_router(outer)
    app.add_api_route("/missing", _missing)
    app.add_api_route("/down", _down)
    app.add_api_route("/broken", _broken)
    app.mount("/files", PlainTextResponse("file"))
    app.add_exception_handler(NotFound, _not_found)
    app.add_exception_handler(Unavailable, _not_found)
    return ObserveRequests(app)
