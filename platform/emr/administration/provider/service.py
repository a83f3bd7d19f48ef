"""The verbs on a hospital's own identity provider, and the steps around Keycloak."""

from emr.administration.policy import OwnProvider
from emr.administration.provider.discovery import discover
from emr.identity.administration import Administered
from emr.identity.brokers import Broker, Linked
from emr.kernel.errors import Conflict
from emr.subscriptions.addresses import Fence
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case
from emr.work.visit import Visit


@use_case("member:manage", "own-provider.read")
async def read_provider(work: UnitOfWork) -> str:
    """The organization's id; raises Conflict for a hospital without one."""
    if work.tenant.organization_id is None:
        raise Conflict("hospital-without-organization", "This hospital has no organization at the identity provider.")
    return work.tenant.organization_id


@use_case("member:manage", "own-provider.set")
async def note_set(work: UnitOfWork) -> None:
    """People of this hospital are sent to its own provider from now on."""


@use_case("member:manage", "own-provider.removed")
async def note_removed(work: UnitOfWork) -> None:
    """They are not any more."""


async def find_provider(visit: Visit, at: Administered) -> Linked:
    """The provider that is in use, or none yet. Raises Unavailable."""
    async with visit.begin() as work:
        organization_id = await read_provider(work)
    return await at.brokers.find(organization_id)


async def set_provider(visit: Visit, at: Administered, wanted: OwnProvider) -> None:
    """Look at the provider, then use it. Raises EndpointRefused, Invalid, Unavailable; then nothing has changed."""
    async with visit.begin() as work:
        organization_id = await read_provider(work)
    brokers = at.brokers
    endpoints = await discover(wanted.issuer, Fence(visit.tenant.receivers))
    broker = Broker(visit.tenant.name, endpoints, wanted.client_id, wanted.secret, wanted.domain)
    await brokers.set(organization_id, broker)
    async with visit.begin() as work:
        await note_set(work)


async def remove_provider(visit: Visit, at: Administered) -> None:
    """Take it away. Raises Unavailable."""
    async with visit.begin() as work:
        organization_id = await read_provider(work)
    await at.brokers.remove(organization_id)
    async with visit.begin() as work:
        await note_removed(work)
