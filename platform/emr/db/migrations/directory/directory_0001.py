"""The directory: hospitals, memberships, sessions, keys, events.

Revision ID: directory_0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "directory_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_events",
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row", sa.Text(), nullable=False, comment="canonical JSON"),
        sa.PrimaryKeyConstraint("number"),
        schema="directory",
    )
    op.create_index("audit_events_at", "audit_events", ["at"], unique=False, schema="directory")
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the cookie"),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("provider_session", sa.Text(), nullable=True, comment="the provider's `sid`"),
        sa.Column(
            "organization_ids",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="organizations that the last token carried",
        ),
        sa.Column("refresh_token", sa.LargeBinary(), nullable=True, comment="sealed"),
        sa.Column("id_token", sa.LargeBinary(), nullable=True, comment="sealed; needed to sign out at the provider"),
        sa.Column("token_expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("token_hash"),
        sa.UniqueConstraint("id"),
        schema="directory",
    )
    op.create_index(
        op.f("ix_directory_sessions_provider_session"),
        "sessions",
        ["provider_session"],
        unique=False,
        schema="directory",
    )
    op.create_index(op.f("ix_directory_sessions_subject"), "sessions", ["subject"], unique=False, schema="directory")
    op.create_table(
        "tenants",
        sa.Column("id", sa.Text(), nullable=False, comment="UUIDv7; never reused"),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("schema", sa.Text(), nullable=False, comment="schema, role, object prefix and audit stream at once"),
        sa.Column("cell", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column(
            "definition",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="the hospital's file, as JSON",
        ),
        sa.Column("managed_by", sa.Text(), nullable=False),
        sa.Column(
            "organization_id", sa.Text(), nullable=True, comment="the identity provider's own id of the organization"
        ),
        sa.Column(
            "index_key", sa.LargeBinary(), nullable=False, comment="16 bytes that key the hashes of the search index"
        ),
        sa.Column(
            "revision", sa.Text(), server_default="", nullable=False, comment="migration that the schema stands at"
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("schema"),
        sa.UniqueConstraint("slug"),
        schema="directory",
    )
    op.create_table(
        "keys",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False, comment="the data key under the master key"),
        sa.Column("wrapping_key_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["directory.tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "key_id"),
        schema="directory",
    )
    op.create_table(
        "memberships",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False, comment="the provider's `sub`, or a machine client's id"),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("granted_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["directory.tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "subject"),
        schema="directory",
    )
    op.create_index("memberships_subject", "memberships", ["subject"], unique=False, schema="directory")
    op.create_table(
        "tenant_events",
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["directory.tenants.id"]),
        sa.PrimaryKeyConstraint("number"),
        schema="directory",
    )
    op.create_index(
        op.f("ix_directory_tenant_events_tenant_id"), "tenant_events", ["tenant_id"], unique=False, schema="directory"
    )
