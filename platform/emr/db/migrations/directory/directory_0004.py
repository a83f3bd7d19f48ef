"""The directory's own trail is sealed like a hospital's: what has been written so far becomes its journal.

Revision ID: directory_0004
Revises: directory_0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "directory_0004"
down_revision = "directory_0003"
branch_labels = None
depends_on = None

_BECOMES_THE_JOURNAL = (
    "ALTER TABLE directory.audit_events RENAME TO audit_journal",
    "ALTER TABLE directory.audit_journal RENAME COLUMN number TO seq",
    "ALTER INDEX directory.audit_events_pkey RENAME TO audit_journal_pkey",
    "ALTER SEQUENCE directory.audit_events_number_seq RENAME TO audit_journal_seq_seq",
    "DROP INDEX directory.audit_events_at",
    "REVOKE ALL ON directory.audit_journal FROM emr_directory",
    """COMMENT ON COLUMN directory.audit_journal.row
       IS 'canonical JSON; its UTF-8 bytes are what a seal covers'""",
)


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    for statement in _BECOMES_THE_JOURNAL:
        op.execute(statement)
    op.create_table(
        "audit_events",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False, comment="gapless"),
        sa.Column("at", moment, nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("patients", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("row", sa.Text(), nullable=False, comment="canonical JSON; its UTF-8 bytes are what a seal covers"),
        sa.PrimaryKeyConstraint("number"),
        schema="directory",
    )
    op.create_index("audit_events_at", "audit_events", ["at"], unique=False, schema="directory")
    op.create_table(
        "audit_seals",
        sa.Column("batch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False, comment="Merkle root over the rows"),
        sa.Column("previous", sa.LargeBinary(), nullable=False, comment="hash of the seal before"),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_at", moment, nullable=False),
        sa.Column("format", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("batch"),
        schema="directory",
    )
