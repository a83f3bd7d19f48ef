"""The search index by element path: links know their targets; quantities, composites and words.

The rows of the index before are dropped, since their keys mean nothing here; the table `indexing` says that what is
stored has to be indexed again. Identifiers and compartments stay, so no condition and no record is answered wrongly
meanwhile.

Revision ID: tenant_0002
Revises: tenant_0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "tenant_0002"
down_revision = "tenant_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _change_tables()
    _turn_indexes()
    _add_tables()
    op.execute(
        "INSERT INTO indexing (name, state)"
        " SELECT 'record', jsonb_build_object('format', CASE WHEN EXISTS (SELECT 1 FROM resources) THEN 0 ELSE 1 END)"
    )


def _change_tables() -> None:
    op.execute("TRUNCATE tokens, strings, dates")
    op.drop_table("links")
    op.create_table(
        "links",
        sa.Column("path", sa.BigInteger(), nullable=False, comment="keyed BLAKE2b of element path"),
        sa.Column(
            "target",
            sa.BigInteger(),
            nullable=False,
            comment="pk of what is here; keyed BLAKE2b of an address elsewhere",
        ),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("pk", sa.BigInteger(), nullable=False),
    )
    newest: list[sa.ColumnElement[object]] = [sa.literal_column("updated DESC"), sa.literal_column("pk DESC")]
    op.create_index("links_target", "links", ["path", "target", *newest], unique=False)
    op.create_index("links_pk", "links", ["pk"], unique=False)
    op.add_column(
        "resources",
        sa.Column(
            "present",
            postgresql.ARRAY(sa.Integer()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="31-bit hashes of the search parameters that have a value",
        ),
    )
    raw = "as written, at most 200 characters, for :exact; NULL: the same as value"
    op.alter_column("strings", "raw", nullable=True, comment=raw)
    op.alter_column("tokens", "key", comment="keyed BLAKE2b of element path and value")
    op.alter_column("strings", "key", comment="keyed BLAKE2b of element path")
    op.alter_column("dates", "key", comment="keyed BLAKE2b of element path")


def _turn_indexes() -> None:
    """Ascending, and by id before type: what is written one after another then fills the pages of the index so."""
    for name, table, columns, unique in (
        ("compartments_patient", "compartments", ["patient", "type", "updated", "pk"], False),
        ("resources_identity", "resources", ["id", "type"], True),
    ):
        op.drop_index(name, table_name=table)
        op.create_index(name, table, columns, unique=unique)


def _add_tables() -> None:
    op.create_table(
        "quantities",
        sa.Column("key", sa.BigInteger(), nullable=False, comment="keyed BLAKE2b of element path and unit"),
        sa.Column("low", sa.Numeric(), nullable=False, comment="-Infinity where open"),
        sa.Column("high", sa.Numeric(), nullable=False, comment="Infinity where open"),
        sa.Column("pk", sa.BigInteger(), nullable=False),
    )
    op.create_index("quantities_key", "quantities", ["key", "high", "low"], unique=False)
    op.create_index("quantities_pk", "quantities", ["pk"], unique=False)
    op.create_table(
        "composites",
        sa.Column("key", sa.BigInteger(), nullable=False, comment="keyed BLAKE2b of element path, codes and unit"),
        sa.Column("low", sa.Numeric(), comment="of the quantity, of the number or, in seconds since 1970, of the date"),
        sa.Column("high", sa.Numeric()),
        sa.Column("value", sa.Text(), comment="of the string, folded"),
        sa.Column("pk", sa.BigInteger(), nullable=False),
    )
    op.create_index("composites_key", "composites", ["key", "high", "low"], unique=False)
    op.create_index("composites_pk", "composites", ["pk"], unique=False)
    op.create_table(
        "words",
        sa.Column("pk", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "content", postgresql.TSVECTOR(), nullable=False, comment="folded words; weight A: narrative, D: the rest"
        ),
        sa.PrimaryKeyConstraint("pk"),
    )
    op.create_index(
        "words_content", "words", ["content"], postgresql_using="gin", postgresql_with={"fastupdate": "off"}
    )
    op.create_table(
        "indexing",
        sa.Column(
            "name", sa.Text(), nullable=False, comment="record: the format of the rows above; others: work under way"
        ),
        sa.Column("state", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
