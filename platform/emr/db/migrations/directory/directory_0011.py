"""Backups that were made, pasts that were opened, rehearsals of restoring.

Revision ID: directory_0011
Revises: directory_0010
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "directory_0011"
down_revision = "directory_0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "backups",
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("cell", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="full | diff | incr"),
        sa.Column("label", sa.Text(), comment="pgBackRest's name of it; null: it failed"),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("size", sa.BigInteger(), comment="bytes of the cell's files"),
        sa.Column("stored", sa.BigInteger(), comment="bytes that it added to the repository"),
        sa.Column(
            "position",
            sa.Text(),
            comment="place in the write-ahead log from which on a restore of it is whole",
        ),
        sa.Column("error", sa.Text()),
        sa.PrimaryKeyConstraint("number"),
        schema="directory",
    )
    op.create_index("backups_cell", "backups", ["cell", "number"], schema="directory")
    _rewinds()
    _rehearsals()


def _rewinds() -> None:
    op.create_table(
        "rewinds",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("schema", sa.Text(), nullable=False, comment="where the past lies, in that cell"),
        sa.Column("cell", sa.Text(), nullable=False),
        sa.Column("moment", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="opening | open | failed | dropped"),
        sa.Column("backup", sa.Text(), nullable=False, comment="label of the backup that it was restored from"),
        sa.Column("revision", sa.Text(), nullable=False, comment="migration that the past stands at"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("opened_by", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True)),
        sa.Column("closes_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("dropped_at", sa.DateTime(timezone=True)),
        sa.Column("error", sa.Text()),
        sa.ForeignKeyConstraint(["tenant_id"], ["directory.tenants.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("schema"),
        schema="directory",
    )
    op.create_index("ix_directory_rewinds_tenant_id", "rewinds", ["tenant_id"], schema="directory")


def _rehearsals() -> None:
    op.create_table(
        "rehearsals",
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("cell", sa.Text(), nullable=False),
        sa.Column("moment", sa.DateTime(timezone=True), nullable=False, comment="to which the hospital was restored"),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("backup", sa.Text(), comment="label of the backup"),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("findings", JSONB(), nullable=False, comment="what was counted, here and there, and what differs"),
        sa.ForeignKeyConstraint(["tenant_id"], ["directory.tenants.id"]),
        sa.PrimaryKeyConstraint("number"),
        schema="directory",
    )
    op.create_index("ix_directory_rehearsals_tenant_id", "rehearsals", ["tenant_id"], schema="directory")
