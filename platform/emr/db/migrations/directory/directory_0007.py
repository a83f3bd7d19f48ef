"""The results of the border light: what was tried at each hospital's doors, signed.

Revision ID: directory_0007
Revises: directory_0006
"""

import sqlalchemy as sa
from alembic import op

revision = "directory_0007"
down_revision = "directory_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "border_checks",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False, comment="from 1, gapless within the hospital"),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("result", sa.Text(), nullable=False, comment="canonical JSON; its UTF-8 bytes are what is signed"),
        sa.Column("signature", sa.LargeBinary(), nullable=False, comment="Ed25519"),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["directory.tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "number"),
        schema="directory",
    )
