"""What a membership says beside the role: duties, wards, clearances, the person's own resource, and its end.

Revision ID: directory_0002
Revises: directory_0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "directory_0002"
down_revision = "directory_0001"
branch_labels = None
depends_on = None

_LISTS = (
    ("duties", "beside the role: `privacy`"),
    ("wards", "ids of Locations"),
    ("clearances", "labels that may be seen"),
)


def upgrade() -> None:
    for name, comment in _LISTS:
        op.add_column(
            "memberships",
            sa.Column(
                name, postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False, comment=comment
            ),
            schema="directory",
        )
    op.add_column(
        "memberships",
        sa.Column("practitioner", sa.Text(), nullable=True, comment="id of the Practitioner and PractitionerRole"),
        schema="directory",
    )
    op.add_column(
        "memberships",
        sa.Column(
            "expires_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="from then on it is none; null: until it is taken away",
        ),
        schema="directory",
    )
