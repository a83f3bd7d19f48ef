"""A cell: what a cluster of hospitals shares. Hospitals may put rows in for themselves and read nothing here."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from emr.db.tables.tenant import Xid8

metadata = MetaData(schema="cell")

_now = text("now()")

outbox = Table(
    "outbox",
    metadata,
    Column("seq", BigInteger, Identity(always=True), primary_key=True),
    Column("tenant", Text, nullable=False, comment="the hospital's schema name"),
    Column("type", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=_now),
    Column("batch", BigInteger, comment="the delivery that has claimed it"),
    Column("error", Text, comment="why it cannot be delivered; set aside until somebody replays it"),
    Index("outbox_unclaimed", "seq", postgresql_where=text("batch IS NULL AND error IS NULL")),
    Index("outbox_error", "seq", postgresql_where=text("error IS NOT NULL")),
    Index("outbox_batch", "batch", postgresql_where=text("batch IS NOT NULL")),
)

batches = Table(
    "batches",
    metadata,
    Column("destination", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, comment="the transaction version written with the commit"),
    Column("state", Text, nullable=False, comment="claimed | delivered"),
    Column("rows", Integer, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=_now),
    Column("delivered_at", DateTime(timezone=True)),
    Column("table_version", BigInteger),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("error", Text),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("destination", Text, primary_key=True),
    Column("tenant", Text, primary_key=True),
    Column("type", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("batch", BigInteger, nullable=False),
    Column("table_version", BigInteger, comment="the destination's own version that holds it"),
    Column("delivered_at", DateTime(timezone=True), nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("name", Text, primary_key=True, comment="what is leased: a relay, a hospital's sealing, a schedule"),
    Column("holder", Text, nullable=False, server_default=""),
    Column("fence", BigInteger, nullable=False, server_default=text("0"), comment="grows by one with each new holder"),
    Column("leased_until", DateTime(timezone=True), nullable=False, server_default=text("'-infinity'")),
    Column("state", JSONB, nullable=False, server_default=text("'{}'")),
)

audit_journal = Table(
    "audit_journal",
    metadata,
    Column("seq", BigInteger, Identity(always=True), primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("row", Text, nullable=False, comment="canonical JSON; its UTF-8 bytes are what a seal covers"),
    Index("audit_journal_tenant", "tenant", "seq"),
)

subscribers = Table(
    "subscribers",
    metadata,
    Column("tenant", Text, primary_key=True, comment="the hospital's schema name"),
    Column("id", Text, primary_key=True, comment="of its Subscription"),
    Column("type", Text, nullable=False, comment="resource type that it is about"),
    Column("state", Text, nullable=False, comment="requested | active | error; one that is off has no row"),
    Column("owner", Text, nullable=False, comment="subject of the membership that it speaks for"),
    Column("headers", LargeBinary, comment="sealed: what the endpoint wants to be told with each call"),
    Column("xid", Xid8, nullable=False, server_default=text("pg_current_xact_id()")),
    Column("last_number", BigInteger, nullable=False, server_default=text("0")),
    Column("delivered_number", BigInteger, nullable=False, server_default=text("0")),
    Column("sending_id", Text, comment="of the notification under way; a retry carries the same"),
    Column("sending_to", BigInteger, comment="the last event of the notification under way"),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("failing_since", DateTime(timezone=True)),
    Column("reason", Text, comment="stable code of the last failure"),
    Column("sent_at", DateTime(timezone=True), comment="when the endpoint last took something"),
    Column("due_at", DateTime(timezone=True), nullable=False, server_default=_now),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=_now),
    Index("subscribers_type", "tenant", "type"),
    Index("subscribers_due", "due_at"),
)

notices = Table(
    "notices",
    metadata,
    Column("seq", BigInteger, Identity(always=True), primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("xid", Xid8, nullable=False, server_default=text("pg_current_xact_id()")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=_now),
    Index("notices_tenant", "tenant", "seq"),
)

events = Table(
    "events",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("subscription", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, comment="from 1 without a gap"),
    Column("type", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("verb", Text, nullable=False, comment="create | update | delete"),
    Column("at", DateTime(timezone=True), nullable=False, comment="when the version was written"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=_now),
    Index("events_version", "tenant", "subscription", "type", "id", "version", unique=True),
)

migrations_status = Table(
    "migrations_status",
    metadata,
    Column("schema", Text, primary_key=True),
    Column("revision", Text, nullable=False),
    Column("migrated_at", DateTime(timezone=True), nullable=False, server_default=_now),
    Column("error", Text),
    Column("revision_from", Text, nullable=False, server_default=text("''")),
    Column("attempts", Integer, nullable=False, server_default=text("1")),
    Column("seconds", Double, comment="of the last attempt"),
)

__all__ = [
    "audit_journal",
    "batches",
    "deliveries",
    "events",
    "jobs",
    "metadata",
    "migrations_status",
    "notices",
    "outbox",
    "subscribers",
]
