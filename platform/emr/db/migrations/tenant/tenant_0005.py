"""One row of `tokens` for a coded value, which knows its system.

The rows before are dropped: none of them says which code and which system belong together. The table `indexing` says
that what is stored has to be indexed again; the rest of the index stays, so no condition is answered wrongly meanwhile.

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
    op.execute(
        "UPDATE indexing SET updated = now(), state ="
        " jsonb_build_object('format', CASE WHEN EXISTS (SELECT 1 FROM resources) THEN 0 ELSE 2 END)"
        " WHERE name = 'record'"
    )
