"""The cell: outbox, deliveries, jobs and the audit journal, fenced by row security.

Revision ID: cell_0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "cell_0001"
down_revision = None
branch_labels = None
depends_on = None

_ROW_SECURITY = (
    "ALTER TABLE cell.outbox ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE cell.audit_journal ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY own_rows ON cell.outbox FOR INSERT TO emr_hospital WITH CHECK (tenant = current_user)",
    "CREATE POLICY own_rows ON cell.audit_journal FOR INSERT TO emr_hospital WITH CHECK (tenant = current_user)",
    "CREATE POLICY relay ON cell.outbox TO emr_cell USING (true) WITH CHECK (true)",
    "CREATE POLICY sealer ON cell.audit_journal TO emr_audit USING (true) WITH CHECK (true)",
)


def upgrade() -> None:
    op.create_table(
        "audit_journal",
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row", sa.Text(), nullable=False, comment="canonical JSON; its UTF-8 bytes are what a seal covers"),
        sa.PrimaryKeyConstraint("seq"),
        schema="cell",
    )
    op.create_index("audit_journal_tenant", "audit_journal", ["tenant", "seq"], unique=False, schema="cell")
    op.create_table(
        "batches",
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False, comment="the transaction version written with the commit"),
        sa.Column("state", sa.Text(), nullable=False, comment="claimed | delivered"),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("table_version", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("destination", "number"),
        schema="cell",
    )
    op.create_table(
        "deliveries",
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("batch", sa.BigInteger(), nullable=False),
        sa.Column(
            "table_version", sa.BigInteger(), nullable=True, comment="the destination's own version that holds it"
        ),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("destination", "tenant", "type", "id", "version"),
        schema="cell",
    )
    op.create_table(
        "jobs",
        sa.Column(
            "name", sa.Text(), nullable=False, comment="what is leased: a relay, a hospital's sealing, a schedule"
        ),
        sa.Column("holder", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "fence",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="grows by one with each new holder",
        ),
        sa.Column("leased_until", sa.DateTime(timezone=True), server_default=sa.text("'-infinity'"), nullable=False),
        sa.Column("state", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        schema="cell",
    )
    op.create_table(
        "migrations_status",
        sa.Column("schema", sa.Text(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column("migrated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("schema"),
        schema="cell",
    )
    op.create_table(
        "outbox",
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False, comment="the hospital's schema name"),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("batch", sa.BigInteger(), nullable=True, comment="the delivery that has claimed it"),
        sa.Column(
            "error", sa.Text(), nullable=True, comment="why it cannot be delivered; set aside until somebody replays it"
        ),
        sa.PrimaryKeyConstraint("seq"),
        schema="cell",
    )
    op.create_index(
        "outbox_batch", "outbox", ["batch"], unique=False, schema="cell", postgresql_where=sa.text("batch IS NOT NULL")
    )
    op.create_index(
        "outbox_error", "outbox", ["seq"], unique=False, schema="cell", postgresql_where=sa.text("error IS NOT NULL")
    )
    op.create_index(
        "outbox_unclaimed",
        "outbox",
        ["seq"],
        unique=False,
        schema="cell",
        postgresql_where=sa.text("batch IS NULL AND error IS NULL"),
    )

    for statement in _ROW_SECURITY:
        op.execute(statement)
