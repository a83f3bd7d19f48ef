"""Files of old rows of the directory's own trail, and the key that seals them.

Revision ID: directory_0016
Revises: directory_0015
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "directory_0016"
down_revision = "directory_0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_archives",
        sa.Column(
            "first", sa.BigInteger(), autoincrement=False, nullable=False, comment="number of the first row in the file"
        ),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("first_batch", sa.BigInteger(), nullable=False),
        sa.Column("last_batch", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False, comment="the earliest `at` of its rows"),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False, comment="the latest"),
        sa.Column("patients", postgresql.ARRAY(sa.Text()), nullable=False, comment="whose data its rows tell of"),
        sa.Column("actors", postgresql.ARRAY(sa.Text()), nullable=False, comment="subjects of who acted"),
        sa.Column("key", sa.Text(), nullable=False, comment="its object, sealed as every blob is"),
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of the file before it was sealed"),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="bytes of that"),
        sa.Column("key_id", sa.Text(), nullable=False, comment="the data key that seals it"),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("first"),
        schema="directory",
    )
    op.create_table(
        "trail_keys",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column(
            "wrapped",
            sa.LargeBinary(),
            nullable=False,
            comment="the data key of the trail's files under the master key",
        ),
        sa.Column("wrapping_key_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("key_id"),
        schema="directory",
    )
