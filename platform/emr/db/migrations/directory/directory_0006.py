"""Administration: accounts that the platform made, machine clients, access reviews, and when a member was last here.

Revision ID: directory_0006
Revises: directory_0005
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "directory_0006"
down_revision = "directory_0005"
branch_labels = None
depends_on = None

_NOW = sa.text("now()")


def upgrade() -> None:
    op.add_column("memberships", sa.Column("seen_on", sa.Date(), nullable=True, comment="last use"), schema="directory")
    op.add_column(
        "memberships",
        sa.Column(
            "scopes",
            postgresql.ARRAY(sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="SMART scopes that limit a machine's role; none: no limit",
        ),
        schema="directory",
    )
    op.create_table(
        "accounts",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("made_for", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.Column(
            "closing",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="the provider has not been told yet that the last membership is over",
        ),
        sa.ForeignKeyConstraint(["made_for"], ["directory.tenants.id"]),
        sa.PrimaryKeyConstraint("subject"),
        schema="directory",
    )
    _machines()
    _reviews()


def _machines() -> None:
    op.create_table(
        "machine_clients",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("jwks_url", sa.Text(), nullable=False, comment="public keys; empty: it has a secret"),
        sa.Column("registration_token", sa.LargeBinary(), nullable=False, comment="sealed"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.Column("rotated_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["directory.tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "subject"),
        sa.UniqueConstraint("client_id"),
        schema="directory",
    )


def _reviews() -> None:
    op.create_table(
        "access_reviews",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.Column("opened_by", sa.Text(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["directory.tenants.id"]),
        sa.PrimaryKeyConstraint("id"),
        schema="directory",
    )
    op.create_index("access_reviews_tenant", "access_reviews", ["tenant_id", "opened_at"], schema="directory")
    op.create_index(
        "access_reviews_open",
        "access_reviews",
        ["tenant_id"],
        unique=True,
        schema="directory",
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "access_review_lines",
        sa.Column("review_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("duties", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("seen_on", sa.Date(), nullable=True),
        sa.Column("decision", sa.Text(), nullable=True, comment="`kept` or `removed`"),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True, comment="subject"),
        sa.Column("decided_by_name", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["review_id"], ["directory.access_reviews.id"]),
        sa.PrimaryKeyConstraint("review_id", "subject"),
        schema="directory",
    )
