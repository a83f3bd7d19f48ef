"""The verbs of apps: registering and stopping them is the hospital's administrator's."""

from collections.abc import Sequence
from typing import Final

from emr.identity.apps import App, Apps
from emr.identity.memberships import Memberships
from emr.kernel.errors import Invalid
from emr.smart.registering import RegisterApp, checked
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

_MACHINE: Final = "machine"


@use_case("app:manage", "app.registered")
async def register_app(work: UnitOfWork, wish: RegisterApp) -> tuple[App, str | None]:
    """Register an app; the secret, where it has one, is told this once. Raises `Invalid` naming the field."""
    app, secret = checked(wish, work.tenant.id)
    if app.subject is not None:
        found = await Memberships(work.runtime.databases.directory).find(work.tenant.id, app.subject)
        if found is None or found.principal().kind != _MACHINE:
            raise Invalid("app-invalid", "A service works as a machine member of the hospital.", location="member")
    await Apps(work.runtime.databases.directory).add(app, by=work.principal.subject)
    work.trail.note(registered=app.id, kind=app.kind, scopes=sorted(app.scopes))
    return app, secret


@use_case("app:manage", "app.listed")
async def list_apps(work: UnitOfWork) -> Sequence[App]:
    """All apps of the hospital, stopped ones last."""
    return await Apps(work.runtime.databases.directory).list_apps(work.tenant.id)


@use_case("app:manage", "app.stopped")
async def stop_app(work: UnitOfWork, app_id: str) -> None:
    """From its next request on the app gets in no more. Raises `NotFound`."""
    await Apps(work.runtime.databases.directory).stop(work.tenant.id, app_id, by=work.principal.subject)
    work.trail.note(stopped=app_id)


@use_case("app:manage", "app.secret-renewed")
async def renew_secret(work: UnitOfWork, app_id: str) -> str:
    """A new secret, told this once; the one before counts no more. Raises `NotFound`."""
    secret = await Apps(work.runtime.databases.directory).renew_secret(
        work.tenant.id, app_id, by=work.principal.subject
    )
    work.trail.note(renewed=app_id)
    return secret
