"""What the day's work leaves: requests answered once, jobs, grants and holds."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from emr.db.tables.tenant.columns import instant, metadata, now

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("principal", Text, primary_key=True),
    Column("route", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_digest", LargeBinary, nullable=False),
    Column("status", Integer, nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=now),
    Index("idempotency_keys_created", "created_at"),
)

bulk_jobs = Table(
    "bulk_jobs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False, comment="export | import | upload"),
    Column("state", Text, nullable=False, comment="waiting | running | done | failed | ending | forgotten"),
    Column("subject", Text, nullable=False, comment="whose job it is; nobody else finds it"),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False, comment="the role at the kick-off, whose sight the job has"),
    Column("request", Text, nullable=False, comment="the address of the kick-off"),
    Column("asked", JSONB, nullable=False, comment="what is wanted"),
    Column("moment", DateTime(timezone=True), nullable=False, comment="transactionTime of an export"),
    Column("snapshot", Text, nullable=False, comment="pg_snapshot of that moment: what the export shows"),
    Column("progress", JSONB, nullable=False, comment="how far the pieces have come"),
    Column("files", JSONB, nullable=False, comment="role, type, blob, lines and size of each file"),
    Column("attempts", Integer, nullable=False, server_default=text("0"), comment="of the piece that is next"),
    Column("error", Text),
    Column("runner", BigInteger, nullable=False, server_default=text("0"), comment="fence of the worker that has it"),
    Column("not_before", DateTime(timezone=True), nullable=False, server_default=now),
    Column("polled_at", DateTime(timezone=True)),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=now),
    Column("finished_at", DateTime(timezone=True)),
    Index("bulk_jobs_open", "not_before", "id", postgresql_where=text("state IN ('waiting', 'running')")),
    Index("bulk_jobs_moment", "moment", postgresql_where=text("kind = 'export'")),
)

grants = Table(
    "grants",
    metadata,
    Column("id", Text, primary_key=True),
    Column("patient", Text, nullable=False, comment="id of the Patient; *: everybody"),
    Column("grantee", Text, nullable=False, comment="subject:…, practitioner:…, ward:…"),
    Column(
        "basis", Text, nullable=False, comment="encounter | appointment | referral | author | break-glass | support"
    ),
    Column("source", Text, nullable=False, comment="type/id of the resource that says so; empty: a person did"),
    instant("since"),
    Column("until", DateTime(timezone=True), comment="NULL: open"),
    Column("granted_by", Text, nullable=False, comment="subject of who wrote the source, or gave the grant"),
    Column("detail", JSONB, nullable=False, server_default=text("'{}'")),
    Column("reviewed_at", DateTime(timezone=True)),
    Column("reviewed_by", Text, comment="subject"),
    Column("verdict", Text, comment="justified | not-justified"),
    Column("finding", Text, comment="the review in words"),
    Index("grants_grantee", "grantee", "patient"),
    Index("grants_source", "source"),
    Index("grants_given", "basis", "since", postgresql_where=text("basis IN ('break-glass', 'support')")),
)

retention_holds = Table(
    "retention_holds",
    metadata,
    Column("id", Text, primary_key=True),
    Column("patient", Text, nullable=False, comment="id of the Patient; *: the whole record"),
    Column("reason", Text, nullable=False, comment="whose order it is, and its number"),
    Column("placed_by", Text, nullable=False, comment="subject"),
    instant("placed_at"),
    Column("released_at", DateTime(timezone=True), comment="NULL: it stands"),
    Column("released_by", Text, comment="subject"),
    Column("release_reason", Text),
)
