"""The verbs of somebody who opens an app, allows it something, and takes that back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from emr.access.permissions import demand
from emr.identity.app_access import AppAccess
from emr.identity.app_grants import Allowed, Consent
from emr.identity.app_launches import Launch
from emr.identity.apps import App
from emr.kernel.errors import Forbidden, NotFound
from emr.records.people import find_people
from emr.records.read import read
from emr.smart.asking import Ask
from emr.smart.negotiating import lasting_of
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

_MOST_HITS: Final = 12
Resource = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Choosing:
    """Patients who fit what was typed."""

    text: str
    found: Sequence[Resource]


@use_case("app:use", "app.list-shown")
async def launchable(work: UnitOfWork, access: AppAccess) -> Sequence[App]:
    """The apps that are opened from a chart."""
    return [each for each in await access.apps.list_apps(work.tenant.id) if each.active and each.launch_uri]


@use_case("app:use", "app.opened")
async def open_app(work: UnitOfWork, access: AppAccess, app_id: str, patient: str) -> tuple[App, str]:
    """A launch token for this app, this person's session and this patient. Raises `NotFound`, what a read raises."""
    session = _demand_session(work)
    app = await access.apps.find(work.tenant.id, app_id)
    if app is None or not app.active or app.launch_uri is None:
        raise NotFound("app-unknown", "There is no such app.")
    await read(work, "Patient", patient)
    token = await access.launches.launch(app, Launch(work.principal.subject, session, patient))
    work.trail.note(app=app.id)
    return app, token


@use_case("app:use", "app.patient-searched")
async def find_patients(work: UnitOfWork, text: str) -> Choosing:
    """Patients to choose one for an app."""
    _demand_session(work)
    found = await find_people(work, text, limit=_MOST_HITS) if len(text) >= 2 else ()
    return Choosing(text, [each.resource() for each in found])


@use_case("app:use", "app.patient-shown")
async def patient_of(work: UnitOfWork, patient: str) -> Resource:
    """The patient whom an app is about to be given. Raises what a read raises."""
    _demand_session(work)
    return (await read(work, "Patient", patient)).resource()


@use_case("app:use", "app.allowed")
async def allow(work: UnitOfWork, access: AppAccess, app: App, ask: Ask) -> str:
    """An authorization code for what the app asks. Raises what a read of the patient raises."""
    session = _demand_session(work)
    if ask.patient:
        await read(work, "Patient", ask.patient)
    code = await access.grants.allow(
        app,
        Consent(
            subject=work.principal.subject,
            session_id=session,
            scopes=frozenset(ask.scopes),
            patient=ask.patient or None,
            lasting=lasting_of(ask.scopes),
            redirect_uri=ask.redirect_uri,
            challenge=ask.challenge,
        ),
    )
    work.trail.note(app=app.id, scopes=list(ask.scopes))
    return code


@use_case("app:use", "app.denied")
async def deny(work: UnitOfWork, app: App) -> None:
    """Nothing is given; that it was asked for is written down."""
    _demand_session(work)
    work.trail.note(app=app.id)


@use_case("app:use", "app.grants-shown")
async def own_grants(work: UnitOfWork, access: AppAccess) -> Sequence[Allowed]:
    """What one has allowed apps, and what still holds."""
    return await access.grants.of_subject(work.tenant.id, work.principal.subject)


@use_case("app:use", "app.taken-back")
async def take_back(work: UnitOfWork, access: AppAccess, grant: str) -> None:
    """End what one has allowed; it counts no more at the app's next request. Raises `NotFound`."""
    _demand_session(work)
    app = await access.grants.take_back(work.tenant.id, work.principal.subject, grant)
    if app is None:
        raise NotFound("grant-unknown", "There is no such permission, or it is over.")
    work.trail.note(app=app)


def _demand_session(work: UnitOfWork) -> str:
    """Apps are opened and allowed by people at a browser, never with a token."""
    demand(work.principal, "app:use")
    if work.principal.session_id is None:
        raise Forbidden("session-needed", "Only a person who is signed in may do this.")
    return work.principal.session_id
