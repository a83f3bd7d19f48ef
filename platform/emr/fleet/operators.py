"""`emr operators …`: who works for the department. Runs as the owner of the tables; the service only reads them."""

import getpass
import json
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from emr.audit.rows import AuditRow
from emr.db.migrate import owner_engine
from emr.identity.operators import Operator
from emr.identity.principal import DEPARTMENT_ROLES, Kind, Principal
from emr.kernel.clock import utc_now
from emr.kernel.errors import Invalid, NotFound, Refusal
from emr.kernel.ids import uuid7
from emr.settings import Database, Settings
from emr.work.command import told
from emr.work.starting import refuse

_GRANT: Final = text("""
INSERT INTO directory.operators (subject, role, kind, name, granted_by) VALUES (:subject, :role, :kind, :name, :by)
ON CONFLICT (subject) DO UPDATE SET role = excluded.role, kind = excluded.kind, name = excluded.name, active = true,
  granted_by = excluded.granted_by, updated_at = now()
WHERE (operators.role, operators.kind, operators.name, operators.active)
  IS DISTINCT FROM (excluded.role, excluded.kind, excluded.name, true)
RETURNING subject
""")
_REVOKE: Final = text("""
UPDATE directory.operators SET active = false, granted_by = :by, updated_at = now()
WHERE subject = :subject AND active RETURNING role
""")
_LIST: Final = text("""
SELECT subject, role, kind, name, active, granted_by, updated_at::text AS since FROM directory.operators
ORDER BY active DESC, role, name
""")
_AUDIT: Final = text("INSERT INTO directory.audit_journal (at, row) VALUES (:at, :row)")

operators = typer.Typer(no_args_is_help=True, help="Who works for the department and may open its console.")
Subject = Annotated[str, typer.Argument(help="The identity provider's id of the account (`sub`).")]
By = Annotated[str, typer.Option("--by", help="Who decides it; the account on this machine unless said.")]


def grant(settings: Database, operator: Operator, by: str) -> bool:
    """Make somebody an operator, or change what they are; whether anything changed. Raises `Invalid`."""
    if operator.role not in DEPARTMENT_ROLES:
        raise Invalid("role-unknown", f"A role is one of {', '.join(DEPARTMENT_ROLES)}.", location="role")
    if operator.kind == "machine" and operator.role != "auditor":
        raise Invalid("machine-looks-only", "A machine of the department is an auditor: it looks.", location="role")
    if not operator.subject.strip() or not operator.name.strip():
        raise Invalid("name-needed", "An operator has an account's id and a name.", location="name")
    told_of = {"subject": operator.subject, "role": operator.role, "kind": operator.kind}
    values = told_of | {"name": operator.name, "by": by}
    with owner_engine(settings.owner_url).begin() as connection:
        changed = connection.execute(_GRANT, values).first() is not None
        if changed:
            row = _row("operator.granted", by, told_of)
            connection.execute(_AUDIT, {"at": row.at, "row": row.canonical()})
    return changed


def revoke(settings: Database, subject: str, by: str) -> None:
    """From the next request on somebody is no operator any more. Raises `NotFound`."""
    with owner_engine(settings.owner_url).begin() as connection:
        found = connection.execute(_REVOKE, {"subject": subject, "by": by}).first()
        if found is None:
            raise NotFound("operator-unknown", f"There is no operator {subject}; see `emr operators list`.")
        row = _row("operator.revoked", by, {"subject": subject, "role": found.role})
        connection.execute(_AUDIT, {"at": row.at, "row": row.canonical()})


@operators.command("grant")
def grant_command(
    subject: Subject,
    role: Annotated[str, typer.Option(help=f"One of {', '.join(DEPARTMENT_ROLES)}; an auditor only looks.")],
    name: Annotated[str, typer.Option(help="How the console and the trail call them.")],
    *,
    machine: Annotated[bool, typer.Option("--machine", help="A program with a service account.")] = False,
    by: By = "",
) -> None:
    """Make an account an operator of the department, or change what it is."""
    kind: Kind = "machine" if machine else "person"
    try:
        changed = grant(Settings().database, Operator(subject, role, kind, name), by or getpass.getuser())
    except Refusal as refusal:
        refuse(told(refusal))
    typer.echo(f"{name} is {role}." if changed else f"{name} is {role} already.")


@operators.command("revoke")
def revoke_command(subject: Subject, *, by: By = "") -> None:
    """Take it away; it counts no more from the next request on."""
    try:
        revoke(Settings().database, subject, by or getpass.getuser())
    except Refusal as refusal:
        refuse(told(refusal))
    typer.echo(f"{subject} is no operator any more.")


@operators.command("list")
def list_command(*, as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False) -> None:
    """Everybody who is or was one."""
    with owner_engine(Settings().database.owner_url).connect() as connection:
        rows = [dict(row) for row in connection.execute(_LIST).mappings()]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    if not rows:
        typer.echo("There is no operator yet: emr operators grant SUBJECT --role ops --name NAME")
        return
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console().print(table)


def _row(action: str, by: str, detail: dict[str, str]) -> AuditRow:
    principal = Principal(subject=f"operator:{by}", name=by, role="ops", kind="person", tenant_id=None)
    return AuditRow(
        tenant=None, at=utc_now(), action=action, outcome="success", principal=principal, request_id=uuid7(),
        detail=detail,
    )  # fmt: skip
