"""A hospital: its record with all versions, the search index beside it, its audit trail, its objects and images.

Tables carry no schema: the same family stands once in each hospital's schema. At most 24 tables, since a backend
keeps about 44 KB for each one that it has touched.
"""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR
from sqlalchemy.types import UserDefinedType

metadata = MetaData()

_now = text("now()")


class Xid8(UserDefinedType[int]):
    """A transaction id that does not wrap around (PostgreSQL's `xid8`)."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """The type's name in DDL."""
        return "xid8"


def _instant(name: str) -> Column[datetime]:
    return Column(name, DateTime(timezone=True), nullable=False)


resources = Table(
    "resources",
    metadata,
    Column("pk", BigInteger, Identity(), primary_key=True, comment="short name of the resource inside the index"),
    Column("type", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    _instant("updated"),
    Column("xid", Xid8, nullable=False, server_default=text("pg_current_xact_id()")),
    Column("deleted", Boolean, nullable=False, server_default=text("false")),
    Column("patients", ARRAY(Text), nullable=False, comment="ids of the Patients whose compartments it is in"),
    Column("body", LargeBinary, nullable=False, comment="first byte: codec; then the JSON text"),
    Column(
        "present",
        ARRAY(Integer),
        nullable=False,
        server_default=text("'{}'"),
        comment="31-bit hashes of the search parameters that have a value",
    ),
    Column(
        "concerns",
        ARRAY(Text),
        comment="whose data all versions together may tell, where `patients` does not say it; NULL: where it does",
    ),
    Column("labels", ARRAY(Text), comment="labels of sensitive records; NULL: none"),
    Index("resources_identity", "id", "type", unique=True),
    Index("resources_newest", "type", text("updated DESC"), text("pk DESC")),
    Index("resources_labelled", "type", postgresql_where=text("labels IS NOT NULL")),
)

resource_versions = Table(
    "resource_versions",
    metadata,
    Column("pk", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    _instant("updated"),
    Column("xid", Xid8, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("pk", "version"),
    Index("resource_versions_newest", text("updated DESC"), text("pk DESC"), text("version DESC")),
)

tokens = Table(
    "tokens",
    metadata,
    Column("key", BigInteger, nullable=False, comment="keyed BLAKE2b of element path and code"),
    _instant("updated"),
    Column("pk", BigInteger, nullable=False),
    Column(
        "system",
        Integer,
        nullable=False,
        comment="31 bits of the keyed BLAKE2b of the code's system; negative where another stands for the code",
    ),
    Index("tokens_key", "key", text("updated DESC"), text("pk DESC"), "system"),
    Index("tokens_pk", "pk"),
)

links = Table(
    "links",
    metadata,
    Column("path", BigInteger, nullable=False, comment="keyed BLAKE2b of element path"),
    Column("target", BigInteger, nullable=False, comment="pk of what is here; keyed BLAKE2b of an address elsewhere"),
    _instant("updated"),
    Column("pk", BigInteger, nullable=False),
    Index("links_target", "path", "target", text("updated DESC"), text("pk DESC")),
    Index("links_pk", "pk"),
)

strings = Table(
    "strings",
    metadata,
    Column("key", BigInteger, nullable=False, comment="keyed BLAKE2b of element path"),
    Column("value", Text, nullable=False, comment="folded: no accents, lower case, at most 200 characters"),
    Column("raw", Text, comment="as written, at most 200 characters, for :exact; NULL: the same as value"),
    Column("pk", BigInteger, nullable=False),
    Index("strings_key", "key", "value", postgresql_ops={"value": "text_pattern_ops"}),
    Index("strings_pk", "pk"),
)

dates = Table(
    "dates",
    metadata,
    Column("key", BigInteger, nullable=False, comment="keyed BLAKE2b of element path"),
    _instant("low"),
    _instant("high"),
    Column("pk", BigInteger, nullable=False),
    Index("dates_low", "key", "low"),
    Index("dates_high", "key", "high"),
    Index("dates_pk", "pk"),
)

quantities = Table(
    "quantities",
    metadata,
    Column("key", BigInteger, nullable=False, comment="keyed BLAKE2b of element path and unit"),
    Column("low", Numeric, nullable=False, comment="-Infinity where open"),
    Column("high", Numeric, nullable=False, comment="Infinity where open"),
    Column("pk", BigInteger, nullable=False),
    Index("quantities_key", "key", "high", "low"),
    Index("quantities_pk", "pk"),
)

composites = Table(
    "composites",
    metadata,
    Column("key", BigInteger, nullable=False, comment="keyed BLAKE2b of element path, codes and unit"),
    Column("low", Numeric, comment="of the quantity, of the number or, in seconds since 1970, of the date"),
    Column("high", Numeric),
    Column("value", Text, comment="of the string, folded"),
    Column("pk", BigInteger, nullable=False),
    Index("composites_key", "key", "high", "low"),
    Index("composites_pk", "pk"),
)

words = Table(
    "words",
    metadata,
    Column("pk", BigInteger, primary_key=True, autoincrement=False),
    Column(
        "content",
        TSVECTOR,
        nullable=False,
        comment="folded words; behind > those of the narrative, behind ~ ^ | what a path marks",
    ),
    # New words stand in a list of at most 64 KiB (the least that there is), which each search reads through, until
    # somebody's insertion fills it: then each word goes into the index once for all rows that have it.
    Index(
        "words_content",
        "content",
        postgresql_using="gin",
        postgresql_with={"fastupdate": "on", "gin_pending_list_limit": "64"},
    ),
)

identifiers = Table(
    "identifiers",
    metadata,
    Column("type", Text, nullable=False),
    Column("system", Text, nullable=False, comment="empty when the identifier has none"),
    Column("value", Text, nullable=False),
    Column("pk", BigInteger, nullable=False),
    Index("identifiers_value", "type", "value", "system"),
    Index("identifiers_pk", "pk"),
)

compartments = Table(
    "compartments",
    metadata,
    Column("patient", BigInteger, nullable=False, comment="the Patient's pk"),
    Column("type", Text, nullable=False),
    _instant("updated"),
    Column("pk", BigInteger, nullable=False),
    Index("compartments_patient", "patient", "type", "updated", "pk"),
    Index("compartments_pk", "pk"),
)

indexing = Table(
    "indexing",
    metadata,
    Column("name", Text, primary_key=True, comment="record: the format of the rows above; others: work under way"),
    Column("state", JSONB, nullable=False),
    Column("updated", DateTime(timezone=True), nullable=False, server_default=_now),
)

audit_events = Table(
    "audit_events",
    metadata,
    Column("number", BigInteger, primary_key=True, comment="gapless within the hospital"),
    _instant("at"),
    Column("action", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("patients", ARRAY(Text), nullable=False),
    Column("row", Text, nullable=False, comment="canonical JSON; its UTF-8 bytes are what a seal covers"),
    Index("audit_events_at", "at"),
    Index("audit_events_actor", "actor", text("number DESC")),
    Index("audit_events_patients", "patients", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
)

audit_seals = Table(
    "audit_seals",
    metadata,
    Column("batch", BigInteger, primary_key=True),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False, comment="Merkle root over the rows"),
    Column("previous", LargeBinary, nullable=False, comment="hash of the seal before"),
    Column("hash", LargeBinary, nullable=False),
    _instant("sealed_at"),
    Column("format", Integer, nullable=False),
)

audit_archives = Table(
    "audit_archives",
    metadata,
    Column("first", BigInteger, primary_key=True, comment="number of the first row in the file"),
    Column("last", BigInteger, nullable=False),
    Column("first_batch", BigInteger, nullable=False),
    Column("last_batch", BigInteger, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False, comment="the earliest `at` of its rows"),
    Column("until", DateTime(timezone=True), nullable=False, comment="the latest"),
    Column("patients", ARRAY(Text), nullable=False, comment="whose data its rows tell of"),
    Column("actors", ARRAY(Text), nullable=False, comment="subjects of who acted"),
    Column("key", Text, nullable=False, comment="its object, sealed as every blob is"),
    Column("digest", LargeBinary, nullable=False, comment="SHA-256 of the file before it was sealed"),
    Column("size", BigInteger, nullable=False, comment="bytes of that"),
    Column("key_id", Text, nullable=False, comment="the data key that seals it"),
    _instant("archived_at"),
    Index("audit_archives_patients", "patients", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
)

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
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=_now),
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
    _instant("updated"),
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
    Column("stored_at", DateTime(timezone=True), nullable=False, server_default=_now),
    Index("dicom_instances_series", "series_uid", "number"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("principal", Text, primary_key=True),
    Column("route", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_digest", LargeBinary, nullable=False),
    Column("status", Integer, nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=_now),
    Index("idempotency_keys_created", "created_at"),
)

bulk_jobs = Table(
    "bulk_jobs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False, comment="export | import | upload"),
    Column("state", Text, nullable=False, comment="waiting | running | done | failed | ending | forgotten"),
    Column("subject", Text, nullable=False, comment="whose job it is; nobody else finds it"),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False, comment="the role at the kick-off, whose sight the job has"),
    Column("request", Text, nullable=False, comment="the address of the kick-off"),
    Column("asked", JSONB, nullable=False, comment="what is wanted"),
    Column("moment", DateTime(timezone=True), nullable=False, comment="transactionTime of an export"),
    Column("snapshot", Text, nullable=False, comment="pg_snapshot of that moment: what the export shows"),
    Column("progress", JSONB, nullable=False, comment="how far the pieces have come"),
    Column("files", JSONB, nullable=False, comment="role, type, blob, lines and size of each file"),
    Column("attempts", Integer, nullable=False, server_default=text("0"), comment="of the piece that is next"),
    Column("error", Text),
    Column("runner", BigInteger, nullable=False, server_default=text("0"), comment="fence of the worker that has it"),
    Column("not_before", DateTime(timezone=True), nullable=False, server_default=_now),
    Column("polled_at", DateTime(timezone=True)),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=_now),
    Column("finished_at", DateTime(timezone=True)),
    Index("bulk_jobs_open", "not_before", "id", postgresql_where=text("state IN ('waiting', 'running')")),
    Index("bulk_jobs_moment", "moment", postgresql_where=text("kind = 'export'")),
)

grants = Table(
    "grants",
    metadata,
    Column("id", Text, primary_key=True),
    Column("patient", Text, nullable=False, comment="id of the Patient; *: everybody"),
    Column("grantee", Text, nullable=False, comment="subject:…, practitioner:…, ward:…"),
    Column(
        "basis", Text, nullable=False, comment="encounter | appointment | referral | author | break-glass | support"
    ),
    Column("source", Text, nullable=False, comment="type/id of the resource that says so; empty: a person did"),
    _instant("since"),
    Column("until", DateTime(timezone=True), comment="NULL: open"),
    Column("granted_by", Text, nullable=False, comment="subject of who wrote the source, or gave the grant"),
    Column("detail", JSONB, nullable=False, server_default=text("'{}'")),
    Column("reviewed_at", DateTime(timezone=True)),
    Column("reviewed_by", Text, comment="subject"),
    Column("verdict", Text, comment="justified | not-justified"),
    Column("finding", Text, comment="the review in words"),
    Index("grants_grantee", "grantee", "patient"),
    Index("grants_source", "source"),
    Index("grants_given", "basis", "since", postgresql_where=text("basis IN ('break-glass', 'support')")),
)

retention_holds = Table(
    "retention_holds",
    metadata,
    Column("id", Text, primary_key=True),
    Column("patient", Text, nullable=False, comment="id of the Patient; *: the whole record"),
    Column("reason", Text, nullable=False, comment="whose order it is, and its number"),
    Column("placed_by", Text, nullable=False, comment="subject"),
    _instant("placed_at"),
    Column("released_at", DateTime(timezone=True), comment="NULL: it stands"),
    Column("released_by", Text, comment="subject"),
    Column("release_reason", Text),
)

IMMUTABLE = frozenset({"resource_versions", "audit_events", "audit_seals", "audit_archives"})
"""Tables where a hospital's role may add and read, and nothing else."""
