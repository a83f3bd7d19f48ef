"""The web service, put together: what it is made of, its routes, how it starts and how it stops."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from emr.administration import pages as administration_pages
from emr.administration.golive import pages as golive_pages
from emr.administration.machines import pages as machines_pages
from emr.administration.package import pages as package_pages
from emr.administration.provider import pages as provider_pages
from emr.administration.reviews import pages as reviews_pages
from emr.administration.sandbox import pages as sandbox_pages
from emr.administration.sessions import pages as sessions_pages
from emr.administration.support import pages as support_pages
from emr.chart import pages as chart_pages
from emr.console import api as console_api
from emr.console import pages as console_pages
from emr.console.announcements import api as announcements_api
from emr.console.announcements import pages as announcements_pages
from emr.console.answers import in_the_office
from emr.console.golive import api as city_golive_api
from emr.console.golive import pages as city_golive_pages
from emr.console.onboarding import api as onboarding_api
from emr.console.onboarding import pages as onboarding_pages
from emr.console.states import api as states_api
from emr.console.states import pages as states_pages
from emr.console.traffic import told
from emr.consultation import pages as consultation_pages
from emr.definitions.extract import HO_CHI_MINH_CITY
from emr.definitions.warm import warm
from emr.dicomweb import api as dicomweb_api
from emr.documents import api as documents_api
from emr.documents import pages as documents_pages
from emr.documents.press import Press
from emr.emergency import pages as emergency_pages
from emr.fhir import api as fhir_api
from emr.identity.administration import administered
from emr.identity.service import Identity
from emr.imaging import pages as imaging_pages
from emr.imaging.reader import Reader
from emr.imaging.renderer import Renderer
from emr.kernel.errors import NotFound
from emr.light import pages as light_pages
from emr.past import pages as past_pages
from emr.past.orders import pages as past_orders
from emr.privacy import pages as privacy_pages
from emr.records import scope_criteria
from emr.settings import Settings
from emr.smart import discovery as smart_discovery
from emr.smart import pages as smart_pages
from emr.smart import token as smart_token
from emr.smart.clients import Clients
from emr.smart.cors import CrossOrigin
from emr.subscriptions import guard as subscriptions
from emr.telemetry.health import Readiness
from emr.telemetry.http import ObserveRequests
from emr.telemetry.logs import configure_logs
from emr.telemetry.management import ManagementServer, serve_management
from emr.telemetry.tracing import configure_tracing
from emr.web import errors, home, installation, me, sign_in
from emr.web.body import Room
from emr.web.direct import DirectRoutes
from emr.web.fairness import Fairness
from emr.web.past import PastAddresses
from emr.web.work import in_hospital
from emr.work.collector import leave_old_objects_alone
from emr.work.runtime import Runtime, runtime
from emr.work.starting import MANAGEMENT_PORT, MANAGEMENT_PORTS
from emr.work.unit import UnitOfWork

_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_FHIR: Final = (smart_discovery.router, fhir_api.before_ids, documents_api.router, fhir_api.router)
"""A file's Binary is the documents' own to read; `.well-known` would pass for a type."""
# What is asked most often stands first.
ROUTERS: Final = (
    *_FHIR,
    dicomweb_api.router,
    home.router,
    sign_in.router,
    smart_token.router,
    me.router,
    smart_pages.router,
    documents_pages.router,
    imaging_pages.router,
    consultation_pages.router,
    chart_pages.router,
    administration_pages.router,
    light_pages.router,
    past_pages.router,
    past_orders.router,
    privacy_pages.router,
    sessions_pages.router,
    support_pages.router,
    sandbox_pages.router,
    golive_pages.router,
    package_pages.router,
    reviews_pages.router,
    machines_pages.router,
    provider_pages.router,
    emergency_pages.router,
    console_api.router,
    states_api.router,
    announcements_api.router,
    onboarding_api.router,
    city_golive_api.router,
    console_pages.router,
    states_pages.router,
    announcements_pages.router,
    onboarding_pages.router,
    city_golive_pages.router,
)


class _Observed(FastAPI):
    """Telemetry stands outside of the error handling, so that a failure has its request id, too."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """FastAPI's own telemetry stays out of a request whose scope holds this key."""
        if scope["type"] == "http":
            scope["fastapi.telemetry"] = None
        await super().__call__(scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        plain = DirectRoutes(
            super().build_middleware_stack(), self, [route for router in _FHIR for route in router.routes]
        )
        return ObserveRequests(CrossOrigin(Fairness(PastAddresses(plain), self), self))


def build(settings: Settings, parts: Runtime | None = None) -> FastAPI:
    """The application. Nothing connects before its lifespan begins; `app.state.readiness` tells how it is."""
    parts = parts or runtime(settings)
    subscriptions.install(parts)
    scope_criteria.install(parts)
    app = _Observed(
        title="EMR",
        docs_url="/docs" if settings.http.docs else None,
        redoc_url=None,
        openapi_url="/openapi.json" if settings.http.docs else None,
        lifespan=_live,
    )
    app.state.runtime = parts
    app.state.identity = Identity(settings, parts.databases.directory, parts.clock)
    app.state.clients = Clients(app.state.identity, parts.clock)
    app.state.administered = administered(settings.identity)
    app.state.bodies = Room(settings.http.bodies_limit_mib << 20)
    app.state.renderer = Renderer()
    app.state.reader = Reader()
    app.state.press = Press()
    # Without the object store the record can still be read and written; only scans and images wait.
    app.state.readiness = Readiness({"database": parts.database_reason}, {"storage": parts.storage_reason})
    app.state.stop_tracing = lambda: None
    app.state.management_ports = range(0)
    app.state.processes = settings.http.replicas
    for router in ROUTERS:
        app.include_router(router)
    installation.install(app, settings)
    errors.install(app)
    app.add_route("/h/{slug}/{rest:path}", in_hospital(_nowhere), methods=list(_METHODS), include_in_schema=False)
    app.add_route("/ops/{rest:path}", in_the_office, methods=list(_METHODS), include_in_schema=False)
    app.add_api_route("/healthz", _alive, include_in_schema=False)
    app.add_api_route("/readyz", _ready, include_in_schema=False)
    return app


def create() -> FastAPI:
    """The application of `emr serve`, from the environment: one in each of its processes."""
    settings = Settings()
    configure_logs(settings.telemetry, "serve")
    app = build(settings)
    app.state.stop_tracing = configure_tracing(settings.telemetry, "serve")
    app.state.processes = settings.http.replicas * int(os.environ[MANAGEMENT_PORTS])
    app.state.management_ports = range(
        int(os.environ[MANAGEMENT_PORT]), int(os.environ[MANAGEMENT_PORT]) + int(os.environ[MANAGEMENT_PORTS])
    )
    return app


def preload() -> None:
    """Make what every process of the service holds alike: a process that is forked from here on shares its memory."""
    warm({HO_CHI_MINH_CITY.key})
    leave_old_objects_alone()


@asynccontextmanager
async def _live(app: FastAPI) -> AsyncIterator[None]:
    await app.state.runtime.open()
    management = await _manage(app)
    warm({tenant.time_zone for tenant in app.state.runtime.registry.all()})
    leave_old_objects_alone()
    try:
        async with told(app.state.runtime):
            yield
    finally:
        if management is not None:
            await management.stop()
        app.state.stop_tracing()
        await app.state.renderer.close()
        await app.state.reader.close()
        app.state.press.close()
        await app.state.identity.close()
        await app.state.runtime.close()


async def _manage(app: FastAPI) -> ManagementServer | None:
    """Listen on the first management port that no other process of this service has taken."""
    host = app.state.runtime.settings.telemetry.management_host
    for port in app.state.management_ports:
        try:
            return await serve_management(port, app.state.readiness, host=host)
        except OSError:
            continue
    return None


async def _nowhere(request: Request, work: UnitOfWork) -> Response:
    """An address that does not exist: a member is told so, everybody else what they are told of every address."""
    del request, work
    raise NotFound("no-such-route", "There is nothing at this address.")


async def _alive() -> Response:
    """The process turns."""
    return PlainTextResponse("ok")


async def _ready(request: Request) -> Response:
    """Whether requests may be sent here, and if not, why."""
    report = await request.app.state.readiness.report()
    return JSONResponse(report.as_json(), 200 if report.ready else 503, {"Cache-Control": "no-store"})
