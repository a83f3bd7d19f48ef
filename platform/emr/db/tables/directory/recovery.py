"""What was done so that a hospital can be brought back: backups, pasts that were opened, rehearsals."""

from sqlalchemy import BigInteger, Boolean, Column, DateTime, ForeignKey, Identity, Index, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from emr.db.tables.directory.columns import metadata
from emr.db.tables.directory.hospitals import tenants

backups = Table(
    "backups",
    metadata,
    Column("number", BigInteger, Identity(always=True), primary_key=True),
    Column("cell", Text, nullable=False),
    Column("kind", Text, nullable=False, comment="full | diff | incr"),
    Column("label", Text, comment="pgBackRest's name of it; null: it failed"),
    Column("began_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True), nullable=False),
    Column("size", BigInteger, comment="bytes of the cell's files"),
    Column("stored", BigInteger, comment="bytes that it added to the repository"),
    Column("position", Text, comment="place in the write-ahead log from which on a restore of it is whole"),
    Column("error", Text),
    Index("backups_cell", "cell", "number"),
)

rewinds = Table(
    "rewinds",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant_id", Text, ForeignKey(tenants.c.id), nullable=False, index=True),
    Column("schema", Text, nullable=False, unique=True, comment="where the past lies, in that cell"),
    Column("cell", Text, nullable=False),
    Column("moment", DateTime(timezone=True), nullable=False),
    Column("state", Text, nullable=False, comment="opening | open | failed | dropped"),
    Column("backup", Text, nullable=False, comment="label of the backup that it was restored from"),
    Column("revision", Text, nullable=False, comment="migration that the past stands at"),
    Column("reason", Text, nullable=False),
    Column("opened_by", Text, nullable=False),
    Column("asked_at", DateTime(timezone=True), nullable=False),
    Column("opened_at", DateTime(timezone=True)),
    Column("closes_at", DateTime(timezone=True), nullable=False),
    Column("dropped_at", DateTime(timezone=True)),
    Column("error", Text),
)

rehearsals = Table(
    "rehearsals",
    metadata,
    Column("number", BigInteger, Identity(always=True), primary_key=True),
    Column("tenant_id", Text, ForeignKey(tenants.c.id), nullable=False, index=True),
    Column("cell", Text, nullable=False),
    Column("moment", DateTime(timezone=True), nullable=False, comment="to which the hospital was restored"),
    Column("began_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True), nullable=False),
    Column("backup", Text, comment="label of the backup"),
    Column("passed", Boolean, nullable=False),
    Column("findings", JSONB, nullable=False, comment="what was counted, here and there, and what differs"),
)
