"""What the tables of a hospital are declared with."""

from datetime import datetime

from sqlalchemy import (
    Column,
    DateTime,
    MetaData,
    text,
)
from sqlalchemy.types import UserDefinedType

metadata = MetaData()

now = text("now()")


class Xid8(UserDefinedType[int]):
    """A transaction id that does not wrap around (PostgreSQL's `xid8`)."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """The type's name in DDL."""
        return "xid8"


def instant(name: str) -> Column[datetime]:
    """A moment that is always known."""
    return Column(name, DateTime(timezone=True), nullable=False)
