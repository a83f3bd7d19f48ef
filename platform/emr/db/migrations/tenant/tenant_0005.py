"""One row of `tokens` for a coded value, which knows its system; words of the narrative behind a sign.

The rows of `tokens` are dropped: none of them says which code and which system belong together. The table `indexing`
says that what is stored has to be indexed again, its words too; the rest of the index stays as it is.

Revision ID: tenant_0005
Revises: tenant_0004
"""

import sqlalchemy as sa
from alembic import op

revision = "tenant_0005"
down_revision = "tenant_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("TRUNCATE tokens")
    op.drop_index("tokens_key", table_name="tokens")
    op.alter_column("tokens", "key", comment="keyed BLAKE2b of element path and code")
    comment = "31 bits of the keyed BLAKE2b of the code's system; negative where another stands for the code"
    op.add_column("tokens", sa.Column("system", sa.Integer(), nullable=False, comment=comment))
    newest: list[sa.ColumnElement[object]] = [sa.literal_column("updated DESC"), sa.literal_column("pk DESC")]
    op.create_index("tokens_key", "tokens", ["key", *newest, "system"], unique=False)
    comment = "folded words; behind > those of the narrative, behind ~ ^ | what a path marks"
    op.alter_column("words", "content", comment=comment)
    op.execute(
        "UPDATE indexing SET updated = now(), state ="
        " jsonb_build_object('format', CASE WHEN EXISTS (SELECT 1 FROM resources) THEN 0 ELSE 2 END)"
        " WHERE name = 'record'"
    )
