"""The pages of apps: what one asks for, which patient it is about, opening one from a chart, taking back.

Between the pages the request travels sealed for this session and hospital; no patient stands in an address of ours but
the chart's own.
"""

from typing import Final
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from emr.identity.app_access import AppAccess
from emr.identity.apps import App
from emr.identity.errors import GrantInvalid, NotSignedIn
from emr.identity.principal import Principal
from emr.kernel.errors import Malformed
from emr.kernel.tenant import Tenant
from emr.smart import launching
from emr.smart.addresses import AUTHORIZE, fhir_base
from emr.smart.asking import AppUnknown, Ask, AskedWrongly, origin_of, understood, way_back, with_answer
from emr.smart.negotiating import lasting_of
from emr.smart.views import candidate, candidates, granted
from emr.smart.wording import HOW_LONG, wishes
from emr.web.answers import read_form, render, saved
from emr.web.paths import home_of
from emr.web.security import content_security_policy
from emr.web.sign_in import identity_of, runtime_of
from emr.web.strip import load_banner
from emr.web.work import Work, asked, hospital_of, principal_in
from emr.work.unit import UnitOfWork, unit_of_work

router = APIRouter(prefix="/h/{slug}", include_in_schema=False)

_SECONDS: Final = 600
_LONGEST: Final = 2_000
_NOWHERE: Final = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


@router.get(f"/smart/{AUTHORIZE}")
async def authorize(request: Request) -> Response:
    """The authorization endpoint: a page of consent, or of choosing a patient first; signing in before both."""
    tenant = await hospital_of(request)
    query = dict(request.query_params)
    if len(query) != len(request.query_params.multi_items()) or len(request.url.query) > _LONGEST:
        raise Malformed("request-invalid", "The request is too long, or gives a parameter twice.")
    access = _access(request)
    app = await access.apps.find(tenant.id, query.get("client_id", "")[:64])
    address = way_back(app, query)
    assert app is not None
    try:
        principal = await principal_in(request, tenant)
    except NotSignedIn:
        return _to_sign_in(tenant, query)
    try:
        ask = await _ask(request, app, query, principal)
    except AskedWrongly as refusal:
        answer = {"error": refusal.error, "error_description": refusal.message, "state": query.get("state", "")[:500]}
        return _sent(with_answer(address, **answer))
    async with unit_of_work(runtime_of(request), tenant, principal, asked(request, tenant)) as work:
        page = await _next_page(request, work, app, ask)
    # Outside of the unit of work, so that its row is committed.
    return page  # noqa: RET504 - the line above says why


@router.post("/smart/patient")
async def choose(request: Request, work: Work) -> Response:
    """Look for a patient, or take one."""
    form = await read_form(request, work)
    app, ask = await _opened(request, work, form.values.get("request", ""))
    chosen = form.values.get("patient", "")
    if chosen:
        return await _consent(request, work, app, _with_patient(ask, chosen))
    return await _choosing(request, work, app, ask, form.text("text", limit=120))


@router.post("/smart/consent")
async def decide(request: Request, work: Work) -> Response:
    """Allow it or not; either way the browser goes back to the app."""
    form = await read_form(request, work)
    app, ask = await _opened(request, work, form.values.get("request", ""))
    decision = form.values.get("decision", "")
    if decision == "deny":
        await launching.deny(work, app)
        return _sent(with_answer(ask.redirect_uri, error="access_denied", state=ask.state))
    if decision != "allow" or ask.wants_patient:
        raise Malformed("request-invalid", "The decision is allow or deny.", location="decision")
    code = await launching.allow(work, _access(request), app, ask)
    return _sent(with_answer(ask.redirect_uri, code=code, state=ask.state))


@router.get("/patients/{patient}/apps")
async def apps_of_chart(request: Request, work: Work, patient: str) -> Response:
    """The apps that can be opened with this patient, and what one has allowed."""
    banner = await load_banner(work, patient)
    found = await launching.launchable(work, _access(request))
    own = [granted(each, work) for each in await launching.own_grants(work, _access(request))]
    page = render(request, work, "smart/apps.html", banner=banner, here="apps", apps=found, grants=own)
    return _may_lead_to(request, page, *(each.launch_uri or "" for each in found))


@router.post("/patients/{patient}/apps/{app}")
async def open_app(request: Request, work: Work, patient: str, app: str) -> Response:
    """Open an app with this patient: it gets our address and a launch token, and nothing else."""
    await read_form(request, work)
    found, token = await launching.open_app(work, _access(request), app, patient)
    base = fhir_base(runtime_of(request).settings.http.base_url, work.tenant)
    return _sent(with_answer(found.launch_uri or "", iss=base, launch=token))


