"""The owner's transaction in a hospital's cell, beside one in the directory."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from emr.db.cells import owner_url
from emr.db.migrate import owner_engine
from emr.settings import Database


@contextmanager
def in_cell(directory: Connection, settings: Database, cell: str) -> Iterator[Connection]:
    """The directory's own transaction where both are one database; else one of the cell's, which commits first.

    What is left of a process that dies between both is a schema that no hospital has. Raises `Invalid` for a cell that
    is not configured.
    """
    url = owner_url(settings, cell)
    if url == settings.owner_url:
        yield directory
        return
    with owner_engine(url).begin() as connection:
        yield connection
