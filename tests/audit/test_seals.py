"""The bytes of seals, against the recursion of RFC 6962 and against every kind of tampering."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emr.audit.seals import START, Head, Kept, Row, Seal, leaf, root, seal, verify

STREAM = "t_abcdefghijkl"
NOW = datetime(2026, 11, 22, 3, 4, 5, 678901, tzinfo=UTC)


def rows_of(*sizes: int) -> list[list[Row]]:
    numbers = iter(range(1, 1000))
    return [
        [Row(number, f'{{"row":{number}}}'.encode()) for _, number in zip(range(size), numbers, strict=False)]
        for size in sizes
    ]


def chained(batches: Sequence[Sequence[Row]]) -> list[Kept]:
    head, kept = Head(), []
    for place, rows in enumerate(batches):
        made = seal(STREAM, head, rows, NOW + timedelta(seconds=place))
        kept.append(Kept(made, made.hash()))
        head = Head(made.batch, made.last, made.hash())
    return kept


def head_of(kept: Kept) -> Head:
    return Head(kept.seal.batch, kept.seal.last, kept.hash)


def recursive(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, as it is written."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + recursive(leaves[:split]) + recursive(leaves[split:])).digest()


class TestRoot:
    @given(st.integers(1, 70))
    def test_it_is_the_root_that_the_rfc_defines(self, size: int) -> None:
        (rows,) = rows_of(size)
        assert root(rows) == recursive([leaf(row) for row in rows])

    def test_its_bytes_stay_what_they_are(self) -> None:
        (rows,) = rows_of(3)
        made = seal(STREAM, Head(), rows, NOW)
        assert leaf(rows[0]).hex() == hashlib.sha256(bytes(8) + b'\x01{"row":1}').hexdigest()
        assert made.root.hex() == "b806caa515c7966afd98d237e412d4debe9db406dbe3f6755887b7f3af8e5486"
        assert made.hash().hex() == "8c336ad4400fc1623050e45d140fdf06601bd760ba73e53fe0f5da635eea50e0"

    def test_nothing_cannot_be_sealed(self) -> None:
        with pytest.raises(ValueError, match="at least one row"):
            root([])


class TestVerify:
    def setup_method(self) -> None:
        self.batches = rows_of(4, 1, 7)
        self.seals = chained(self.batches)
        self.rows = [row for batch in self.batches for row in batch]

    def faults(self, *, anchor: Head | None = None) -> list[str]:
        return list(verify(STREAM, self.seals, self.rows, anchor))

    def test_a_whole_stream_has_no_faults(self) -> None:
        assert self.faults(anchor=head_of(self.seals[-1])) == []

    def test_an_empty_stream_has_none_either(self) -> None:
        assert list(verify(STREAM, [], [])) == []

    def test_a_changed_row_is_found(self) -> None:
        self.rows[5] = Row(6, b'{"row":66}')
        assert self.faults() == ["seal 3: a row of 6 to 12 was changed"]

    def test_a_missing_row_is_found(self) -> None:
        del self.rows[2]
        assert self.faults() == ["seal 1: 1 of its rows are missing"]

    def test_an_inserted_row_is_found(self) -> None:
        self.rows.append(Row(13, b"{}"))
        assert self.faults() == ["row 13 is under no seal"]

    def test_a_row_that_stands_twice_is_found(self) -> None:
        self.rows.insert(3, Row(3, b"{}"))
        assert "row 3 stands twice" in self.faults()

    def test_rows_that_changed_places_are_found(self) -> None:
        self.rows[6], self.rows[7] = Row(7, self.rows[7].text), Row(8, self.rows[6].text)
        assert self.faults() == ["seal 3: a row of 6 to 12 was changed"]

    def test_a_missing_seal_is_found(self) -> None:
        del self.seals[1]
        assert "seal 3 follows seal 1" in self.faults()
        assert "seal 3 is not chained to seal 1" in self.faults()
        assert "row 5 is under no seal" in self.faults()

    def test_seals_that_changed_places_are_found(self) -> None:
        self.seals[0], self.seals[1] = self.seals[1], self.seals[0]
        assert "seal 2 follows seal 0" in self.faults()

    def test_a_row_changed_together_with_its_root_is_found(self) -> None:
        self.rows[0] = Row(1, b"{}")
        self.seals[0] = Kept(replace(self.seals[0].seal, root=root(self.rows[:4])), self.seals[0].hash)
        assert self.faults() == ["seal 1 does not have the hash that its fields give"]

    def test_a_seal_made_anew_breaks_the_chain(self) -> None:
        self.rows[0] = Row(1, b"{}")
        forged = replace(self.seals[0].seal, root=root(self.rows[:4]))
        self.seals[0] = Kept(forged, forged.hash())
        assert self.faults() == ["seal 2 is not chained to seal 1"]

    def test_a_whole_chain_made_anew_differs_from_its_anchor(self) -> None:
        anchor = head_of(self.seals[1])
        self.rows[0] = Row(1, b"{}")
        self.batches[0] = self.rows[:4]
        self.seals = chained(self.batches)
        assert self.faults() == []
        assert self.faults(anchor=anchor) == ["seal 2 was anchored and is another one"]

    def test_an_end_that_was_cut_off_is_found_by_the_anchor(self) -> None:
        anchor = head_of(self.seals[-1])
        self.seals, self.rows = self.seals[:2], self.rows[:5]
        assert self.faults() == []
        assert self.faults(anchor=anchor) == ["seal 3 was anchored and is missing"]

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("batch", 7),
            ("first", 2),
            ("last", 3),
            ("previous", bytes(31) + b"\x01"),
            ("format", 2),
            ("stream", "t_zzzzzzzzzzzz"),
            ("sealed_at", NOW + timedelta(microseconds=1)),
            ("root", START),
        ],
    )
    def test_every_field_of_a_seal_counts(self, field: str, value: object) -> None:
        changed: Seal = replace(self.seals[0].seal, **{field: value})
        self.seals[0] = Kept(changed, self.seals[0].hash)
        assert self.faults()
