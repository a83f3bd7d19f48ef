"""What the demo does before it serves: logins, migrations, hospitals from their files, members.

Uses the platform's own verbs; only the organizations come from the demo's provider, whose ids follow from the slugs.
"""

from collections.abc import Sequence

from emr.db.pools import RolePool, databases
from emr.fleet import migration, operators
from emr.fleet.applying import apply
from emr.fleet.files import read_hospitals
from emr.identity.memberships import Membership, Memberships
from emr.identity.operators import Operator
from emr.settings import Settings
from emr.tenancy.definition import HospitalFile
from emr.tenancy.registry import Registry
from emr_demo.folder import Databases
from emr_demo.postgres import Cluster
from emr_demo.provider.people import Hospital, accounts, hospital, organization_id

_DATABASE = "emr"
_SERVICE, _OWNER = "emr_app", "emr_owner"
_GRANTED_BY = "emr demo"


class OnboardingFailed(Exception):
    """A schema or a hospital could not be brought to where it should be."""


def make_logins(cluster: Cluster) -> Databases:
    """The owner, the powerless login of the service, and the database. Safe to repeat."""
    cluster.create_login(_OWNER, options="CREATEROLE")
    cluster.create_login(_SERVICE, options="NOINHERIT")
    cluster.create_database(_DATABASE, owner=_OWNER)
    return Databases(
        service=cluster.url(role=_SERVICE, database=_DATABASE), owner=cluster.url(role=_OWNER, database=_DATABASE)
    )


def provider_hospitals(settings: Settings) -> tuple[Hospital, ...]:
    """The hospitals of the files as the demo's provider knows them."""
    return tuple(hospital(one.slug, one.name) for one in read_hospitals(settings.tenants))


def make_hospitals(settings: Settings) -> None:
    """Migrate everything, then make the world as the hospitals' files say. Raises OnboardingFailed, FilesBroken."""
    _demand([f"{step.target}: {step.error}" for step in migration.migrate(settings.database) if step.error])
    outcomes = apply(settings, _organization)
    _demand([f"{outcome.slug}: {outcome.error}" for outcome in outcomes if outcome.error])


def make_operators(settings: Settings) -> None:
    """The department's accounts may open its console."""
    for account in accounts(()):
        if account.hospital is None:
            operators.grant(
                settings.database, Operator(account.subject, account.role, "person", account.name), _GRANTED_BY
            )


async def make_members(settings: Settings) -> None:
    """Every account of the demo becomes a member of its hospital, in its role."""
    pools = databases(settings.database)
    await pools.directory.open()
    try:
        await _grant_all(pools.directory, provider_hospitals(settings))
    finally:
        await pools.directory.close()


async def _grant_all(directory: RolePool, hospitals: Sequence[Hospital]) -> None:
    registry, memberships = Registry(directory), Memberships(directory)
    await registry.refresh()
    for account in accounts(hospitals):
        for place in account.hospitals:
            tenant = registry.by_slug(place.alias)
            membership = Membership(
                tenant.id,
                account.subject,
                account.role,
                account.name,
                duties=account.duties,
                wards=account.wards,
                practitioner=account.practitioner,
            )
            await memberships.grant(membership, granted_by=_GRANTED_BY)


def _organization(hospital_file: HospitalFile, known: str | None) -> str:
    return known or organization_id(hospital_file.slug)


def _demand(faults: Sequence[str]) -> None:
    if faults:
        raise OnboardingFailed("; ".join(faults))
