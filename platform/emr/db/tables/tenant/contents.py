"""What lies in the object store, and the index of the images among it."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from emr.db.tables.tenant.columns import instant, metadata, now

blobs = Table(
    "blobs",
    metadata,
    Column("key", Text, primary_key=True, comment="random name under the hospital's prefix"),
    Column("digest", LargeBinary, nullable=False, comment="SHA-256 of the content"),
    Column("size", BigInteger, nullable=False, comment="bytes of the content"),
    Column("media_type", Text, nullable=False),
    Column("key_id", Text, nullable=False, comment="the data key that seals it"),
    Column("scan_state", Text, nullable=False, server_default="unscanned"),
    Column("retention_class", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=now),
    Index("blobs_digest", "digest"),
)

dicom_series = Table(
    "dicom_series",
    metadata,
    Column("series_uid", Text, primary_key=True),
    Column("study_uid", Text, nullable=False),
    Column("study_id", Text, nullable=False, comment="id of the ImagingStudy resource"),
    Column("patient", Text, comment="id of the Patient resource; NULL while nobody has matched the study"),
    Column("doubt", Text, comment="why no Patient was matched"),
    Column("modality", Text, nullable=False),
    Column("number", Integer),
    Column("patient_key", Text, nullable=False, comment="PatientID as sent"),
    Column("patient_name", Text, nullable=False, comment="folded; components parted by a space"),
    Column("study_date", Text, nullable=False, server_default="", comment="YYYYMMDD or empty"),
    Column("study_time", Text, nullable=False, server_default="", comment="HHMMSS or empty"),
    Column("accession", Text, nullable=False, server_default=""),
    Column("study_number", Text, nullable=False, server_default="", comment="Study ID as sent"),
    Column("referrer", Text, nullable=False, server_default="", comment="folded; components parted by a space"),
    Column("instances", Integer, nullable=False, comment="instances kept"),
    Column("listed", Integer, nullable=False, comment="instances that the ImagingStudy resource speaks of"),
    Column("attributes", JSONB, nullable=False, comment="DICOM JSON of study and series level"),
    instant("updated"),
    Index("dicom_series_study", "study_uid"),
    Index("dicom_series_patient", "patient_key"),
    Index("dicom_series_record", "patient"),
    Index("dicom_series_name", "patient_name", postgresql_ops={"patient_name": "text_pattern_ops"}),
    Index("dicom_series_newest", text("study_date DESC"), text("study_uid DESC")),
    Index("dicom_series_accession", "accession"),
)

dicom_instances = Table(
    "dicom_instances",
    metadata,
    Column("sop_uid", Text, primary_key=True),
    Column("series_uid", Text, nullable=False),
    Column("sop_class", Text, nullable=False),
    Column("number", Integer),
    Column("transfer_syntax", Text, nullable=False),
    Column("frames", Integer, nullable=False, comment="0 when there is nothing to show"),
    Column("digest", LargeBinary, nullable=False, comment="SHA-256 of transfer syntax and dataset"),
    Column("blob", Text, nullable=False),
    Column("size", BigInteger, nullable=False, comment="bytes of the stored file"),
    Column("attributes", JSONB, nullable=False, comment="DICOM JSON of instance level"),
    Column("metadata", LargeBinary, nullable=False, comment="whole DICOM JSON without bulk data, zlib"),
    Column("picture", JSONB, comment="where and how the pixels lie; NULL without pixels"),
    Column("bulk", JSONB, nullable=False, comment="tag to value representation, offset and length in the file"),
    Column("document", Text, comment="media type of an encapsulated document"),
    Column("stored_at", DateTime(timezone=True), nullable=False, server_default=now),
    Index("dicom_instances_series", "series_uid", "number"),
)
