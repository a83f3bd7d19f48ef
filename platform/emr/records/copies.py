"""Rows of the index as PostgreSQL's binary COPY takes them, for new resources that come by the hundred.

They are the rows that the statement which stores would have put in from arrays, of the four tables with the most of
them. Made here they are one run of bytes for a table, which is passed on instead of being taken apart value by value.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import repeat
from struct import Struct
from typing import Final, NamedTuple

from emr.definitions.dates import FAR_FUTURE, FAR_PAST
from emr.records.index import IndexRows

_HEAD: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
"""Signature, flags and the length of an extension (postgresql.org/docs/current/sql-copy.html, Binary Format)."""
_END: Final = b"\xff\xff"
_TOKEN: Final = Struct(">hiqiqiqii").pack
_LINK: Final = Struct(">hiqiqiqiq").pack
_MEMBER: Final = Struct(">hiqi").pack
_MEMBER_REST: Final = Struct(">iqiq").pack
"""Of each row the number of its values, and before each value its length in bytes."""
_FOUR, _EIGHT = repeat(4), repeat(8)
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_ENDLESS: Final = {FAR_PAST: -(1 << 63), FAR_FUTURE: (1 << 63) - 1}


class Copy(NamedTuple):
    """What is copied into a table: its columns, and the rows in COPY's binary format."""

    table: str
    columns: tuple[str, ...]
    data: bytes


class Version(NamedTuple):
    """What every row of a version bears: its type, and the moment of the change."""

    type: str
    updated: datetime


def copies(index: IndexRows, versions: Mapping[int, Version]) -> list[Copy]:
    """The rows of tokens, links, dates and compartments, which are taken out of `index`. versions: by pk."""
    moments = {pk: _moment(each.updated) for pk, each in versions.items()}
    made = [
        Copy("tokens", ("key", "updated", "pk", "system"), _whole(_tokens(index, moments))),
        Copy("links", ("path", "target", "updated", "pk"), _whole(_links(index, moments))),
        Copy("dates", ("key", "low", "high", "pk"), _whole(_dates(index))),
        Copy("compartments", ("patient", "type", "updated", "pk"), _whole(_members(index, versions, moments))),
    ]
    index.drop_copied()
    return made


def _tokens(index: IndexRows, moments: Mapping[int, int]) -> Iterable[bytes]:
    pks = index.token_pks
    updated = map(moments.__getitem__, pks)
    return map(_TOKEN, _FOUR, _EIGHT, index.token_keys, _EIGHT, updated, _EIGHT, pks, _FOUR, index.token_systems)


def _links(index: IndexRows, moments: Mapping[int, int]) -> Iterable[bytes]:
    pks = index.link_pks
    updated = map(moments.__getitem__, pks)
    return map(_LINK, _FOUR, _EIGHT, index.link_paths, _EIGHT, index.link_targets, _EIGHT, updated, _EIGHT, pks)


def _dates(index: IndexRows) -> Iterable[bytes]:
    lows, highs = map(_moment, index.date_lows), map(_moment, index.date_highs)
    return map(_LINK, _FOUR, _EIGHT, index.date_keys, _EIGHT, lows, _EIGHT, highs, _EIGHT, index.date_pks)


def _members(index: IndexRows, versions: Mapping[int, Version], moments: Mapping[int, int]) -> Iterable[bytes]:
    """In the order of their index, as `PUT_ROWS` has them too: it is smaller for it."""
    rows = sorted(
        (patient, versions[pk].type.encode(), moments[pk], pk)
        for patient, pk in zip(index.member_patients, index.member_pks, strict=True)
    )
    for patient, of_type, updated, pk in rows:
        yield _MEMBER(4, 8, patient, len(of_type)) + of_type + _MEMBER_REST(8, updated, 8, pk)


def _whole(rows: Iterable[bytes]) -> bytes:
    return b"".join((_HEAD, *rows, _END))


def _moment(moment: datetime) -> int:
    """Microseconds since the year 2000; what is open is infinite."""
    endless = _ENDLESS.get(moment)
    return (moment - _EPOCH) // _MICROSECOND if endless is None else endless
