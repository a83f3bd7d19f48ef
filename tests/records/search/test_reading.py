"""Values as searches write them (FHIR R4, search.html#ptypes)."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from emr.records.errors import SearchRefused
from emr.records.search.question import Moments, Token
from emr.records.search.reading import Reader, number_of, quantity_of, token_of
from emr.records.search.text import split, unescape

READER = Reader(ZoneInfo("Asia/Ho_Chi_Minh"), datetime(2026, 11, 22, tzinfo=UTC), "http://here/fhir")


class TestEscapes:
    """search.html#escaping."""

    @pytest.mark.parametrize(
        ("text", "parts"),
        [("a,b", ["a", "b"]), (r"a\,b", [r"a\,b"]), (r"a\\,b", [r"a\\", "b"]), ("", [""]), (r"a\x,b", [r"a\x", "b"])],
    )
    def test_a_backslash_keeps_a_comma(self, text: str, parts: list[str]) -> None:
        assert split(text, ",") == parts

    def test_are_taken_off_once(self) -> None:
        assert unescape(r"a\,b\$c\|d\\e") == r"a,b$c|d\e"
        assert unescape(r"a\\,b") == "a\\,b"


class TestNumbers:
    """search.html#number: the digits say how precise a number is."""

    @pytest.mark.parametrize(
        ("text", "low", "high"),
        [
            ("100", "99.5", "100.5"),
            ("100.00", "99.995", "100.005"),
            ("1e2", "95", "105"),
            ("5.40e-3", "0.005395", "0.005405"),
            ("0", "-0.5", "0.5"),
            ("-2.5", "-2.55", "-2.45"),
        ],
    )
    def test_stand_for_a_range(self, text: str, low: str, high: str) -> None:
        found = number_of(text, "x")
        assert (found.low, found.high) == (Decimal(low), Decimal(high))

    def test_near_is_a_tenth_or_the_precision(self) -> None:
        assert (number_of("ap100", "x").low, number_of("ap100", "x").high) == (90, 110)
        assert number_of("ap1", "x").low == Decimal("0.5")

    def test_a_prefix_stands_before_a_sign(self) -> None:
        assert (number_of("lt-3", "x").prefix, number_of("lt-3", "x").exact) == ("lt", -3)

    @pytest.mark.parametrize("text", ["", "a", "1,5", "1.", ".5", "+1", "1e", "NaN", "Infinity", "0x1", "１", "gt"])
    def test_nothing_else_is_one(self, text: str) -> None:
        with pytest.raises(SearchRefused, match="not a number") as refusal:
            number_of(text, "value")
        assert refusal.value.location == "value"


class TestQuantities:
    """search.html#quantity."""

    def test_with_system_with_code_alone_and_bare(self) -> None:
        whole = quantity_of("5.4|http://unitsofmeasure.org|mg", "x")
        assert (whole.system, whole.code) == ("http://unitsofmeasure.org", "mg")
        bare, coded = quantity_of("5.4", "x"), quantity_of("le5.4||mg", "x")
        assert (bare.system, bare.code) == (None, None)
        assert (coded.system, coded.code, coded.number.prefix) == (None, "mg", "le")

    @pytest.mark.parametrize("text", ["5.4|mg", "5.4|a|", "5.4|a|b|c", "|a|b"])
    def test_other_forms_are_refused(self, text: str) -> None:
        with pytest.raises(SearchRefused):
            quantity_of(text, "x")


class TestTokens:
    """search.html#token."""

    @pytest.mark.parametrize(
        ("text", "token"),
        [
            ("a", Token(None, "a")),
            ("s|a", Token("s", "a")),
            ("|a", Token("", "a")),
            ("s|", Token("s", None)),
            (r"s\|t|a", Token("s|t", "a")),
        ],
    )
    def test_have_four_forms(self, text: str, token: Token) -> None:
        assert token_of(text, "x") == token

    @pytest.mark.parametrize("text", ["|", "a|b|c"])
    def test_other_forms_are_refused(self, text: str) -> None:
        with pytest.raises(SearchRefused):
            token_of(text, "x")


class TestDates:
    """search.html#date: a date without a zone is one of the hospital's."""

    def test_a_day_is_the_hospitals_day(self) -> None:
        found = READER.moments("2026-03-01", "x")
        assert found == Moments("eq", datetime(2026, 2, 28, 17, tzinfo=UTC), datetime(2026, 3, 1, 17, tzinfo=UTC))

    def test_near_is_a_tenth_of_the_time_since(self) -> None:
        found = READER.moments("ap2026-11-12", "x")
        assert found.low < datetime(2026, 11, 11, tzinfo=UTC)
        assert found.high < datetime(2026, 11, 14, tzinfo=UTC)

    @pytest.mark.parametrize("text", ["2026-13", "yesterday", "2026-02-30", "gtt2026", "26-01-01"])
    def test_what_is_no_date_is_refused(self, text: str) -> None:
        with pytest.raises(SearchRefused):
            READER.moments(text, "date")
