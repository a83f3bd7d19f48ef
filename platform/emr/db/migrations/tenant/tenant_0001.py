"""A hospital: the record and its index, the audit trail, objects and images.

Revision ID: tenant_0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from emr.db.tables.tenant import Xid8

revision = "tenant_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_events",
        sa.Column("number", sa.BigInteger(), nullable=False, comment="gapless within the hospital"),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("patients", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("row", sa.Text(), nullable=False, comment="canonical JSON; its UTF-8 bytes are what a seal covers"),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("audit_events_at", "audit_events", ["at"], unique=False)
    op.create_index(
        "audit_events_patients",
        "audit_events",
        ["patients"],
        unique=False,
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    )
    op.create_table(
        "audit_seals",
        sa.Column("batch", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False, comment="Merkle root over the rows"),
        sa.Column("previous", sa.LargeBinary(), nullable=False, comment="hash of the seal before"),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("format", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("batch"),
    )
    op.create_table(
        "blobs",
        sa.Column("key", sa.Text(), nullable=False, comment="random name under the hospital's prefix"),
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of the content"),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="bytes of the content"),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False, comment="the data key that seals it"),
        sa.Column("scan_state", sa.Text(), server_default="unscanned", nullable=False),
        sa.Column("retention_class", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("blobs_digest", "blobs", ["digest"], unique=False)
    op.create_table(
        "compartments",
        sa.Column("patient", sa.BigInteger(), nullable=False, comment="the Patient's pk"),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("pk", sa.BigInteger(), nullable=False),
    )
    op.create_index(
        "compartments_patient",
        "compartments",
        ["patient", "type", sa.literal_column("updated DESC"), sa.literal_column("pk DESC")],
        unique=False,
    )
    op.create_index("compartments_pk", "compartments", ["pk"], unique=False)
    op.create_table(
        "dates",
        sa.Column("key", sa.BigInteger(), nullable=False, comment="keyed BLAKE2b of type and parameter"),
        sa.Column("low", sa.DateTime(timezone=True), nullable=False),
        sa.Column("high", sa.DateTime(timezone=True), nullable=False),
        sa.Column("pk", sa.BigInteger(), nullable=False),
    )
    op.create_index("dates_high", "dates", ["key", "high"], unique=False)
    op.create_index("dates_low", "dates", ["key", "low"], unique=False)
    op.create_index("dates_pk", "dates", ["pk"], unique=False)
    op.create_table(
        "dicom_instances",
        sa.Column("sop_uid", sa.Text(), nullable=False),
        sa.Column("series_uid", sa.Text(), nullable=False),
        sa.Column("sop_class", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("transfer_syntax", sa.Text(), nullable=False),
        sa.Column("frames", sa.Integer(), nullable=False, comment="0 when there is nothing to show"),
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of transfer syntax and dataset"),
        sa.Column("blob", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="bytes of the stored file"),
        sa.Column(
            "attributes",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="DICOM JSON of instance level",
        ),
        sa.Column("metadata", sa.LargeBinary(), nullable=False, comment="whole DICOM JSON without bulk data, zlib"),
        sa.Column(
            "picture",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="where and how the pixels lie; NULL without pixels",
        ),
        sa.Column(
            "bulk",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="tag to value representation, offset and length in the file",
        ),
        sa.Column("document", sa.Text(), nullable=True, comment="media type of an encapsulated document"),
        sa.Column("stored_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("sop_uid"),
    )
    op.create_index("dicom_instances_series", "dicom_instances", ["series_uid", "number"], unique=False)
    op.create_table(
        "dicom_series",
        sa.Column("series_uid", sa.Text(), nullable=False),
        sa.Column("study_uid", sa.Text(), nullable=False),
        sa.Column("study_id", sa.Text(), nullable=False, comment="id of the ImagingStudy resource"),
        sa.Column(
            "patient",
            sa.Text(),
            nullable=True,
            comment="id of the Patient resource; NULL while nobody has matched the study",
        ),
        sa.Column("doubt", sa.Text(), nullable=True, comment="why no Patient was matched"),
        sa.Column("modality", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("patient_key", sa.Text(), nullable=False, comment="PatientID as sent"),
        sa.Column("patient_name", sa.Text(), nullable=False, comment="folded; components parted by a space"),
        sa.Column("study_date", sa.Text(), server_default="", nullable=False, comment="YYYYMMDD or empty"),
        sa.Column("study_time", sa.Text(), server_default="", nullable=False, comment="HHMMSS or empty"),
        sa.Column("accession", sa.Text(), server_default="", nullable=False),
        sa.Column("study_number", sa.Text(), server_default="", nullable=False, comment="Study ID as sent"),
        sa.Column(
            "referrer", sa.Text(), server_default="", nullable=False, comment="folded; components parted by a space"
        ),
        sa.Column("instances", sa.Integer(), nullable=False, comment="instances kept"),
        sa.Column("listed", sa.Integer(), nullable=False, comment="instances that the ImagingStudy resource speaks of"),
        sa.Column(
            "attributes",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="DICOM JSON of study and series level",
        ),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("series_uid"),
    )
    op.create_index("dicom_series_accession", "dicom_series", ["accession"], unique=False)
    op.create_index(
        "dicom_series_name",
        "dicom_series",
        ["patient_name"],
        unique=False,
        postgresql_ops={"patient_name": "text_pattern_ops"},
    )
    op.create_index(
        "dicom_series_newest",
        "dicom_series",
        [sa.literal_column("study_date DESC"), sa.literal_column("study_uid DESC")],
        unique=False,
    )
    op.create_index("dicom_series_patient", "dicom_series", ["patient_key"], unique=False)
    op.create_index("dicom_series_record", "dicom_series", ["patient"], unique=False)
    op.create_index("dicom_series_study", "dicom_series", ["study_uid"], unique=False)
    op.create_table(
        "idempotency_keys",
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_digest", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("principal", "route", "key"),
    )
    op.create_index("idempotency_keys_created", "idempotency_keys", ["created_at"], unique=False)
    op.create_table(
        "identifiers",
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False, comment="empty when the identifier has none"),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("pk", sa.BigInteger(), nullable=False),
    )
    op.create_index("identifiers_pk", "identifiers", ["pk"], unique=False)
    op.create_index("identifiers_value", "identifiers", ["type", "value", "system"], unique=False)
    op.create_table(
        "links",
        sa.Column("key", sa.BigInteger(), nullable=False, comment="keyed BLAKE2b of type, parameter and target"),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("pk", sa.BigInteger(), nullable=False),
    )
    op.create_index(
        "links_key", "links", ["key", sa.literal_column("updated DESC"), sa.literal_column("pk DESC")], unique=False
    )
    op.create_index("links_pk", "links", ["pk"], unique=False)
    op.create_table(
        "resource_versions",
        sa.Column("pk", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("xid", Xid8(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("pk", "version"),
    )
    op.create_table(
        "resources",
        sa.Column(
            "pk",
            sa.BigInteger(),
            sa.Identity(always=False),
            nullable=False,
            comment="short name of the resource inside the index",
        ),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.Column("deleted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "patients",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="ids of the Patients whose compartments it is in",
        ),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="first byte: codec; then the JSON text"),
        sa.PrimaryKeyConstraint("pk"),
    )
    op.create_index("resources_identity", "resources", ["type", "id"], unique=True)
    op.create_index(
        "resources_newest",
        "resources",
        ["type", sa.literal_column("updated DESC"), sa.literal_column("pk DESC")],
        unique=False,
    )
    op.create_table(
        "strings",
        sa.Column("key", sa.BigInteger(), nullable=False, comment="keyed BLAKE2b of type and parameter"),
        sa.Column("value", sa.Text(), nullable=False, comment="folded: no accents, lower case, at most 200 characters"),
        sa.Column("raw", sa.Text(), nullable=False, comment="as written in NFC, at most 200 characters; for :exact"),
        sa.Column("pk", sa.BigInteger(), nullable=False),
    )
    op.create_index(
        "strings_key", "strings", ["key", "value"], unique=False, postgresql_ops={"value": "text_pattern_ops"}
    )
    op.create_index("strings_pk", "strings", ["pk"], unique=False)
    op.create_table(
        "tokens",
        sa.Column("key", sa.BigInteger(), nullable=False, comment="keyed BLAKE2b of type, parameter and value"),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("pk", sa.BigInteger(), nullable=False),
    )
    op.create_index(
        "tokens_key", "tokens", ["key", sa.literal_column("updated DESC"), sa.literal_column("pk DESC")], unique=False
    )
    op.create_index("tokens_pk", "tokens", ["pk"], unique=False)

    op.execute("ALTER TABLE resources ALTER COLUMN body SET STORAGE EXTERNAL")
    op.execute("ALTER TABLE resource_versions ALTER COLUMN body SET STORAGE EXTERNAL")
