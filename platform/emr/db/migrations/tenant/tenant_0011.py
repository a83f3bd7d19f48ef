"""The views of limited sight ask for the criteria of a token's scopes: they are made anew after each revision.

Revision ID: tenant_0011
Revises: tenant_0010
"""

revision = "tenant_0011"
down_revision = "tenant_0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """No table changes."""
