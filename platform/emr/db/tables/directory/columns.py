"""What the tables of the directory are declared with."""

from sqlalchemy import (
    MetaData,
    text,
)

metadata = MetaData(schema="directory")

now = text("now()")
