"""Which hospitals there are, what was done to them, their keys, whom they let in, how their border stands."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from emr.db.tables.directory.columns import metadata, now

tenants = Table(
    "tenants",
    metadata,
    Column("id", Text, primary_key=True, comment="UUIDv7; never reused"),
    Column("slug", Text, nullable=False, unique=True),
    Column("schema", Text, nullable=False, unique=True, comment="schema, role, object prefix and audit stream at once"),
    Column("cell", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("state_reason", Text, nullable=False, server_default="", comment="for everybody to read"),
    Column("state_since", DateTime(timezone=True), nullable=False, server_default=now),
    Column("definition", JSONB, nullable=False, comment="the hospital's file, as JSON"),
    Column("managed_by", Text, nullable=False),
    Column("organization_id", Text, comment="the identity provider's own id of the organization"),
    Column("index_key", LargeBinary, nullable=False, comment="16 bytes that key the hashes of the search index"),
    Column("revision", Text, nullable=False, server_default="", comment="migration that the schema stands at"),
    Column(
        "served_from",
        Text,
        nullable=False,
        server_default="",
        comment="the oldest build, by its newest migration, that serves the schema as it stands",
    ),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=now),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=now),
    Column("moving_since", DateTime(timezone=True), comment="on its way to another cell: nothing is written meanwhile"),
)

moves = Table(
    "moves",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant_id", Text, ForeignKey(tenants.c.id), nullable=False),
    Column("source", Text, nullable=False, comment="the cell that it leaves"),
    Column("target", Text, nullable=False, comment="the cell that it comes to"),
    Column("phase", Text, nullable=False, comment="copying | closed | flipped | done | undone"),
    Column("actor", Text, nullable=False),
    Column("begun_at", DateTime(timezone=True), nullable=False, server_default=now),
    Column("closed_at", DateTime(timezone=True), comment="from when on nothing could be written"),
    Column("opened_at", DateTime(timezone=True), comment="from when on everything could again"),
    Column("checked", JSONB, nullable=False, server_default=text("'{}'"), comment="by table rows and sum of hashes"),
    Column("keep_until", DateTime(timezone=True), comment="the old copy is not dropped before"),
    Column("dropped_at", DateTime(timezone=True), comment="the old copy is gone, or is the hospital again"),
    Index("moves_tenant", "tenant_id", "begun_at"),
    Index("moves_open", "tenant_id", unique=True, postgresql_where=text("phase IN ('copying', 'closed', 'flipped')")),
)

tenant_events = Table(
    "tenant_events",
    metadata,
    Column("number", BigInteger, Identity(always=True), primary_key=True),
    Column("tenant_id", Text, ForeignKey(tenants.c.id), nullable=False, index=True),
    Column("at", DateTime(timezone=True), nullable=False, server_default=now),
    Column("actor", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("detail", JSONB, nullable=False),
)

keys = Table(
    "keys",
    metadata,
    Column("tenant_id", Text, ForeignKey(tenants.c.id), primary_key=True),
    Column("key_id", Text, primary_key=True),
    Column("wrapped", LargeBinary, nullable=False, comment="the data key under the master key"),
    Column("wrapping_key_id", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=now),
    Column("retired_at", DateTime(timezone=True)),
)

support_grants = Table(
    "support_grants",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant_id", Text, ForeignKey(tenants.c.id), nullable=False),
    Column("subject", Text, nullable=False, comment="who is let in"),
    Column("name", Text, nullable=False),
    Column("office", Text, nullable=False, comment="department | support"),
    Column("purpose", Text, nullable=False, comment="why, in words"),
    Column("scope", Text, nullable=False, comment="house | patient | patients"),
    Column("patient", Text, comment="id of the Patient, for the scope `patient`"),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("until", DateTime(timezone=True), nullable=False),
    Column("given_by", Text, nullable=False, comment="subject"),
    Column("given_by_name", Text, nullable=False),
    Column("ended_at", DateTime(timezone=True), comment="taken away before its time, or found to be over"),
    Column("ended_by", Text, comment="subject; null: it lapsed"),
    Column("ended_by_name", Text),
    Column("noted_at", DateTime(timezone=True), comment="seen by the privacy officer"),
    Column("noted_by", Text, comment="subject"),
    Column("noted_by_name", Text),
    Index("support_grants_tenant", "tenant_id", "since"),
    Index("support_grants_open", "tenant_id", "subject", unique=True, postgresql_where=text("ended_at IS NULL")),
    Index("support_grants_subject", "subject", postgresql_where=text("ended_at IS NULL")),
)

border_checks = Table(
    "border_checks",
    metadata,
    Column("tenant_id", Text, ForeignKey(tenants.c.id), primary_key=True),
    Column("number", BigInteger, primary_key=True, comment="from 1, gapless within the hospital"),
    Column("ended_at", DateTime(timezone=True), nullable=False),
    Column("result", Text, nullable=False, comment="canonical JSON; its UTF-8 bytes are what is signed"),
    Column("signature", LargeBinary, nullable=False, comment="Ed25519"),
    Column("key_id", Text, nullable=False),
)
