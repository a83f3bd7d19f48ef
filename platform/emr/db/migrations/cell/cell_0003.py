"""How a hospital's migration went: from where, in how many attempts, in how many seconds.

Revision ID: cell_0003
Revises: cell_0002
"""

import sqlalchemy as sa
from alembic import op

revision = "cell_0003"
down_revision = "cell_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column("revision_from", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=True, comment="of the last attempt"),
    ):
        op.add_column("migrations_status", column, schema="cell")
