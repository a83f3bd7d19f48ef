"""The department's operators, what its console shows of hospitals, proposals of a second person, announcements.

Revision ID: directory_0013
Revises: directory_0012
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "directory_0013"
down_revision = "directory_0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _operators()
    _figures()
    _proposals()
    _announcements()


def _operators() -> None:
    now = sa.text("now()")
    op.create_table(
        "operators",
        sa.Column("subject", sa.Text(), nullable=False, comment="the provider's `sub`"),
        sa.Column("role", sa.Text(), nullable=False, comment="ops | auditor"),
        sa.Column("kind", sa.Text(), server_default=sa.text("'person'"), nullable=False, comment="person | machine"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("granted_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.CheckConstraint("kind = 'person' OR role = 'auditor'", name="operators_machines_look"),
        sa.PrimaryKeyConstraint("subject"),
        schema="directory",
    )


def _figures() -> None:
    op.create_table(
        "traffic",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, comment="begin of the five minutes"),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("errors", sa.BigInteger(), nullable=False, comment="answers of the class 5xx"),
        sa.Column(
            "buckets",
            postgresql.ARRAY(sa.BigInteger()),
            nullable=False,
            comment="requests by how long they took; last: longer",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["directory.tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "at"),
        schema="directory",
    )
    op.create_index(op.f("ix_directory_traffic_at"), "traffic", ["at"], schema="directory")
    op.create_table(
        "usage",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False, comment="UTC"),
        sa.Column(
            "storage_bytes", sa.BigInteger(), nullable=False, comment="lasting content, as it was last seen that day"
        ),
        sa.Column("users", sa.Integer(), nullable=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["directory.tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "day"),
        schema="directory",
    )
    op.create_table(
        "cell_state",
        sa.Column("cell", sa.Text(), nullable=False),
        sa.Column(
            "anchored_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when the newest anchor was written; null: none is known",
        ),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False, comment="when a worker last looked"),
        sa.PrimaryKeyConstraint("cell"),
        schema="directory",
    )


def _proposals() -> None:
    op.create_table(
        "proposals",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=False, comment="state in which it was proposed"),
        sa.Column("wanted", sa.Text(), nullable=False, comment="state that is proposed"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("proposed_by", sa.Text(), nullable=False, comment="subject"),
        sa.Column("proposed_by_name", sa.Text(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True, comment="subject; null: nobody has, or it lapsed"),
        sa.Column("decided_by_name", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True, comment="approved | declined | withdrawn | lapsed"),
        sa.CheckConstraint("outcome <> 'approved' OR decided_by <> proposed_by", name="proposals_second_person"),
        sa.ForeignKeyConstraint(["tenant_id"], ["directory.tenants.id"]),
        sa.PrimaryKeyConstraint("id"),
        schema="directory",
    )
    op.create_index(op.f("ix_directory_proposals_tenant_id"), "proposals", ["tenant_id"], schema="directory")
    op.create_index(
        "proposals_open",
        "proposals",
        ["tenant_id"],
        unique=True,
        schema="directory",
        postgresql_where=sa.text("decided_at IS NULL"),
    )


def _announcements() -> None:
    op.create_table(
        "announcements",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="notice | maintenance"),
        sa.Column("vi", sa.Text(), nullable=False),
        sa.Column("en", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hospitals", postgresql.ARRAY(sa.Text()), nullable=False, comment="ids; none: all"),
        sa.Column("written_by", sa.Text(), nullable=False, comment="subject"),
        sa.Column("written_by_name", sa.Text(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True, comment="taken back before its time"),
        sa.Column("ended_by", sa.Text(), nullable=True, comment="subject"),
        sa.Column("ended_by_name", sa.Text(), nullable=True),
        sa.CheckConstraint("until > since", name="announcements_span"),
        sa.PrimaryKeyConstraint("id"),
        schema="directory",
    )
    op.create_index(
        "announcements_until",
        "announcements",
        ["until"],
        schema="directory",
        postgresql_where=sa.text("ended_at IS NULL"),
    )
