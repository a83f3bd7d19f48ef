"""Holds: what forbids that a record is destroyed.

Revision ID: tenant_0010
Revises: tenant_0009
"""

import sqlalchemy as sa
from alembic import op

revision = "tenant_0010"
down_revision = "tenant_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "retention_holds",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("patient", sa.Text(), nullable=False, comment="id of the Patient; *: the whole record"),
        sa.Column("reason", sa.Text(), nullable=False, comment="whose order it is, and its number"),
        sa.Column("placed_by", sa.Text(), nullable=False, comment="subject"),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True, comment="NULL: it stands"),
        sa.Column("released_by", sa.Text(), nullable=True, comment="subject"),
        sa.Column("release_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
