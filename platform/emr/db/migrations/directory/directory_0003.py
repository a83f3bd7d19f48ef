"""What a session says to its owner and to administrators: how and when it was proved, on what, and where it was used.

Revision ID: directory_0003
Revises: directory_0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "directory_0003"
down_revision = "directory_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column(
            "authenticated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="`auth_time`",
        ),
        sa.Column(
            "strong",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="a second factor was proved",
        ),
        sa.Column(
            "device", sa.Text(), server_default="", nullable=False, comment="kind of browser and system, for its owner"
        ),
        sa.Column(
            "used_in",
            postgresql.ARRAY(sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="ids of hospitals",
        ),
    ):
        op.add_column("sessions", column, schema="directory")
    op.execute("UPDATE directory.sessions SET authenticated_at = created_at")
