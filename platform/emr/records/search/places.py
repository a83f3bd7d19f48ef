"""Where a page ends and the next one goes on: a sealed cursor with the criteria and the place of the last resource."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from emr.db.connection import Row
from emr.kernel.paging import open_cursor, seal_cursor
from emr.records.errors import SearchRefused
from emr.records.search.question import Question, Sort
from emr.work.unit import UnitOfWork

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Place:
    """The last resource of a page: its values of the sort keys as text, and its pk."""

    values: tuple[str, ...]
    pk: int

    def bound(self, sort: Sequence[Sort]) -> dict[str, Any]:
        """The values by the names of a statement's parameters."""
        found: dict[str, Any] = {"after_pk": self.pk}
        for number, (key, value) in enumerate(zip(sort, self.values, strict=True)):
            found[f"after{number}"] = _read(key.kind, value)
        return found


def opened(work: UnitOfWork, pairs: Pairs, about: str) -> tuple[Pairs, Place | None]:
    """What was asked when the page link was made, and where to go on; a first page is as it is asked now.

    `about`: the type, compartment or `*` of the address. A page link says everything but the size of a page,
    which a client may choose anew. Raises `SearchRefused`, `Malformed` for another's cursor.
    """
    cursors = [value for name, value in pairs if name == "_cursor"]
    if not cursors:
        return pairs, None
    counts = [pair for pair in pairs if pair[0] == "_count"]
    if len(cursors) > 1 or len(pairs) > 1 + len(counts):
        raise SearchRefused("cursor-alone", "A page link says everything; add nothing to it but _count.", "_cursor")
    state = open_cursor(work.runtime.signing_key, _audience(work, about), cursors[0])
    place = Place(tuple(state["at"]), state["pk"])
    return [(name, value) for name, value in state["asked"] if name != "_count" or not counts] + counts, place


def closed(work: UnitOfWork, question: Question, last: Row, about: str) -> str:
    """The cursor that goes on after a row."""
    values = [_written(last[f"at{number}"]) for number in range(len(question.sort))]
    state = {"asked": question.echo, "at": values, "pk": last["pk"]}
    return seal_cursor(work.runtime.signing_key, _audience(work, about), state)


def _audience(work: UnitOfWork, about: str) -> str:
    return f"search:{work.tenant.schema}:{about}"


def _written(at: datetime | str | Decimal) -> str:
    """The driver gives PostgreSQL's infinities, where resources without a date stand, as moments without a zone."""
    if isinstance(at, datetime):
        return (at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)).isoformat()
    return str(at)


def _read(kind: str, value: str) -> datetime | str | Decimal:
    if kind in ("updated", "date"):
        return datetime.fromisoformat(value).astimezone(UTC)
    return Decimal(value) if kind in ("number", "quantity") else value
