"""Subscriptions: who is told, which versions have to be looked at, and what each was told, fenced by row security.

Revision ID: cell_0002
Revises: cell_0001
"""

import sqlalchemy as sa
from alembic import op

from emr.db.tables.tenant import Xid8

revision = "cell_0002"
down_revision = "cell_0001"
branch_labels = None
depends_on = None

# The name of a role has the collation "C"; with the column's own, the index that begins with `tenant` can be used.
_ROW_SECURITY = (
    "ALTER TABLE cell.subscribers ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE cell.notices ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE cell.events ENABLE ROW LEVEL SECURITY",
    """CREATE POLICY own_rows ON cell.subscribers TO emr_hospital
       USING (tenant = current_user::text COLLATE "default")""",
    """CREATE POLICY own_rows ON cell.notices TO emr_hospital
       USING (tenant = current_user::text COLLATE "default")""",
    """CREATE POLICY own_rows ON cell.events TO emr_hospital
       USING (tenant = current_user::text COLLATE "default")""",
    "CREATE POLICY worker ON cell.subscribers FOR SELECT TO emr_cell USING (true)",
    "CREATE POLICY worker ON cell.notices FOR SELECT TO emr_cell USING (true)",
    "CREATE POLICY worker ON cell.events FOR SELECT TO emr_cell USING (true)",
)


def upgrade() -> None:
    now, xid = sa.text("now()"), sa.text("pg_current_xact_id()")
    zero = sa.text("0")
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "subscribers",
        sa.Column("tenant", sa.Text(), nullable=False, comment="the hospital's schema name"),
        sa.Column("id", sa.Text(), nullable=False, comment="of its Subscription"),
        sa.Column("type", sa.Text(), nullable=False, comment="resource type that it is about"),
        sa.Column("state", sa.Text(), nullable=False, comment="requested | active | error; one that is off has no row"),
        sa.Column("owner", sa.Text(), nullable=False, comment="subject of the membership that it speaks for"),
        sa.Column("headers", sa.LargeBinary(), comment="sealed: what the endpoint wants to be told with each call"),
        sa.Column("xid", Xid8(), server_default=xid, nullable=False),
        sa.Column("last_number", sa.BigInteger(), server_default=zero, nullable=False),
        sa.Column("delivered_number", sa.BigInteger(), server_default=zero, nullable=False),
        sa.Column("sending_id", sa.Text(), comment="of the notification under way; a retry carries the same"),
        sa.Column("sending_to", sa.BigInteger(), comment="the last event of the notification under way"),
        sa.Column("attempts", sa.Integer(), server_default=zero, nullable=False),
        sa.Column("failing_since", moment),
        sa.Column("reason", sa.Text(), comment="stable code of the last failure"),
        sa.Column("sent_at", moment, comment="when the endpoint last took something"),
        sa.Column("due_at", moment, server_default=now, nullable=False),
        sa.Column("created_at", moment, server_default=now, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
        schema="cell",
    )
    op.create_index("subscribers_type", "subscribers", ["tenant", "type"], schema="cell")
    op.create_index("subscribers_due", "subscribers", ["due_at"], schema="cell")
    op.create_table(
        "notices",
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("xid", Xid8(), server_default=xid, nullable=False),
        sa.Column("created_at", moment, server_default=now, nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        schema="cell",
    )
    op.create_index("notices_tenant", "notices", ["tenant", "seq"], schema="cell")
    op.create_table(
        "events",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("subscription", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False, comment="from 1 without a gap"),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("verb", sa.Text(), nullable=False, comment="create | update | delete"),
        sa.Column("at", moment, nullable=False, comment="when the version was written"),
        sa.Column("created_at", moment, server_default=now, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "subscription", "number"),
        schema="cell",
    )
    op.create_index(
        "events_version",
        "events",
        ["tenant", "subscription", "type", "id", "version"],
        unique=True,
        schema="cell",
    )
    for statement in _ROW_SECURITY:
        op.execute(statement)
