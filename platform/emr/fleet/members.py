"""`emr members …`: who belongs to a hospital. A hospital's first administrator is made here; the rest is theirs."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from emr.db.pools import Databases
from emr.identity.memberships import Membership, Memberships
from emr.identity.principal import DUTIES, HOSPITAL_ROLES, MACHINE_ROLES
from emr.kernel.tenant import Tenant
from emr.tenancy.registry import Registry
from emr.work.command import with_registry
from emr.work.starting import refuse

R = TypeVar("R")

members = typer.Typer(no_args_is_help=True, help="Who belongs to a hospital, and in which role.")
Slug = Annotated[str, typer.Option("--tenant", help="The hospital's slug.")]
Subject = Annotated[str, typer.Argument(help="The identity provider's id of the account (`sub`).")]
_BY = "emr members"


@members.command("grant")
def grant(
    subject: Subject,
    tenant: Slug,
    role: Annotated[str, typer.Option(help=f"One of {', '.join((*HOSPITAL_ROLES, *MACHINE_ROLES))}.")],
    name: Annotated[str, typer.Option(help="How pages and the audit trail call the member.")],
    *,
    duty: Annotated[list[str] | None, typer.Option(help=f"Beside the role: {', '.join(DUTIES)}. Repeatable.")] = None,
    ward: Annotated[list[str] | None, typer.Option(help="Id of a Location where they work. Repeatable.")] = None,
    clearance: Annotated[list[str] | None, typer.Option(help="A label that they may see. Repeatable.")] = None,
    practitioner: Annotated[str | None, typer.Option(help="Id of their own Practitioner resource.")] = None,
    until: Annotated[datetime | None, typer.Option(help="When it ends by itself, in UTC.")] = None,
) -> None:
    """Make an account a member of a hospital, or change what it is there: what is not given is taken away."""
    if role not in (*HOSPITAL_ROLES, *MACHINE_ROLES):
        refuse(f"--role: {role} is not a role within a hospital.")

    async def act(kept: Memberships, hospital: Tenant) -> None:
        await kept.grant(
            Membership(
                hospital.id,
                subject,
                role,
                name,
                duties=frozenset(duty or ()),
                wards=frozenset(ward or ()),
                clearances=frozenset(clearance or ()),
                practitioner=practitioner,
                expires_at=None if until is None else until.replace(tzinfo=UTC),
            ),
            granted_by=_BY,
        )

    _with(tenant, act)
    typer.echo(f"{name} is {role} of {tenant}.")


@members.command("revoke")
def revoke(subject: Subject, tenant: Slug) -> None:
    """End a membership; it is over at the next request."""

    async def act(kept: Memberships, hospital: Tenant) -> None:
        await kept.revoke(hospital.id, subject, revoked_by=_BY)

    _with(tenant, act)
    typer.echo(f"The membership in {tenant} is over.")


@members.command("list")
def list_(tenant: Slug, *, as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False) -> None:
    """Every member of a hospital."""
    rows = [
        {
            "subject": each.subject,
            "role": each.role,
            "name": each.name,
            "active": each.active,
            "duties": sorted(each.duties),
            "wards": sorted(each.wards),
            "clearances": sorted(each.clearances),
            "practitioner": each.practitioner,
            "expires_at": None if each.expires_at is None else each.expires_at.isoformat(),
        }
        for each in _with(tenant, lambda kept, hospital: kept.list_members(hospital.id))
    ]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    table = Table("subject", "role", "name", "active", "duties", "wards", "clearances", "practitioner", "until")
    for row in rows:
        table.add_row(*map(_cell, row.values()))
    Console().print(table)


def _cell(value: object) -> str:
    if isinstance(value, list):
        return " ".join(value)
    return "" if value is None else str(value)


def _with(slug: str, act: Callable[[Memberships, Tenant], Awaitable[R]]) -> R:
    async def within(pools: Databases, registry: Registry) -> R:
        return await act(Memberships(pools.directory), registry.by_slug(slug))

    return with_registry(within)
