"""Rows as PostgreSQL's COPY takes them, for new resources that come by the hundred.

They are the rows that the statement which stores would have put in from arrays: the versions themselves, their words,
and those of the four tables with the most of them. Made here they are one run of bytes for a table, which is passed on
instead of being taken apart value by value, and PostgreSQL writes many of them at a time.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import repeat
from struct import Struct
from typing import Final, NamedTuple

from emr.db.connection import CopyForm
from emr.definitions.dates import FAR_FUTURE, FAR_PAST
from emr.records.index import IndexRows

_HEAD: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
"""Signature, flags and the length of an extension (postgresql.org/docs/current/sql-copy.html, Binary Format)."""
_END: Final = b"\xff\xff"
_TOKEN: Final = Struct(">hiqiqiqii").pack
_LINK: Final = Struct(">hiqiqiqiq").pack
_MEMBER: Final = Struct(">hiqi").pack
_MEMBER_REST: Final = Struct(">iqiq").pack
_PK: Final = Struct(">hiq").pack
_FIRST: Final = Struct(">iiiqibi").pack
_LENGTH: Final = Struct(">i").pack
_NUMBER: Final = Struct(">ii").pack
_EMPTY: Final = Struct(">iiii").pack
_SOME: Final = Struct(">iiiiii").pack
"""Of each row the number of its values, and before each value its length in bytes."""
_TEXT: Final = 25
_INT4: Final = 23
"""The numbers of these types (catalogue `pg_type`), which never change."""
_RESOURCE_COLUMNS: Final = ("pk", "type", "id", "version", "updated", "deleted", "body", "patients", "present")
_RESOURCE_VALUES: Final = len(_RESOURCE_COLUMNS)
_ESCAPED: Final = "\\\n\r\t"
_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
_FOUR, _EIGHT = repeat(4), repeat(8)
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_ENDLESS: Final = {FAR_PAST: -(1 << 63), FAR_FUTURE: (1 << 63) - 1}


class Copy(NamedTuple):
    """What is copied into a table: its columns, and the rows in one of COPY's formats."""

    table: str
    columns: tuple[str, ...]
    data: bytes
    form: CopyForm = "binary"


class Version(NamedTuple):
    """A first version as its row in `resources` has it: `body` as it is kept, `present` as numbers joined by commas."""

    type: str
    id: str
    updated: datetime
    body: bytes
    patients: tuple[str, ...]
    present: str


def copies(index: IndexRows, versions: Mapping[int, Version]) -> list[Copy]:
    """The rows of the versions, and of their words, tokens, links, dates and compartments, which are taken out of
    `index`. versions: by pk.
    """
    moments = {pk: _moment(each.updated) for pk, each in versions.items()}
    made = [
        Copy("resources", _RESOURCE_COLUMNS, _whole(_resources(versions, moments))),
        Copy("tokens", ("key", "updated", "pk", "system"), _whole(_tokens(index, moments))),
        Copy("links", ("path", "target", "updated", "pk"), _whole(_links(index, moments))),
        Copy("dates", ("key", "low", "high", "pk"), _whole(_dates(index))),
        Copy("compartments", ("patient", "type", "updated", "pk"), _whole(_members(index, versions, moments))),
        Copy("words", ("pk", "content"), _words(index), "text"),
    ]
    index.drop_copied()
    return made


def _resources(versions: Mapping[int, Version], moments: Mapping[int, int]) -> Iterable[bytes]:
    for pk, each in versions.items():
        kind, name = each.type.encode(), each.id.encode()
        patients = [patient.encode() for patient in each.patients]
        present = each.present.split(",") if each.present else ()
        yield b"".join(
            (
                _PK(_RESOURCE_VALUES, 8, pk),
                _LENGTH(len(kind)), kind,
                _LENGTH(len(name)), name,
                _FIRST(4, 1, 8, moments[pk], 1, 0, len(each.body)), each.body,
                _array(_TEXT, [_LENGTH(len(patient)) + patient for patient in patients]),
                _array(_INT4, [_NUMBER(4, int(number)) for number in present]),
            )
        )  # fmt: skip


def _array(kind: int, values: Sequence[bytes]) -> bytes:
    """An array as PostgreSQL sends and takes it: dimensions, no nulls, the type; then how many there are from 1 on."""
    if not values:
        return _EMPTY(12, 0, 0, kind)
    content = b"".join(values)
    return _SOME(20 + len(content), 1, 0, kind, len(values), 1) + content


def _words(index: IndexRows) -> bytes:
    """As text, which PostgreSQL reads into a `tsvector`."""
    pairs = zip(index.word_pks, index.word_contents, strict=True)
    return "".join([f"{pk}\t{_escaped(content)}\n" for pk, content in pairs]).encode()


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES) if any(sign in text for sign in _ESCAPED) else text


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
