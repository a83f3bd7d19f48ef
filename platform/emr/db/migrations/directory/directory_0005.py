"""Apps of hospitals, and what they were given: launches, grants, access tokens, assertions that were seen.

Revision ID: directory_0005
Revises: directory_0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "directory_0005"
down_revision = "directory_0004"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_INDEXES = (
    ("apps", "tenant_id"),
    ("app_launches", "expires_at"),
    ("app_grants", "app"),
    ("app_grants", "expires_at"),
    ("app_tokens", "grant_id"),
    ("app_tokens", "expires_at"),
    ("app_assertions", "expires_at"),
)


def upgrade() -> None:
    _apps()
    _grants()
    op.create_table(
        "app_launches",
        sa.Column("launch_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the launch token"),
        sa.Column("app", sa.Text(), sa.ForeignKey("directory.apps.id"), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("patient", sa.Text(), nullable=False, comment="id of the Patient whose chart was open"),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("launch_hash"),
        schema="directory",
    )
    op.create_table(
        "app_tokens",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the access token"),
        sa.Column("grant_id", sa.Text(), sa.ForeignKey("directory.app_grants.id", ondelete="CASCADE"), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("token_hash"),
        schema="directory",
    )
    op.create_table(
        "app_assertions",
        sa.Column("app", sa.Text(), sa.ForeignKey("directory.apps.id"), nullable=False),
        sa.Column("jti_hash", sa.LargeBinary(), nullable=False, comment="of an assertion that was taken"),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("app", "jti_hash"),
        schema="directory",
    )
    for table, column in _INDEXES:
        op.create_index(f"ix_directory_{table}_{column}", table, [column], schema="directory")
    op.create_index("app_grants_subject", "app_grants", ["tenant_id", "subject"], schema="directory")


def _apps() -> None:
    now = sa.text("now()")
    op.create_table(
        "apps",
        sa.Column("id", sa.Text(), nullable=False, comment="the client_id"),
        sa.Column("tenant_id", sa.Text(), sa.ForeignKey("directory.tenants.id"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="public | confidential | asymmetric | service"),
        sa.Column("redirect_uris", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("launch_uri", sa.Text(), comment="where it is opened from a chart"),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False, comment="the most that it may ask for"),
        sa.Column("secret_hash", sa.LargeBinary(), comment="SHA-256 of 256 random bits"),
        sa.Column("jwks", postgresql.JSONB(), comment="its public keys"),
        sa.Column("jwks_uri", sa.Text(), comment="where its public keys are"),
        sa.Column("subject", sa.Text(), comment="of the membership that a service works as"),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("registered_by", sa.Text(), nullable=False),
        sa.Column("created_at", _MOMENT, server_default=now, nullable=False),
        sa.Column("updated_at", _MOMENT, server_default=now, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="directory",
    )


def _grants() -> None:
    op.create_table(
        "app_grants",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("app", sa.Text(), sa.ForeignKey("directory.apps.id"), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False, comment="who allowed it; of a service its membership"),
        sa.Column("session_id", sa.Text(), comment="it ends with this session; null: it does not"),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("patient", sa.Text(), comment="id of the Patient in context"),
        sa.Column("lasting", sa.Text(), nullable=False, comment="no | online | offline"),
        sa.Column("redirect_uri", sa.Text()),
        sa.Column("challenge", sa.Text(), comment="PKCE, S256"),
        sa.Column("code_hash", sa.LargeBinary(), unique=True),
        sa.Column("code_expires_at", _MOMENT),
        sa.Column("code_used_at", _MOMENT),
        sa.Column("refresh_hash", sa.LargeBinary(), comment="of the newest refresh token"),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.Column("revoked_at", _MOMENT),
        sa.PrimaryKeyConstraint("id"),
        schema="directory",
    )
