"""Earlier versions in the order in which they were made: the history of a type or of everything walks along it.

Revision ID: tenant_0004
Revises: tenant_0003
"""

import sqlalchemy as sa
from alembic import op

revision = "tenant_0004"
down_revision = "tenant_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "resource_versions_newest",
        "resource_versions",
        [sa.literal_column("updated DESC"), sa.literal_column("pk DESC"), sa.literal_column("version DESC")],
        unique=False,
    )
