"""Words wait in a short list, from which many go into the index at once.

Revision ID: tenant_0009
Revises: tenant_0008
"""

from alembic import op

revision = "tenant_0009"
down_revision = "tenant_0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER INDEX words_content SET (fastupdate = on, gin_pending_list_limit = 64)")
