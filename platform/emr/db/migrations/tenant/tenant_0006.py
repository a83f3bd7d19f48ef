"""The trail is found by who did it, too.

Revision ID: tenant_0006
Revises: tenant_0005
"""

import sqlalchemy as sa
from alembic import op

revision = "tenant_0006"
down_revision = "tenant_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("audit_events_actor", "audit_events", ["actor", sa.literal_column("number DESC")], unique=False)
