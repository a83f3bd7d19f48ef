"""Why a hospital is in its state, and since when.

Revision ID: directory_0010
Revises: directory_0009
"""

import sqlalchemy as sa
from alembic import op

revision = "directory_0010"
down_revision = "directory_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column(
            "state_reason", sa.Text(), server_default=sa.text("''"), nullable=False, comment="for everybody to read"
        ),
        sa.Column("state_since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
    ):
        op.add_column("tenants", column, schema="directory")
