"""Who is signed in."""

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from emr.db.tables.directory.columns import metadata, now

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True, comment="SHA-256 of the cookie"),
    Column("id", Text, nullable=False, unique=True),
    Column("subject", Text, nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("provider_session", Text, index=True, comment="the provider's `sid`"),
    Column("organization_ids", ARRAY(Text), nullable=False, comment="organizations that the last token carried"),
    Column("refresh_token", LargeBinary, comment="sealed"),
    Column("id_token", LargeBinary, comment="sealed; needed to sign out at the provider"),
    Column("token_expires_at", DateTime(timezone=True), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=now),
    Column("seen_at", DateTime(timezone=True), nullable=False, server_default=now),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("revoked_at", DateTime(timezone=True)),
    Column("authenticated_at", DateTime(timezone=True), nullable=False, server_default=now, comment="`auth_time`"),
    Column("strong", Boolean, nullable=False, server_default=text("false"), comment="a second factor was proved"),
    Column("device", Text, nullable=False, server_default="", comment="kind of browser and system, for its owner"),
    Column("used_in", ARRAY(Text), nullable=False, server_default=text("'{}'"), comment="ids of hospitals"),
    Column("lock_minutes", Integer, comment="the fewest of the hospitals where it was used"),
    Column("locked_at", DateTime(timezone=True)),
    Column("unlock_tries", Integer, nullable=False, server_default=text("0"), comment="PINs tried since one was right"),
    Column(
        "through",
        Text,
        nullable=False,
        server_default="",
        comment="the hospital's own provider that the person came by, as the provider names it",
    ),
)

pins = Table(
    "pins",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("hash", Text, nullable=False, comment="scrypt of the PIN under the platform's key"),
    Column("set_at", DateTime(timezone=True), nullable=False, server_default=now),
)
