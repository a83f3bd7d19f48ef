"""Every cell at a glance."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from emr.db.cells import owner_urls
from emr.db.migrate import owner_engine
from emr.fleet.migration import cell_stands
from emr.settings import Database

_HELD: Final = text("SELECT cell, count(*) AS held FROM directory.tenants GROUP BY cell")


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell. room: for how many hospitals more. revision: of its own tables. answers: whether it was reached."""

    name: str
    hospitals: int
    room: int
    revision: str | None
    answers: bool


def cells(settings: Database) -> list[Cell]:
    """All that are configured, and those that hospitals name and nobody has configured. Raises `Invalid`."""
    urls = owner_urls(settings)
    with owner_engine(settings.owner_url).connect() as connection:
        held: dict[str, int] = {row.cell: row.held for row in connection.execute(_HELD)}
    found: list[Cell] = []
    for name in sorted(urls.keys() | held.keys()):
        count = held.get(name, 0)
        revision, answers = _asked(urls.get(name))
        room = max(0, settings.cell_hospitals - count) if name in urls else 0
        found.append(Cell(name, count, room, revision, answers))
    return found


def _asked(url: str | None) -> tuple[str | None, bool]:
    if url is None:
        return None, False
    try:
        return cell_stands(url), True
    except OperationalError:
        return None, False
