"""Machine clients (LIS, HIS, PACS, warehouse): verbs on our rows, and the steps around the identity provider.

A new secret replaces the old one at once. Who needs both for a while proves itself with keys: a published key set may
hold the old and the new one together.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from emr.administration.policy import NewMachine
from emr.identity.administration import Administered
from emr.identity.machine_clients import MachineClient, MachineClients
from emr.identity.machines import Machine, Registered
from emr.identity.memberships import Membership, Memberships
from emr.identity.principal import MACHINE_ROLES
from emr.kernel.errors import Conflict, NotFound, Refusal, Unavailable
from emr.subscriptions.addresses import Fence
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case
from emr.work.visit import Visit


@dataclass(frozen=True, slots=True)
class Connected:
    """A machine client and its secret, to be shown once; "" for one that signs with keys of its own."""

    client_id: str
    name: str
    secret: str = field(repr=False)


@use_case("member:manage", "machines.listed")
async def list_machines(work: UnitOfWork) -> Sequence[MachineClient]:
    """The hospital's machine clients, those in use first."""
    return await _clients(work).list(work.tenant.id)


@use_case("member:manage", "machine.read")
async def get_machine(work: UnitOfWork, subject: str) -> MachineClient:
    """One of them. Raises NotFound."""
    return await _clients(work).get(work.tenant.id, subject)


@use_case("member:manage", "machine.connection-begun")
async def begin_connection(work: UnitOfWork) -> None:
    """Raises Conflict for a hospital without an organization."""
    if work.tenant.organization_id is None:
        raise Conflict("hospital-without-organization", "This hospital has no organization at the identity provider.")


@use_case("member:manage", "machine.connected")
async def add_machine(work: UnitOfWork, machine: Machine, made: Registered, wanted: NewMachine) -> None:
    """Make a registered client a member."""
    member = Membership(work.tenant.id, made.subject, wanted.role, wanted.name, scopes=wanted.scopes)
    await Memberships(work.runtime.databases.directory, work.clock).grant(member, granted_by=work.principal.subject)
    await _clients(work).add(
        work.tenant.id, made.subject, client_id=machine.client_id, jwks_url=machine.jwks_url, token=made.token
    )
    work.trail.note(subject=made.subject, role=wanted.role, scopes=sorted(wanted.scopes))


@use_case("member:manage", "machine.rotation-begun")
async def begin_rotation(work: UnitOfWork, subject: str) -> MachineClient:
    """Raises NotFound, Conflict for a client that is not in use or has no secret."""
    found = await _clients(work).get(work.tenant.id, subject)
    if not found.active or found.jwks_url:
        raise Conflict("machine-without-secret", "Only a client in use that has a secret gets a new one.")
    work.trail.note(subject=subject)
    return found


@use_case("member:manage", "machine.rotated")
async def note_rotation(work: UnitOfWork, subject: str) -> None:
    """The old secret is over."""
    work.trail.note(subject=subject)
    await _clients(work).rotated(work.tenant.id, subject)


@use_case("member:manage", "machine.removed")
async def end_machine(work: UnitOfWork, subject: str) -> MachineClient | None:
    """End the membership at once; one that has ended stays so. The client, None for one of the operator's own making.

    Raises NotFound.
    """
    kept = Memberships(work.runtime.databases.directory, work.clock)
    member = await kept.get(work.tenant.id, subject)
    if member.role not in MACHINE_ROLES:
        raise NotFound("machine-unknown", "There is no such machine client.")
    if member.active:
        await kept.revoke(work.tenant.id, subject, revoked_by=work.principal.subject)
    work.trail.note(subject=subject, role=member.role)
    return next((each for each in await _clients(work).list(work.tenant.id) if each.subject == subject), None)


async def connect(visit: Visit, at: Administered, wanted: NewMachine) -> Connected:
    """Register a client, put it into the organization, make it a member; `begin_connection` came before.

    Raises EndpointRefused, Unavailable.
    """
    if wanted.jwks_url:
        # Keycloak fetches the keys: from a public https address, or one that the hospital's file lists.
        Fence(visit.tenant.receivers).demand(wanted.jwks_url)
    client_id = f"{wanted.role}-{visit.tenant.slug}-{secrets.token_hex(3)}"
    machine = Machine(client_id, wanted.name, wanted.jwks_url)
    made = await at.machines.register(machine, visit.tenant.organization_id or "")
    try:
        async with visit.begin() as work:
            await add_machine(work, machine, made, wanted)
    except Refusal:
        await at.machines.remove(client_id, made.token)
        raise
    return Connected(client_id, wanted.name, made.secret)


async def rotate(visit: Visit, at: Administered, subject: str) -> Connected:
    """Another secret; the old one is over at once, and tokens that it brought within their two minutes."""
    async with visit.begin() as work:
        found = await begin_rotation(work, subject)
    secret = await at.machines.change(Machine(found.client_id, found.name), found.token)
    async with visit.begin() as work:
        await note_rotation(work, subject)
    return Connected(found.client_id, found.name, secret)


async def remove(visit: Visit, at: Administered, subject: str) -> bool:
    """End the membership at once, then remove the client; whether the provider did. Raises NotFound."""
    async with visit.begin() as work:
        found = await end_machine(work, subject)
    if not at.possible or found is None:
        return True
    try:
        await at.machines.remove(found.client_id, found.token)
    except Unavailable:
        return False
    await _rows(visit).removed(visit.tenant.id, subject)
    return True


def _clients(work: UnitOfWork) -> MachineClients:
    settings = work.runtime.settings
    return MachineClients(work.runtime.databases.directory, settings.keys.sealing.get_secret_value())


def _rows(visit: Visit) -> MachineClients:
    return MachineClients(visit.runtime.databases.directory, visit.runtime.settings.keys.sealing.get_secret_value())
