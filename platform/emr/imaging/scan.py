"""A walk over the structure of a DICOM file that trusts nothing in it.

It reads tags and lengths only (PS3.5 section 7), keeps an explicit stack instead of recursion, and never copies a
value, so that its memory does not depend on what the file claims. What passes here is safe to give to a full parser.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from pydicom._dicom_dict import DicomDictionary

from emr.imaging.errors import BrokenStructure, HeaderTooLarge, NotDicom, UnsupportedSyntax
from emr.imaging.parsed import Bulk
from emr.imaging.syntaxes import IMPLICIT_LITTLE_ENDIAN, SYNTAXES

Buffer = bytes | memoryview

MAX_DEPTH = 64
MAX_ELEMENTS = 300_000
MAX_FRAGMENTS = 65_536
MAX_HEADER = 16 * 1024 * 1024
BULK_FROM = 64 * 1024

_UNDEFINED = 0xFFFFFFFF
_PIXEL_DATA = 0x7FE00010
_PIXELS = frozenset({0x7FE00008, 0x7FE00009, _PIXEL_DATA})
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_SHORT = frozenset(
    {b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FL", b"FD", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS"}
    | {b"ST", b"TM", b"UI", b"UL", b"US"}
)
_BULK = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"UN"})


@dataclass(frozen=True, slots=True)
class Fragment:
    """One item of encapsulated pixel data (PS3.5 annex A.4): offset and length of its value."""

    offset: int
    length: int


@dataclass(slots=True)
class Structure:
    """Where things lie in one DICOM file; offsets in bytes from the file's start.

    dataset: the first byte after the file meta information. header: the ranges that together are the file without its
    bulk values. fragments: of encapsulated pixel data, the Basic Offset Table first.
    """

    syntax: str
    dataset: int
    header: list[tuple[int, int]] = field(default_factory=list)
    bulk: list[Bulk] = field(default_factory=list)
    pixels: Bulk | None = None
    fragments: list[Fragment] = field(default_factory=list)


@dataclass(slots=True)
class _Level:
    """One open sequence or item, and the tag that opened it.

    end: None when its length is undefined. bound: where it must be over. explicit: whether its elements name their VR.
    """

    tag: int
    sequence: bool
    end: int | None
    bound: int
    explicit: bool


def _name(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _broken(message: str, tag: int, code: str = "dicom-structure") -> BrokenStructure:
    return BrokenStructure(code, message, location=_name(tag))


class _Walk:
    """The state of one walk: a position, the open levels and what has been found."""

    def __init__(self, data: Buffer, structure: Structure) -> None:
        self.data = data
        self.size = len(data)
        self.at = structure.dataset
        self.found = structure
        self.elements = 0
        self.fragments = 0
        self.resume = 0
        explicit = structure.syntax != IMPLICIT_LITTLE_ENDIAN
        root = _Level(0, sequence=False, end=self.size, bound=self.size, explicit=explicit)
        self.levels = [root]

    def run(self) -> None:
        while True:
            self._close_full_levels()
            level = self.levels[-1]
            if len(self.levels) == 1 and self.at == self.size:
                break
            self.elements += 1
            if self.elements > MAX_ELEMENTS:
                raise HeaderTooLarge("dicom-header-too-large", f"more than {MAX_ELEMENTS} elements")
            if level.sequence:
                self._item(level)
            else:
                self._element(level)
        self.found.header.append((self.resume, self.size))
        _limit_header(self.found)

    def _close_full_levels(self) -> None:
        while len(self.levels) > 1 and self.levels[-1].end is not None and self.at >= self.levels[-1].bound:
            self.levels.pop()

    def _take(self, form: str, level: _Level, tag: int) -> tuple[int, ...]:
        end = self.at + struct.calcsize(form)
        if end > level.bound:
            raise _broken("the file ends inside an element or a sequence that was never closed", tag)
        values = struct.unpack_from(form, self.data, self.at)
        self.at = end
        return values

    def _item(self, level: _Level) -> None:
        group, element, length = self._take("<HHL", level, _ITEM)
        tag = group << 16 | element
        if tag == _SEQUENCE_END and level.end is None:
            self.levels.pop()
        elif tag == _ITEM:
            self._open(tag, length, level, sequence=False)
        else:
            raise _broken("a sequence holds something that is not an item", tag)

    def _element(self, level: _Level) -> None:
        start = self.at
        group, element = self._take("<HH", level, level.tag)
        tag = group << 16 | element
        if tag == _ITEM_END and level.end is None:
            self._take("<L", level, tag)
            self.levels.pop()
            return
        if group == 0xFFFE:
            raise _broken("an item mark stands outside of a sequence", tag)
        vr, length = self._representation(tag, level)
        if vr == b"SQ" or (length == _UNDEFINED and vr == b"UN"):
            self._open(tag, length, _implicit(level) if vr == b"UN" else level, sequence=True)
        elif length == _UNDEFINED:
            self._fragments(tag, level, start)
        else:
            self._value(Bulk(tag, vr.decode(), self.at, length), level, start)

    def _representation(self, tag: int, level: _Level) -> tuple[bytes, int]:
        if not level.explicit:
            known = DicomDictionary.get(tag)
            (length,) = self._take("<L", level, tag)
            return (known[0][:2].encode() if known else b"UN"), length
        vr = bytes(self.data[self.at : self.at + 2])
        if vr in _LONG:
            _, length = self._take("<LL", level, tag)
            return vr, length
        if vr not in _SHORT:
            raise _broken("the value representation is not one of DICOM's", tag)
        _, length = self._take("<HH", level, tag)
        return vr, length

    def _open(self, tag: int, length: int, level: _Level, *, sequence: bool) -> None:
        if len(self.levels) >= 2 * MAX_DEPTH:
            raise _broken(f"sequences are nested deeper than {MAX_DEPTH}", tag, "dicom-nesting")
        end = None if length == _UNDEFINED else self.at + length
        if end is not None and end > level.bound:
            raise _broken("the length is more than what is there", tag, "dicom-length")
        self.levels.append(_Level(tag, sequence, end, level.bound if end is None else end, level.explicit))

    def _value(self, value: Bulk, level: _Level, start: int) -> None:
        end = self.at + value.length
        if end > level.bound:
            raise _broken("the length is more than what is there", value.tag, "dicom-length")
        if len(self.levels) == 1 and (value.tag in _PIXELS or _is_bulk(value)):
            self._cut(start, end)
            if value.tag in _PIXELS:
                self.found.pixels = value
            else:
                self.found.bulk.append(value)
        self.at = end

    def _fragments(self, tag: int, level: _Level, start: int) -> None:
        if not level.explicit:
            raise _broken("encapsulated data cannot stand in an implicit dataset", tag)
        first = self.at
        found = list(self._read_fragments(tag, level))
        if len(self.levels) > 1:
            return
        self._cut(start, self.at)
        if tag == _PIXEL_DATA:
            self.found.pixels = Bulk(tag, "OB", first, self.at - first)
            self.found.fragments = found

    def _read_fragments(self, tag: int, level: _Level) -> Iterator[Fragment]:
        while True:
            self.fragments += 1
            if self.fragments > MAX_FRAGMENTS:
                raise HeaderTooLarge(
                    "dicom-header-too-large", f"more than {MAX_FRAGMENTS} fragments", location=_name(tag)
                )
            group, element, length = self._take("<HHL", level, tag)
            mark = group << 16 | element
            if mark == _SEQUENCE_END:
                return
            if mark != _ITEM or length == _UNDEFINED:
                raise _broken("encapsulated data holds something that is not a fragment", tag)
            if self.at + length > level.bound:
                raise _broken("the length is more than what is there", tag, "dicom-length")
            yield Fragment(self.at, length)
            self.at += length

    def _cut(self, start: int, end: int) -> None:
        self.found.header.append((self.resume, start))
        self.resume = end


def _implicit(level: _Level) -> _Level:
    """Content of an undefined-length UN is implicit little endian, whatever stands around it (PS3.5 section 6.2.2)."""
    return _Level(level.tag, level.sequence, level.end, level.bound, explicit=False)


def _is_bulk(value: Bulk) -> bool:
    return value.length >= BULK_FROM and value.vr.encode() in _BULK


def _limit_header(found: Structure) -> None:
    if sum(end - start for start, end in found.header) > MAX_HEADER:
        raise HeaderTooLarge("dicom-header-too-large", f"the header takes more than {MAX_HEADER} bytes")


def _file_meta(data: Buffer) -> tuple[int, str]:
    """Where the dataset begins and its transfer syntax (PS3.10 section 7.1). Raises NotDicom."""
    if len(data) < 144 or bytes(data[128:132]) != b"DICM":
        raise NotDicom("not-dicom", "no preamble with the prefix DICM")
    at, syntax = 132, ""
    while at + 8 <= len(data) and struct.unpack_from("<H", data, at)[0] == 0x0002:
        _, element, vr, length = struct.unpack_from("<HH2sH", data, at)
        at += 8
        if vr in _LONG:
            if at + 4 > len(data):
                raise NotDicom("not-dicom", "the file meta information is cut off")
            (length,) = struct.unpack_from("<L", data, at)
            at += 4
        if at + length > len(data):
            raise BrokenStructure(
                "dicom-length", "the length is more than what is there", location=f"(0002,{element:04X})"
            )
        if element == 0x0010:
            syntax = bytes(data[at : at + length]).rstrip(b"\0 ").decode("ascii", "replace")
        at += length
    if not syntax:
        raise NotDicom("not-dicom", "the file meta information names no transfer syntax", location="(0002,0010)")
    return at, syntax


def scan(data: Buffer) -> Structure:
    """Where things lie in `data`, a whole DICOM file.

    Raises NotDicom, BrokenStructure, HeaderTooLarge, UnsupportedSyntax.
    """
    dataset, syntax = _file_meta(data)
    if syntax not in SYNTAXES:
        shown = syntax if re.fullmatch(r"[0-9.]{1,64}", syntax) else "not a UID"
        raise UnsupportedSyntax(
            "dicom-transfer-syntax", f"the transfer syntax is not kept: {shown}", location="(0002,0010)"
        )
    structure = Structure(syntax, dataset)
    _Walk(data, structure).run()
    return structure
