"""A hospital's first administrator: found or made at Keycloak, put into the organization, told by e-mail, let in."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from sqlalchemy import Connection, text

from emr.db.migrate import owner_engine
from emr.fleet.onboarding import note_event
from emr.identity.people import PASSWORD, SECOND_FACTOR, Account, NewAccount, People
from emr.identity.realm import Realm
from emr.kernel.errors import Conflict, NotFound
from emr.settings import Settings
from emr.tenancy.definition import AdministratorPart
from emr.work.faults import Reached

R = TypeVar("R")
ACTIONS: Final = (PASSWORD, SECOND_FACTOR)
_BEGUN: Final = "administrator.account-begun"
_INVITED: Final = "administrator.invited"
_WAS_BEGUN: Final = text(
    "SELECT EXISTS (SELECT 1 FROM directory.tenant_events WHERE tenant_id = :id AND event = :event)"
)
_MADE: Final = text(
    "INSERT INTO directory.accounts (subject, made_for) VALUES (:subject, :id) ON CONFLICT (subject) DO NOTHING"
)
_GRANT: Final = text("""
INSERT INTO directory.memberships (tenant_id, subject, role, name, granted_by)
VALUES (:id, :subject, 'admin', :name, 'emr tenants apply')
ON CONFLICT (tenant_id, subject) DO UPDATE SET role = 'admin', active = true, expires_at = NULL, updated_at = now()
""")
_NAMED: Final = text("""
SELECT definition -> 'identity' -> 'administrator' ->> 'email' FROM directory.tenants WHERE slug = :slug
""")
_OURS: Final = text("""
SELECT a.subject FROM directory.accounts a JOIN directory.memberships m ON m.subject = a.subject
JOIN directory.tenants t ON t.id = m.tenant_id
WHERE t.slug = :slug AND m.role = 'admin' AND m.active AND a.subject = :subject
""")


class Bench(Protocol):
    """What an invitation works with."""

    @property
    def reached(self) -> Reached:
        """Called at each named point."""
        ...

    async def in_database(self, act: Callable[[Connection], R]) -> R:
        """One transaction of the owner."""
        ...


async def invite_first(bench: Bench, people: People, person: AdministratorPart, place: tuple[str, str | None]) -> bool:
    """Do it, and say whether Keycloak could send its e-mail. place: ids of the hospital and of its organization.

    Rights come last. That we are about to make an account is written down before it is made: a run that was cut off
    in between then knows the account for ours. Raises `Conflict` for an account that somebody has closed, Unavailable.
    """
    tenant_id, organization_id = place
    account, ours = await _account(bench, people, person, tenant_id)
    if not account.enabled:
        raise Conflict("account-closed", f"The account of {person.email} is closed at the identity provider.")
    if organization_id is None:
        raise Conflict("hospital-without-organization", "This hospital has no organization at the identity provider.")
    await people.join(organization_id, account.subject)
    bench.reached("apply-administrator-joined")
    mailed = await people.send_link(account.subject, ACTIONS) if ours else True
    bench.reached("apply-administrator-mailed")

    def grant(connection: Connection) -> None:
        connection.execute(_GRANT, {"id": tenant_id, "subject": account.subject, "name": person.name})
        note_event(connection, tenant_id, _INVITED, {"subject": account.subject, "mailed": mailed and ours})

    await bench.in_database(grant)
    bench.reached("apply-administrator-granted")
    return mailed


async def _account(bench: Bench, people: People, person: AdministratorPart, tenant_id: str) -> tuple[Account, bool]:
    """The account, and whether the platform made it for this hospital."""
    asked = {"id": tenant_id, "event": _BEGUN}
    found = await people.find(person.email)
    begun = await bench.in_database(lambda connection: bool(connection.scalar(_WAS_BEGUN, asked)))
    if found is None:
        if not begun:
            await bench.in_database(lambda connection: note_event(connection, tenant_id, _BEGUN, {}))
        bench.reached("apply-administrator-begun")
        found, _ = await people.find_or_make(NewAccount(person.email, person.name, ACTIONS))
        bench.reached("apply-administrator-made")
    elif not begun:
        return found, False
    made = {"subject": found.subject, "id": tenant_id}
    await bench.in_database(lambda connection: connection.execute(_MADE, made))
    return found, True


def password_for(settings: Settings, slug: str) -> str:
    """A password for the first administrator that a hospital was made with, to be changed at the first sign-in.

    Raises `NotFound` for a hospital that names nobody, and unless the platform made the account; Unavailable.
    """
    engine = owner_engine(settings.database.owner_url)
    with engine.connect() as connection:
        email = connection.scalar(_NAMED, {"slug": slug})
    if email is None:
        raise NotFound("administrator-unknown", f"There is no hospital {slug} that names an administrator.")
    people = People(Realm(settings.identity))
    account = asyncio.run(people.find(email))
    asked = {"slug": slug, "subject": account.subject if account else ""}
    with engine.connect() as connection:
        ours = connection.scalar(_OURS, asked)
    if account is None or ours is None:
        raise NotFound("account-not-ours", f"The platform made no account of {email} for {slug}.")
    return asyncio.run(people.one_time_password(account.subject))
