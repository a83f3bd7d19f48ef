"""The directory: which hospitals there are, who belongs to them, and what the department did. One in the city."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData(schema="directory")

_now = text("now()")

tenants = Table(
    "tenants",
    metadata,
    Column("id", Text, primary_key=True, comment="UUIDv7; never reused"),
    Column("slug", Text, nullable=False, unique=True),
    Column("schema", Text, nullable=False, unique=True, comment="schema, role, object prefix and audit stream at once"),
    Column("cell", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("state_reason", Text, nullable=False, server_default="", comment="for everybody to read"),
    Column("state_since", DateTime(timezone=True), nullable=False, server_default=_now),
    Column("definition", JSONB, nullable=False, comment="the hospital's file, as JSON"),
    Column("managed_by", Text, nullable=False),
    Column("organization_id", Text, comment="the identity provider's own id of the organization"),
    Column("index_key", LargeBinary, nullable=False, comment="16 bytes that key the hashes of the search index"),
    Column("revision", Text, nullable=False, server_default="", comment="migration that the schema stands at"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=_now),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=_now),
)

tenant_events = Table(
    "tenant_events",
    metadata,
    Column("number", BigInteger, Identity(always=True), primary_key=True),
    Column("tenant_id", Text, ForeignKey(tenants.c.id), nullable=False, index=True),
    Column("at", DateTime(timezone=True), nullable=False, server_default=_now),
    Column("actor", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("detail", JSONB, nullable=False),
)

memberships = Table(
    "memberships",
    metadata,
    Column("tenant_id", Text, ForeignKey(tenants.c.id), primary_key=True),
    Column("subject", Text, primary_key=True, comment="the provider's `sub`, or a machine client's id"),
    Column("role", Text, nullable=False),
    Column("name", Text, nullable=False, server_default=""),
    Column("active", Boolean, nullable=False, server_default=text("true")),
    Column("granted_by", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=_now),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=_now),
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
    Column("made_at", DateTime(timezone=True), nullable=False, server_default=_now),
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
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=_now),
    Column("rotated_at", DateTime(timezone=True), nullable=False, server_default=_now),
    Column("removed_at", DateTime(timezone=True)),
)

access_reviews = Table(
    "access_reviews",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant_id", Text, ForeignKey(tenants.c.id), nullable=False),
    Column("opened_at", DateTime(timezone=True), nullable=False, server_default=_now),
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

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True, comment="SHA-256 of the cookie"),
    Column("id", Text, nullable=False, unique=True),
    Column("subject", Text, nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("provider_session", Text, index=True, comment="the provider's `sid`"),
    Column("organization_ids", ARRAY(Text), nullable=False, comment="organizations that the last token carried"),
    Column("refresh_token", LargeBinary, comment="sealed"),
    Column("id_token", LargeBinary, comment="sealed; needed to sign out at the provider"),
    Column("token_expires_at", DateTime(timezone=True), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=_now),
    Column("seen_at", DateTime(timezone=True), nullable=False, server_default=_now),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("revoked_at", DateTime(timezone=True)),
    Column("authenticated_at", DateTime(timezone=True), nullable=False, server_default=_now, comment="`auth_time`"),
    Column("strong", Boolean, nullable=False, server_default=text("false"), comment="a second factor was proved"),
    Column("device", Text, nullable=False, server_default="", comment="kind of browser and system, for its owner"),
    Column("used_in", ARRAY(Text), nullable=False, server_default=text("'{}'"), comment="ids of hospitals"),
    Column("lock_minutes", Integer, comment="the fewest of the hospitals where it was used"),
    Column("locked_at", DateTime(timezone=True)),
    Column("unlock_tries", Integer, nullable=False, server_default=text("0"), comment="PINs tried since one was right"),
)

pins = Table(
    "pins",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("hash", Text, nullable=False, comment="scrypt of the PIN under the platform's key"),
    Column("set_at", DateTime(timezone=True), nullable=False, server_default=_now),
)

keys = Table(
    "keys",
    metadata,
    Column("tenant_id", Text, ForeignKey(tenants.c.id), primary_key=True),
    Column("key_id", Text, primary_key=True),
    Column("wrapped", LargeBinary, nullable=False, comment="the data key under the master key"),
    Column("wrapping_key_id", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=_now),
    Column("retired_at", DateTime(timezone=True)),
)

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
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=_now),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=_now),
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

audit_journal = Table(
    "audit_journal",
    metadata,
    Column("seq", BigInteger, Identity(always=True), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("row", Text, nullable=False, comment="canonical JSON; its UTF-8 bytes are what a seal covers"),
)

audit_events = Table(
    "audit_events",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False, comment="gapless"),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("action", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("patients", ARRAY(Text), nullable=False),
    Column("row", Text, nullable=False, comment="canonical JSON; its UTF-8 bytes are what a seal covers"),
    Index("audit_events_at", "at"),
)

audit_seals = Table(
    "audit_seals",
    metadata,
    Column("batch", BigInteger, primary_key=True, autoincrement=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False, comment="Merkle root over the rows"),
    Column("previous", LargeBinary, nullable=False, comment="hash of the seal before"),
    Column("hash", LargeBinary, nullable=False),
    Column("sealed_at", DateTime(timezone=True), nullable=False),
    Column("format", Integer, nullable=False),
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

__all__ = [
    "access_review_lines",
    "access_reviews",
    "accounts",
    "app_assertions",
    "app_grants",
    "app_launches",
    "app_tokens",
    "apps",
    "audit_events",
    "audit_journal",
    "audit_seals",
    "border_checks",
    "keys",
    "machine_clients",
    "memberships",
    "metadata",
    "pins",
    "sessions",
    "support_grants",
    "tenant_events",
    "tenants",
]
