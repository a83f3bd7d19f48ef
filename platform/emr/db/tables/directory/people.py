"""Who belongs to a hospital, what it knows of their accounts, and who confirmed it."""

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from emr.db.tables.directory.columns import metadata, now
from emr.db.tables.directory.hospitals import tenants

memberships = Table(
    "memberships",
    metadata,
    Column("tenant_id", Text, ForeignKey(tenants.c.id), primary_key=True),
    Column("subject", Text, primary_key=True, comment="the provider's `sub`, or a machine client's id"),
    Column("role", Text, nullable=False),
    Column("name", Text, nullable=False, server_default=""),
    Column("active", Boolean, nullable=False, server_default=text("true")),
    Column("granted_by", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=now),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=now),
    Column("duties", ARRAY(Text), nullable=False, server_default=text("'{}'"), comment="beside the role: `privacy`"),
    Column("wards", ARRAY(Text), nullable=False, server_default=text("'{}'"), comment="ids of Locations"),
    Column("clearances", ARRAY(Text), nullable=False, server_default=text("'{}'"), comment="labels that may be seen"),
    Column("practitioner", Text, comment="id of the Practitioner and PractitionerRole"),
    Column("expires_at", DateTime(timezone=True), comment="from then on it is none; null: until it is taken away"),
    Column("seen_on", Date, comment="last use"),
    Column(
        "scopes",
        ARRAY(Text),
        nullable=False,
        server_default=text("'{}'"),
        comment="SMART scopes that limit a machine's role; none: no limit",
    ),
    Index("memberships_subject", "subject"),
)

accounts = Table(
    "accounts",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("made_for", Text, ForeignKey(tenants.c.id), nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False, server_default=now),
    Column(
        "closing",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="the provider has not been told yet that the last membership is over",
    ),
)

machine_clients = Table(
    "machine_clients",
    metadata,
    Column("tenant_id", Text, ForeignKey(tenants.c.id), primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("client_id", Text, nullable=False, unique=True),
    Column("jwks_url", Text, nullable=False, comment="public keys; empty: it has a secret"),
    Column("registration_token", LargeBinary, nullable=False, comment="sealed"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=now),
    Column("rotated_at", DateTime(timezone=True), nullable=False, server_default=now),
    Column("removed_at", DateTime(timezone=True)),
)

access_reviews = Table(
    "access_reviews",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant_id", Text, ForeignKey(tenants.c.id), nullable=False),
    Column("opened_at", DateTime(timezone=True), nullable=False, server_default=now),
    Column("opened_by", Text, nullable=False),
    Column("closed_at", DateTime(timezone=True)),
    Column("closed_by", Text),
    Index("access_reviews_tenant", "tenant_id", "opened_at"),
    Index("access_reviews_open", "tenant_id", unique=True, postgresql_where=text("closed_at IS NULL")),
)

access_review_lines = Table(
    "access_review_lines",
    metadata,
    Column("review_id", Text, ForeignKey(access_reviews.c.id), primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("duties", ARRAY(Text), nullable=False),
    Column("seen_on", Date),
    Column("decision", Text, comment="`kept` or `removed`"),
    Column("decided_at", DateTime(timezone=True)),
    Column("decided_by", Text, comment="subject"),
    Column("decided_by_name", Text),
)