@router.post("/patients/{patient}/apps/grants/{grant}")
async def take_back(request: Request, work: Work, patient: str, grant: str) -> Response:
    """Take back what one has allowed an app."""
    await read_form(request, work)
    await launching.take_back(work, _access(request), grant)
    return saved(request, work, f"/patients/{patient}/apps", "app-taken-back")


async def _ask(request: Request, app: App, query: dict[str, str], principal: Principal) -> Ask:
    """The request with the patient of its launch, which is spent by it. Raises `AskedWrongly`."""
    if principal.session_id is None:
        raise AskedWrongly("access_denied", "Only a person who is signed in may allow an app something.")
    runtime = runtime_of(request)
    base = f"{runtime.settings.http.base_url.rstrip('/')}/h/{request.path_params['slug']}/fhir"
    ask = understood(app, query, audience=base, until=runtime.clock().timestamp() + _SECONDS)
    if "launch" not in query:
        return ask
    try:
        launch = await _access(request).launches.take_launch(query["launch"], app, session_id=principal.session_id)
    except GrantInvalid as refusal:
        raise AskedWrongly("invalid_request", refusal.message) from refusal
    return _with_patient(ask, launch.patient)


async def _next_page(request: Request, work: UnitOfWork, app: App, ask: Ask) -> Response:
    if ask.wants_patient:
        return await _choosing(request, work, app, ask, "")
    return await _consent(request, work, app, ask)


async def _choosing(request: Request, work: UnitOfWork, app: App, ask: Ask, text: str) -> Response:
    choosing = await launching.find_patients(work, text)
    return render(
        request,
        work,
        "smart/choose.html",
        app=app,
        sealed=_sealed(request, work, ask),
        text=choosing.text,
        found=candidates(choosing.found, work),
    )


async def _consent(request: Request, work: UnitOfWork, app: App, ask: Ask) -> Response:
    patient = await launching.patient_of(work, ask.patient) if ask.patient else None
    page = render(
        request,
        work,
        "smart/consent.html",
        app=app,
        site=urlsplit(ask.redirect_uri).netloc,
        sealed=_sealed(request, work, ask),
        patient=None if patient is None else candidate(patient, work),
        wishes=wishes(ask.scopes),
        how_long=HOW_LONG[lasting_of(ask.scopes)],
    )
    return _may_lead_to(request, page, ask.redirect_uri)


def _with_patient(ask: Ask, patient: str) -> Ask:
    return Ask(ask.app, ask.redirect_uri, ask.state, ask.challenge, ask.scopes, ask.until, patient)


def _sealed(request: Request, work: UnitOfWork, ask: Ask) -> str:
    return _access(request).consents.seal(ask.text(), context=_context(work)).hex()


async def _opened(request: Request, work: UnitOfWork, sealed: str) -> tuple[App, Ask]:
    """What the pages are about. Raises `Malformed` for what was not sealed for this session here, or is too old."""
    try:
        text = _access(request).consents.open(bytes.fromhex(sealed), context=_context(work))
    except ValueError:
        text = None
    ask = None if text is None else Ask.of(text)
    if ask is None or ask.until < work.clock().timestamp():
        raise Malformed("request-over", "This request of an app is over; open the app again.", location="request")
    app = await _access(request).apps.find(work.tenant.id, ask.app)
    if app is None or not app.active or ask.redirect_uri not in app.redirect_uris:
        raise AppUnknown
    return app, ask


def _context(work: UnitOfWork) -> str:
    return f"{work.tenant.id}:{work.principal.session_id}"


def _access(request: Request) -> AppAccess:
    return identity_of(request).app_access


def _to_sign_in(tenant: Tenant, query: dict[str, str]) -> Response:
    here = f"{home_of(tenant)}/smart/{AUTHORIZE}?{urlencode(query)}"
    return _sent(f"/auth/sign-in?{urlencode({'to': here})}")


def _sent(address: str) -> Response:
    return RedirectResponse(address, 303, _NOWHERE)


def _may_lead_to(request: Request, page: Response, *addresses: str) -> Response:
    """A form of this page may end at the apps: browsers hold `form-action` against the redirect, too."""
    issuer = runtime_of(request).settings.identity.issuer
    origins = sorted({origin_of(each) for each in addresses if each})
    page.headers["Content-Security-Policy"] = content_security_policy(issuer=issuer, form_origins=origins)
    return page
