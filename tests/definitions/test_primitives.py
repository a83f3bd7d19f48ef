"""The primitive types of R4, with the examples and the edges of the specification's table."""

from base64 import b64encode
from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emr.definitions.primitives import TESTS, decoded
from emr.kernel.json import Number

GOOD = {
    "base64Binary": ["aGVsbG8=", "aGVs bG8=", "AAAA"],
    "boolean": [True, False],
    "canonical": ["http://hl7.org/fhir/ValueSet/a|4.0.1", "#x"],
    "code": ["male", "two words", "a-b_c"],
    "date": ["2018", "1973-06", "1905-08-23", "2024-02-29", "2000-02-29", "9999-12-31", "0001-01-01"],
    "dateTime": [
        "2018",
        "1973-06",
        "1905-08-23",
        "2015-02-07T13:28:17-05:00",
        "2017-01-01T00:00:00.000Z",
        "2016-12-31T23:59:60Z",
    ],
    "decimal": [0, -3, Number("1.10"), Number("1E5"), 1.5],
    "id": ["a", "A-b.9", "x" * 64],
    "instant": ["2015-02-07T13:28:17.239+02:00", "2017-01-01T00:00:00Z"],
    "integer": [0, -(2**31), 2**31 - 1],
    "markdown": ["# Tiêu đề\n\n* a"],
    "oid": ["urn:oid:1.2.3.4.5", "urn:oid:2.16.704.999"],
    "positiveInt": [1, 2**31 - 1],
    "string": ["x", " x ", "a\tb\r\nc", "<script>", "🏠", "ថាច់"],
    "time": ["00:00:00", "23:59:59.999", "07:30:60"],
    "unsignedInt": [0, 7],
    "uri": ["urn:isbn:0451450523", "a/b", "#"],
    "url": ["https://example.org/a?b=c", "mailto:a@b"],
    "uuid": ["urn:uuid:c757873d-ec9a-4326-a141-556f43239520"],
}
BAD = {
    "base64Binary": ["", "@@@", "abc", "aGVsbG8", "=AAA", "AA=A", 3, "aGVsbG8=é"],
    "boolean": ["true", 0, 1, None],
    "canonical": ["a b", ""],
    "code": ["", " a", "a ", "a  b", "a\u0000"],
    "date": ["0000", "0000-01-01", "2026-02-30", "2025-02-29", "1900-02-29", "31/12/1980", "2026-13-01", "2026-00-01", "2026-1-1",
             "20260101", "2026-01-01T00:00:00Z", "2026-W01", "20261", "٢٠٢٦", "2026-01-32", "2026-01-", "", 2026, " 2026"],
    "dateTime": ["2026-01-01T00:00:00", "2026-01-01T00:00Z", "2026-01-01T24:00:00Z", "2026-02-30T00:00:00Z", "2026-01-01 00:00:00Z",
                 "2026-01-01T00:00:00+15:00", "2026-01-01T00:00:00+1400", "2026-01-01T00:60:00Z", "0000-01-01T00:00:00Z", "2026-01T00:00:00Z"],
    "decimal": ["1.0", True, None],
    "id": ["", "x" * 65, "a/b", "a_b", "đ", "a\n"],
    "instant": ["2026", "2026-01-01", "2015-02-07T13:28Z"],
    "integer": [2**31, -(2**31) - 1, Number("1.0"), Number("1E2"), True, "1", 1.0],
    "markdown": ["", "  \n", "a\u0001"],
    "oid": ["1.2.3", "urn:oid:3.1", "urn:oid:1.02"],
    "positiveInt": [0, -1, True],
    "string": ["", " ", "\n", "a\u0007", "\u007f", None, 3, ["a"]],
    "time": ["24:00:00", "7:30:00", "07:30", "07:30:00Z"],
    "unsignedInt": [-1, Number("0.0")],
    "uri": ["", "a b", "a\u00a0b", "a\u0000"],
    "url": ["http://a b"],
    "uuid": ["c757873d-ec9a-4326-a141-556f43239520", "urn:uuid:c757873d"],
}  # fmt: skip


class TestTable:
    @pytest.mark.parametrize(("name", "value"), [(name, value) for name, many in GOOD.items() for value in many])
    def test_what_is_one(self, name: str, value: object) -> None:
        assert TESTS[name][0](value)

    @pytest.mark.parametrize(("name", "value"), [(name, value) for name, many in BAD.items() for value in many])
    def test_what_is_none(self, name: str, value: object) -> None:
        assert not TESTS[name][0](value)

    def test_every_primitive_is_covered(self) -> None:
        assert set(GOOD) == set(BAD) == set(TESTS)


class TestDates:
    @given(st.dates())
    def test_every_day_of_the_calendar(self, day: date) -> None:
        assert TESTS["date"][0](day.isoformat())

    @given(st.integers(0, 9999), st.integers(0, 99), st.integers(0, 99))
    def test_only_days_of_the_calendar(self, year: int, month: int, day: int) -> None:
        text = f"{year:04}-{month:02}-{day:02}"
        try:
            date(year, month, day)
        except ValueError:
            assert not TESTS["date"][0](text)
        else:
            assert TESTS["date"][0](text)

    @given(st.datetimes(), st.integers(-14 * 60, 14 * 60))
    def test_every_moment_in_every_zone(self, moment: datetime, offset: int) -> None:
        text = moment.replace(tzinfo=timezone(timedelta(minutes=offset))).isoformat()
        assert TESTS["dateTime"][0](text)
        assert TESTS["instant"][0](text)


class TestDecoded:
    @given(st.binary(min_size=1))
    def test_what_was_encoded(self, data: bytes) -> None:
        assert decoded(b64encode(data).decode()) == data

    @given(st.text(max_size=20))
    def test_anything_else_is_none_and_never_an_error(self, text: str) -> None:
        assert decoded(text) is None or isinstance(decoded(text), bytes)
