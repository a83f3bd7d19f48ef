"""Moves of hospitals from one cell to another.

Revision ID: directory_0014
Revises: directory_0013
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "directory_0014"
down_revision = "directory_0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "tenants",
        sa.Column(
            "moving_since",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="on its way to another cell: nothing is written meanwhile",
        ),
        schema="directory",
    )
    op.create_table(
        "moves",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False, comment="the cell that it leaves"),
        sa.Column("target", sa.Text(), nullable=False, comment="the cell that it comes to"),
        sa.Column("phase", sa.Text(), nullable=False, comment="copying | closed | flipped | done | undone"),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), comment="from when on nothing could be written"),
        sa.Column("opened_at", sa.DateTime(timezone=True), comment="from when on everything could again"),
        sa.Column(
            "checked",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="by table rows and sum of hashes",
        ),
        sa.Column("keep_until", sa.DateTime(timezone=True), comment="the old copy is not dropped before"),
        sa.Column("dropped_at", sa.DateTime(timezone=True), comment="the old copy is gone, or is the hospital again"),
        sa.ForeignKeyConstraint(["tenant_id"], ["directory.tenants.id"]),
        sa.PrimaryKeyConstraint("id"),
        schema="directory",
    )
    op.create_index("moves_tenant", "moves", ["tenant_id", "begun_at"], schema="directory")
    op.create_index(
        "moves_open",
        "moves",
        ["tenant_id"],
        unique=True,
        postgresql_where=sa.text("phase IN ('copying', 'closed', 'flipped')"),
        schema="directory",
    )
