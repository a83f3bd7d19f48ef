"""What is asked of the fleet and takes a second person.

Revision ID: directory_0015
Revises: directory_0014
"""

import sqlalchemy as sa
from alembic import op

revision = "directory_0015"
down_revision = "directory_0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column(
            "second",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="whether a second person must approve it first",
        ),
        sa.Column("decided_by", sa.Text(), nullable=True, comment="subject; null: nobody has"),
        sa.Column("decided_by_name", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True, comment="approved | declined | withdrawn"),
    ):
        op.add_column("fleet_requests", column, schema="directory")
    op.create_check_constraint(
        "fleet_requests_second_person",
        "fleet_requests",
        "outcome <> 'approved' OR decided_by <> asked_by",
        schema="directory",
    )
