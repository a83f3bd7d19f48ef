"""The audit trail: its rows, the seals over them, and where old ones lie."""

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
from sqlalchemy.dialects.postgresql import ARRAY

from emr.db.tables.tenant.columns import instant, metadata

audit_events = Table(
    "audit_events",
    metadata,
    Column("number", BigInteger, primary_key=True, comment="gapless within the hospital"),
    instant("at"),
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
    instant("sealed_at"),
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
    instant("archived_at"),
    Index("audit_archives_patients", "patients", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
)
