"""The current version of each resource, and every earlier one."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from emr.db.tables.tenant.columns import Xid8, instant, metadata

resources = Table(
    "resources",
    metadata,
    Column("pk", BigInteger, Identity(), primary_key=True, comment="short name of the resource inside the index"),
    Column("type", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    instant("updated"),
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
    instant("updated"),
    Column("xid", Xid8, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("pk", "version"),
    Index("resource_versions_newest", text("updated DESC"), text("pk DESC"), text("version DESC")),
)
