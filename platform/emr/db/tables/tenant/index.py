"""The search index beside the record: one row per value; keys are hashes with the key of the hospital."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR

from emr.db.tables.tenant.columns import instant, metadata, now

tokens = Table(
    "tokens",
    metadata,
    Column("key", BigInteger, nullable=False, comment="keyed BLAKE2b of element path and code"),
    instant("updated"),
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
    instant("updated"),
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
    instant("low"),
    instant("high"),
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
    instant("updated"),
    Column("pk", BigInteger, nullable=False),
    Index("compartments_patient", "patient", "type", "updated", "pk"),
    Index("compartments_pk", "pk"),
)

indexing = Table(
    "indexing",
    metadata,
    Column("name", Text, primary_key=True, comment="record: the format of the rows above; others: work under way"),
    Column("state", JSONB, nullable=False),
    Column("updated", DateTime(timezone=True), nullable=False, server_default=now),
)
