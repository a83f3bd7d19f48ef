"""Who may see whom: care relationships, broken glass and support in `grants`; labels and concerns of each resource.

Revision ID: tenant_0007
Revises: tenant_0006
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "tenant_0007"
down_revision = "tenant_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    told = "whose data all versions together may tell, where `patients` does not say it; NULL: where it does"
    op.add_column("resources", sa.Column("concerns", postgresql.ARRAY(sa.Text()), nullable=True, comment=told))
    labels: sa.Column[list[str]] = sa.Column(
        "labels", postgresql.ARRAY(sa.Text()), comment="labels of sensitive records; NULL: none"
    )
    op.add_column("resources", labels)
    op.create_index("resources_labelled", "resources", ["type"], postgresql_where=sa.text("labels IS NOT NULL"))
    op.create_table(
        "grants",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("patient", sa.Text(), nullable=False, comment="id of the Patient; *: everybody"),
        sa.Column("grantee", sa.Text(), nullable=False, comment="subject:…, practitioner:…, ward:…"),
        sa.Column(
            "basis",
            sa.Text(),
            nullable=False,
            comment="encounter | appointment | referral | author | break-glass | support",
        ),
        sa.Column(
            "source", sa.Text(), nullable=False, comment="type/id of the resource that says so; empty: a person did"
        ),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True, comment="NULL: open"),
        sa.Column(
            "granted_by", sa.Text(), nullable=False, comment="subject of who wrote the source, or gave the grant"
        ),
        sa.Column("detail", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reviewed_by", sa.Text(), nullable=True, comment="subject"),
        sa.Column("verdict", sa.Text(), nullable=True, comment="justified | not-justified"),
        sa.Column("finding", sa.Text(), nullable=True, comment="the review in words"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("grants_grantee", "grants", ["grantee", "patient"])
    op.create_index("grants_source", "grants", ["source"])
    op.create_index(
        "grants_given",
        "grants",
        ["basis", "since"],
        postgresql_where=sa.text("basis IN ('break-glass', 'support')"),
    )
