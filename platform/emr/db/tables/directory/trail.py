"""The directory's own audit trail."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from emr.db.tables.directory.columns import metadata, now

audit_journal = Table(
    "audit_journal",
    metadata,
    Column("seq", BigInteger, Identity(always=True), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("row", Text, nullable=False, comment="canonical JSON; its UTF-8 bytes are what a seal covers"),
)

audit_events = Table(
    "audit_events",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False, comment="gapless"),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("action", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("patients", ARRAY(Text), nullable=False),
    Column("row", Text, nullable=False, comment="canonical JSON; its UTF-8 bytes are what a seal covers"),
    Index("audit_events_at", "at"),
)

audit_seals = Table(
    "audit_seals",
    metadata,
    Column("batch", BigInteger, primary_key=True, autoincrement=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False, comment="Merkle root over the rows"),
    Column("previous", LargeBinary, nullable=False, comment="hash of the seal before"),
    Column("hash", LargeBinary, nullable=False),
    Column("sealed_at", DateTime(timezone=True), nullable=False),
    Column("format", Integer, nullable=False),
)

audit_archives = Table(
    "audit_archives",
    metadata,
    Column("first", BigInteger, primary_key=True, autoincrement=False, comment="number of the first row in the file"),
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
    Column("archived_at", DateTime(timezone=True), nullable=False),
)

trail_keys = Table(
    "trail_keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("wrapped", LargeBinary, nullable=False, comment="the data key of the trail's files under the master key"),
    Column("wrapping_key_id", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=now),
)
