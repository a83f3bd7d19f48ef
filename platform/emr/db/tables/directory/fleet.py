"""What is asked of the fleet and done by the owner's command, and how far hospitals are on their way to going live."""

from sqlalchemy import Boolean, CheckConstraint, Column, Date, DateTime, ForeignKey, Index, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from emr.db.tables.directory.columns import metadata, now
from emr.db.tables.directory.hospitals import tenants

fleet_requests = Table(
    "fleet_requests",
    metadata,
    Column("id", Text, primary_key=True, comment="UUIDv7"),
    Column("kind", Text, nullable=False, comment="onboard | reset-sandbox"),
    Column("slug", Text, nullable=False),
    Column("detail", JSONB, nullable=False, comment="onboard: the definition"),
    Column("asked_by", Text, nullable=False, comment="subject"),
    Column("asked_by_name", Text, nullable=False),
    Column("asked_at", DateTime(timezone=True), nullable=False, server_default=now),
    Column(
        "state", Text, nullable=False, server_default=text("'waiting'"), comment="waiting | running | done | failed"
    ),
    Column("progress", JSONB, nullable=False, server_default=text("'{}'"), comment="step, done, total, error, next"),
    Column("changed_at", DateTime(timezone=True), nullable=False, server_default=now),
    Column(
        "second",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="whether a second person must approve it first",
    ),
    Column("decided_by", Text, comment="subject; null: nobody has"),
    Column("decided_by_name", Text),
    Column("decided_at", DateTime(timezone=True)),
    Column("outcome", Text, comment="approved | declined | withdrawn"),
    CheckConstraint("outcome <> 'approved' OR decided_by <> asked_by", name="fleet_requests_second_person"),
    Index("fleet_requests_slug", "slug", "asked_at"),
    Index(
        "fleet_requests_open",
        "kind",
        "slug",
        unique=True,
        postgresql_where=text("state IN ('waiting', 'running')"),
    ),
)

golive_items = Table(
    "golive_items",
    metadata,
    Column("tenant_id", Text, ForeignKey(tenants.c.id, ondelete="CASCADE"), primary_key=True),
    Column("item", Text, primary_key=True, comment="code of the checklist's template"),
    Column("state", Text, nullable=False, comment="open | doing | done | not-needed"),
    Column("owner", Text, nullable=False, server_default=text("''"), comment="whose task it is, in words"),
    Column("due", Date),
    Column("note", Text, nullable=False, server_default=text("''")),
    Column(
        "evidence", JSONB, nullable=False, server_default=text("'[]'"), comment="files: key, name, type, size, at, by"
    ),
    Column("changed_at", DateTime(timezone=True), nullable=False, server_default=now),
    Column("changed_by", Text, nullable=False, comment="subject"),
    Column("changed_by_name", Text, nullable=False),
)
