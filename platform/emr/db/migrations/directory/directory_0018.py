"""A session says through which hospital's own provider its person came.

Revision ID: directory_0018
Revises: directory_0017
"""

import sqlalchemy as sa
from alembic import op

revision = "directory_0018"
down_revision = "directory_0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "sessions",
        sa.Column(
            "through",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="the hospital's own provider that the person came by, as the provider names it",
        ),
        schema="directory",
    )
