"""YAML read by lines and written: words mean what YAML 1.2 says, and what is written is read alike by 1.1."""

from typing import Any

import pytest
import yaml

from emr.fleet.marked import Unreadable, read, written


class TestRead:
    @pytest.mark.parametrize(
        ("word", "value"),
        [
            ("12", 12), ("+1", 1), ("012", 12), ("0o14", 12), ("0x1F", 31), ("1e3", 1000.0), ("-.5", -0.5), ("-.INF", float("-inf")),
            ("true", True), ("FALSE", False), ("~", None), ("", None), ("null", None), ("yes", "yes"), ("on", "on"),
            ("1_000", "1_000"), ("1:30", "1:30"), ("2026-11-23", "2026-11-23"), ("<<", "<<"), ('"12"', "12"), ("'~'", "~"),
            ("|\n  12", "12\n"), ("Bệnh viện", "Bệnh viện"),
        ],
    )  # fmt: skip
    def test_a_word_is_what_the_core_schema_says(self, word: str, value: object) -> None:
        found = read(f"a: {word}\n").value["a"]
        assert (found, type(found)) == (value, type(value))

    def test_each_field_has_its_line(self) -> None:
        text = read("# who\na: 1\nb:\n  - x\n  - {c: 2,\n     d: 3}\n")
        assert text.value == {"a": 1, "b": ["x", {"c": 2, "d": 3}]}
        assert [text.line(path) for path in ("", "a", "b", "b.0", "b.1", "b.1.d")] == [2, 2, 3, 4, 5, 6]

    def test_what_is_not_there_has_the_line_of_what_is_above_it(self) -> None:
        text = read("a: 1\nb:\n  c: 2\n")
        assert [text.line(path) for path in ("b.d.0", "b.c.x", "e")] == [2, 3, 1]

    def test_ten_lists_within_each_other_are_read_and_eleven_are_not(self) -> None:
        assert read("[" * 10 + "]" * 10).value
        with pytest.raises(Unreadable, match="nested too deeply"):
            read("[" * 11 + "]" * 11)

    def test_a_field_that_stands_there_twice_is_told_where_it_stands_again(self) -> None:
        with pytest.raises(Unreadable, match="a stands there twice") as caught:
            read("b:\n  a: 1\n  c: 2\n  a: 3\n")
        assert caught.value.line == 4


class TestWritten:
    def test_readers_of_both_versions_find_what_was_said(self) -> None:
        said: dict[str, Any] = {
            "words": ["012", "0o14", "1e3", "0x1F", "yes", "2026-11-23", "~", "", "a: b", "# c", "1:30", "x\ny", "x " * 90],
            "name": "Bệnh viện Hoa Sen",
            "within": {"number": 12, "none": None, "true": True},
        }  # fmt: skip
        text = written(said)
        assert read(text).value == said
        assert yaml.safe_load(text) == said
        assert "Bệnh viện" in text
