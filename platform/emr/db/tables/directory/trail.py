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

from emr.db.tables.directory.columns import metadata

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
