"""Locking a session and opening it again with a PIN.

Revision ID: directory_0008
Revises: directory_0007
"""

import sqlalchemy as sa
from alembic import op

revision = "directory_0008"
down_revision = "directory_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pins",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False, comment="scrypt of the PIN under the platform's key"),
        sa.Column("set_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("subject"),
        schema="directory",
    )
    for column in (
        sa.Column("lock_minutes", sa.Integer(), nullable=True, comment="the fewest of the hospitals where it was used"),
        sa.Column("locked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "unlock_tries",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="PINs tried since one was right",
        ),
    ):
        op.add_column("sessions", column, schema="directory")
