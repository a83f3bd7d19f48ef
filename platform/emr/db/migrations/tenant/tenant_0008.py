"""Where rows of the trail lie that have left the table: a file for each range of batches.

Revision ID: tenant_0008
Revises: tenant_0007
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "tenant_0008"
down_revision = "tenant_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    texts = postgresql.ARRAY(sa.Text())
    op.create_table(
        "audit_archives",
        sa.Column("first", sa.BigInteger(), nullable=False, comment="number of the first row in the file"),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("first_batch", sa.BigInteger(), nullable=False),
        sa.Column("last_batch", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False, comment="the earliest `at` of its rows"),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False, comment="the latest"),
        sa.Column("patients", texts, nullable=False, comment="whose data its rows tell of"),
        sa.Column("actors", texts, nullable=False, comment="subjects of who acted"),
        sa.Column("key", sa.Text(), nullable=False, comment="its object, sealed as every blob is"),
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of the file before it was sealed"),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="bytes of that"),
        sa.Column("key_id", sa.Text(), nullable=False, comment="the data key that seals it"),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("first"),
    )
    op.create_index(
        "audit_archives_patients",
        "audit_archives",
        ["patients"],
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    )
