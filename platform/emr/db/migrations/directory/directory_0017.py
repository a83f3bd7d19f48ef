"""An older build serves a hospital whose schema was only added to.

Revision ID: directory_0017
Revises: directory_0016
"""

import sqlalchemy as sa
from alembic import op

revision = "directory_0017"
down_revision = "directory_0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "tenants",
        sa.Column(
            "served_from",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="the oldest build, by its newest migration, that serves the schema as it stands",
        ),
        schema="directory",
    )
