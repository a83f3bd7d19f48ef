"""Support grants: for hours, at what the hospital names.

Revision ID: directory_0009
Revises: directory_0008
"""

import sqlalchemy as sa
from alembic import op

revision = "directory_0009"
down_revision = "directory_0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "support_grants",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False, comment="who is let in"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("office", sa.Text(), nullable=False, comment="department | support"),
        sa.Column("purpose", sa.Text(), nullable=False, comment="why, in words"),
        sa.Column("scope", sa.Text(), nullable=False, comment="house | patient | patients"),
        sa.Column("patient", sa.Text(), nullable=True, comment="id of the Patient, for the scope `patient`"),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("given_by", sa.Text(), nullable=False, comment="subject"),
        sa.Column("given_by_name", sa.Text(), nullable=False),
        sa.Column(
            "ended_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="taken away before its time, or found to be over",
        ),
        sa.Column("ended_by", sa.Text(), nullable=True, comment="subject; null: it lapsed"),
        sa.Column("ended_by_name", sa.Text(), nullable=True),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=True, comment="seen by the privacy officer"),
        sa.Column("noted_by", sa.Text(), nullable=True, comment="subject"),
        sa.Column("noted_by_name", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["directory.tenants.id"]),
        sa.PrimaryKeyConstraint("id"),
        schema="directory",
    )
    op.create_index("support_grants_tenant", "support_grants", ["tenant_id", "since"], schema="directory")
    op.create_index(
        "support_grants_open",
        "support_grants",
        ["tenant_id", "subject"],
        unique=True,
        schema="directory",
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(
        "support_grants_subject",
        "support_grants",
        ["subject"],
        schema="directory",
        postgresql_where=sa.text("ended_at IS NULL"),
    )
