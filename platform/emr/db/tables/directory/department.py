"""What the department keeps of the fleet: who may look, figures of hospitals, what waits for a second person, what is
announced.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from emr.db.tables.directory.columns import metadata, now
from emr.db.tables.directory.hospitals import tenants

operators = Table(
    "operators",
    metadata,
    Column("subject", Text, primary_key=True, comment="the provider's `sub`"),
    Column("role", Text, nullable=False, comment="ops | auditor"),
    Column("kind", Text, nullable=False, server_default=text("'person'"), comment="person | machine"),
    Column("name", Text, nullable=False),
    Column("active", Boolean, nullable=False, server_default=text("true")),
    Column("granted_by", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=now),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=now),
    CheckConstraint("kind = 'person' OR role = 'auditor'", name="operators_machines_look"),
)

traffic = Table(
    "traffic",
    metadata,
    Column("tenant_id", Text, ForeignKey(tenants.c.id), primary_key=True),
    Column("at", DateTime(timezone=True), primary_key=True, index=True, comment="begin of the five minutes"),
    Column("requests", BigInteger, nullable=False),
    Column("errors", BigInteger, nullable=False, comment="answers of the class 5xx"),
    Column("buckets", ARRAY(BigInteger), nullable=False, comment="requests by how long they took; last: longer"),
)

usage = Table(
    "usage",
    metadata,
    Column("tenant_id", Text, ForeignKey(tenants.c.id), primary_key=True),
    Column("day", Date, primary_key=True, comment="UTC"),
    Column("storage_bytes", BigInteger, nullable=False, comment="lasting content, as it was last seen that day"),
    Column("users", Integer, nullable=False),
    Column("measured_at", DateTime(timezone=True), nullable=False),
)

cell_state = Table(
    "cell_state",
    metadata,
    Column("cell", Text, primary_key=True),
    Column("anchored_at", DateTime(timezone=True), comment="when the newest anchor was written; null: none is known"),
    Column("told_at", DateTime(timezone=True), nullable=False, comment="when a worker last looked"),
)

proposals = Table(
    "proposals",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant_id", Text, ForeignKey(tenants.c.id), nullable=False, index=True),
    Column("before", Text, nullable=False, comment="state in which it was proposed"),
    Column("wanted", Text, nullable=False, comment="state that is proposed"),
    Column("reason", Text, nullable=False),
    Column("proposed_by", Text, nullable=False, comment="subject"),
    Column("proposed_by_name", Text, nullable=False),
    Column("proposed_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("decided_by", Text, comment="subject; null: nobody has, or it lapsed"),
    Column("decided_by_name", Text),
    Column("decided_at", DateTime(timezone=True)),
    Column("outcome", Text, comment="approved | declined | withdrawn | lapsed"),
    CheckConstraint("outcome <> 'approved' OR decided_by <> proposed_by", name="proposals_second_person"),
    Index("proposals_open", "tenant_id", unique=True, postgresql_where=text("decided_at IS NULL")),
)

announcements = Table(
    "announcements",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False, comment="notice | maintenance"),
    Column("vi", Text, nullable=False),
    Column("en", Text, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("until", DateTime(timezone=True), nullable=False),
    Column("hospitals", ARRAY(Text), nullable=False, comment="ids; none: all"),
    Column("written_by", Text, nullable=False, comment="subject"),
    Column("written_by_name", Text, nullable=False),
    Column("written_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True), comment="taken back before its time"),
    Column("ended_by", Text, comment="subject"),
    Column("ended_by_name", Text),
    CheckConstraint("until > since", name="announcements_span"),
    Index("announcements_until", "until", postgresql_where=text("ended_at IS NULL")),
)
