"""SMART apps, their launches and what they were given."""

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from emr.db.tables.directory.columns import metadata, now
from emr.db.tables.directory.hospitals import tenants

apps = Table(
    "apps",
    metadata,
    Column("id", Text, primary_key=True, comment="the client_id"),
    Column("tenant_id", Text, ForeignKey(tenants.c.id), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False, comment="public | confidential | asymmetric | service"),
    Column("redirect_uris", ARRAY(Text), nullable=False),
    Column("launch_uri", Text, comment="where it is opened from a chart"),
    Column("scopes", ARRAY(Text), nullable=False, comment="the most that it may ask for"),
    Column("secret_hash", LargeBinary, comment="SHA-256 of 256 random bits"),
    Column("jwks", JSONB, comment="its public keys"),
    Column("jwks_uri", Text, comment="where its public keys are"),
    Column("subject", Text, comment="of the membership that a service works as"),
    Column("active", Boolean, nullable=False, server_default=text("true")),
    Column("registered_by", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=now),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=now),
)

app_launches = Table(
    "app_launches",
    metadata,
    Column("launch_hash", LargeBinary, primary_key=True, comment="SHA-256 of the launch token"),
    Column("app", Text, ForeignKey(apps.c.id), nullable=False),
    Column("tenant_id", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("session_id", Text, nullable=False),
    Column("patient", Text, nullable=False, comment="id of the Patient whose chart was open"),
    Column("expires_at", DateTime(timezone=True), nullable=False, index=True),
)

app_grants = Table(
    "app_grants",
    metadata,
    Column("id", Text, primary_key=True),
    Column("app", Text, ForeignKey(apps.c.id), nullable=False, index=True),
    Column("tenant_id", Text, nullable=False),
    Column("subject", Text, nullable=False, comment="who allowed it; of a service its membership"),
    Column("session_id", Text, comment="it ends with this session; null: it does not"),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("patient", Text, comment="id of the Patient in context"),
    Column("lasting", Text, nullable=False, comment="no | online | offline"),
    Column("redirect_uri", Text),
    Column("challenge", Text, comment="PKCE, S256"),
    Column("code_hash", LargeBinary, unique=True),
    Column("code_expires_at", DateTime(timezone=True)),
    Column("code_used_at", DateTime(timezone=True)),
    Column("refresh_hash", LargeBinary, comment="of the newest refresh token"),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False, index=True),
    Column("revoked_at", DateTime(timezone=True)),
    Index("app_grants_subject", "tenant_id", "subject"),
)

app_tokens = Table(
    "app_tokens",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True, comment="SHA-256 of the access token"),
    Column("grant_id", Text, ForeignKey(app_grants.c.id, ondelete="CASCADE"), nullable=False, index=True),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False, index=True),
)

app_assertions = Table(
    "app_assertions",
    metadata,
    Column("app", Text, ForeignKey(apps.c.id), primary_key=True),
    Column("jti_hash", LargeBinary, primary_key=True, comment="of an assertion that was taken"),
    Column("expires_at", DateTime(timezone=True), nullable=False, index=True),
)
