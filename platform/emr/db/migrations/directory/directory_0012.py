"""What is asked of the fleet, and the checklists of going live.

Revision ID: directory_0012
Revises: directory_0011
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "directory_0012"
down_revision = "directory_0011"
branch_labels = None
depends_on = None

_NOW = sa.text("now()")


def upgrade() -> None:
    op.create_table(
        "fleet_requests",
        sa.Column("id", sa.Text(), nullable=False, comment="UUIDv7"),
        sa.Column("kind", sa.Text(), nullable=False, comment="onboard | reset-sandbox"),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("detail", postgresql.JSONB(), nullable=False, comment="onboard: the definition"),
        sa.Column("asked_by", sa.Text(), nullable=False, comment="subject"),
        sa.Column("asked_by_name", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.Column(
            "state",
            sa.Text(),
            server_default=sa.text("'waiting'"),
            nullable=False,
            comment="waiting | running | done | failed",
        ),
        sa.Column(
            "progress",
            postgresql.JSONB(),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="step, done, total, error, next",
        ),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="directory",
    )
    op.create_index("fleet_requests_slug", "fleet_requests", ["slug", "asked_at"], schema="directory")
    op.create_index(
        "fleet_requests_open",
        "fleet_requests",
        ["kind", "slug"],
        unique=True,
        schema="directory",
        postgresql_where=sa.text("state IN ('waiting', 'running')"),
    )
    op.create_table(
        "golive_items",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False, comment="code of the checklist's template"),
        sa.Column("state", sa.Text(), nullable=False, comment="open | doing | done | not-needed"),
        sa.Column(
            "owner", sa.Text(), server_default=sa.text("''"), nullable=False, comment="whose task it is, in words"
        ),
        sa.Column("due", sa.Date(), nullable=True),
        sa.Column("note", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column(
            "evidence",
            postgresql.JSONB(),
            server_default=sa.text("'[]'"),
            nullable=False,
            comment="files: key, name, type, size, at, by",
        ),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False, comment="subject"),
        sa.Column("changed_by_name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["directory.tenants.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "item"),
        schema="directory",
    )
