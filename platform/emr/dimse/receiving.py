"""What an association does with the record, on the asyncio side of the house."""

from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from emr.audit.rows import AuditRow
from emr.dimse.admission import Caller, Refused, device
from emr.imaging.actions.store import store_instances
from emr.imaging.actions.study import list_studies
from emr.imaging.parse import read_arrival
from emr.kernel.errors import HospitalSuspended, Refusal
from emr.kernel.ids import uuid7
from emr.kernel.tenant import Tenant
from emr.telemetry.activity import activity
from emr.telemetry.logs import get_logger
from emr.telemetry.spans import root_span
from emr.work.runtime import Runtime
from emr.work.unit import Request, refused, unit_of_work

LIST_EVERY = 30.0
"""Seconds after which a study that is still coming in is brought up to date in the record."""


@dataclass(slots=True)
class Visit:
    """One association that was let in. behind: studies whose ImagingStudy does not yet speak of all instances."""

    tenant: Tenant
    calling: str
    behind: set[str] = field(default_factory=set)
    listed_at: float = field(default_factory=monotonic)


async def receive(runtime: Runtime, visit: Visit, path: Path) -> Refusal | None:
    """Keep one instance that lies at `path`. The refusal, when it is not kept; each has left an audit row."""
    request = Request(uuid7())
    principal = device(visit.tenant, visit.calling)
    with activity("c-store", hospital=visit.tenant.slug), root_span("c-store"):
        try:
            tenant = _now(runtime, visit.tenant)
            arrival = await read_arrival(path)
        except Refusal as refusal:
            row = refused(work_of=(visit.tenant, principal, request), refusal=refusal, at=runtime.clock())
            await runtime.audit.record(runtime.registry.by_schema(visit.tenant.schema).cell, [row])
            return refusal
        try:
            async with unit_of_work(runtime, tenant, principal, request) as work:
                due = monotonic() - visit.listed_at > LIST_EVERY
                [outcome] = await store_instances(work, [arrival], list_now=due)
                if outcome.refusal:
                    raise outcome.refusal
        except Refusal as refusal:
            return refusal
    study = arrival.parsed.facts.identity.study
    if due:
        visit.listed_at = monotonic()
        visit.behind.discard(study)
    else:
        visit.behind.add(study)
    return None


async def leave(runtime: Runtime, visit: Visit) -> None:
    """The association is over: bring the record up to what has come in."""
    tenant = runtime.registry.by_schema(visit.tenant.schema)
    if visit.behind and tenant.writable:
        studies, visit.behind = sorted(visit.behind), set()
        with activity("c-store", hospital=tenant.slug):
            async with unit_of_work(runtime, tenant, device(tenant, visit.calling)) as work:
                await list_studies(work, studies)


def _now(runtime: Runtime, tenant: Tenant) -> Tenant:
    """The hospital as it is at this moment: an association may outlast a state. Raises `HospitalSuspended`,
    `Forbidden` while it is read-only.
    """
    found = runtime.registry.by_schema(tenant.schema)
    if not found.open:
        raise HospitalSuspended(found.state_reason)
    found.demand_writable()
    return found


async def catch_up(runtime: Runtime) -> None:
    """Studies that a process left behind when it was stopped hard. A hospital whose cell does not answer, or that is on
    the move, holds up no other.
    """
    for tenant in runtime.registry.all():
        if tenant.ae_title and tenant.writable:
            try:
                async with unit_of_work(runtime, tenant, device(tenant, tenant.ae_title)) as work:
                    await list_studies(work)
            except Refusal as refusal:
                get_logger().warning("catching up failed", hospital=tenant.slug, code=refusal.code)


async def audit_refusal(runtime: Runtime, caller: Caller, refusal: Refused) -> None:
    """Leave a row for a device that was turned away, also when no hospital has its called title."""
    row = AuditRow(
        tenant=refusal.tenant.schema if refusal.tenant else None,
        at=runtime.clock(),
        action="dicom.refused",
        outcome="refused",
        principal=None,
        request_id=uuid7(),
        detail={
            "codes": [refusal.code],
            "called": caller.called[:16],
            "calling": caller.calling[:16],
            "address": caller.address,
        },
    )
    if refusal.tenant:
        await runtime.audit.record(refusal.tenant.cell, [row])
    else:
        await runtime.audit.record_directory([row])
