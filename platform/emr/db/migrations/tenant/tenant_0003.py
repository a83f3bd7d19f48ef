"""Bulk jobs: exports and imports of whole records, with their files and how far they have come.

Revision ID: tenant_0003
Revises: tenant_0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "tenant_0003"
down_revision = "tenant_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bulk_jobs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="export | import | upload"),
        sa.Column("state", sa.Text(), nullable=False, comment="waiting | running | done | failed | ending | forgotten"),
        sa.Column("subject", sa.Text(), nullable=False, comment="whose job it is; nobody else finds it"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False, comment="the role at the kick-off, whose sight the job has"),
        sa.Column("request", sa.Text(), nullable=False, comment="the address of the kick-off"),
        sa.Column("asked", postgresql.JSONB(), nullable=False, comment="what is wanted"),
        sa.Column("moment", sa.DateTime(timezone=True), nullable=False, comment="transactionTime of an export"),
        sa.Column("snapshot", sa.Text(), nullable=False, comment="pg_snapshot of that moment: what the export shows"),
        sa.Column("progress", postgresql.JSONB(), nullable=False, comment="how far the pieces have come"),
        sa.Column("files", postgresql.JSONB(), nullable=False, comment="role, type, blob, lines and size of each file"),
        sa.Column(
            "attempts",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="of the piece that is next",
        ),
        sa.Column("error", sa.Text()),
        sa.Column(
            "runner",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="fence of the worker that has it",
        ),
        sa.Column("not_before", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("polled_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "bulk_jobs_open",
        "bulk_jobs",
        ["not_before", "id"],
        unique=False,
        postgresql_where=sa.text("state IN ('waiting', 'running')"),
    )
    op.create_index(
        "bulk_jobs_moment", "bulk_jobs", ["moment"], unique=False, postgresql_where=sa.text("kind = 'export'")
    )
