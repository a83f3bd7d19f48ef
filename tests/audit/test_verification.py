"""Walking a stream finds every kind of tampering, whatever the sizes of its batches."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emr.audit.columns import encoded
from emr.audit.rows import AuditRow, Event, event_of
from emr.audit.seals import START, Head, Kept, Seal, leaf, root, seal
from emr.audit.verification import verify

STREAM = "t_abcdefghijkl"
NOW = datetime(2026, 11, 22, 3, 4, 5, 678901, tzinfo=UTC)


def row(number: int, request: str = "") -> Event:
    text = AuditRow(
        STREAM, NOW + timedelta(seconds=number), "record.read", "success", None, request or f"r{number}",
        patients=(f"p{number}",),
    ).canonical()  # fmt: skip
    return event_of(number, text)


def moved(event: Event, number: int) -> Event:
    return (number, *event[1:])


def batches_of(*sizes: int) -> list[list[Event]]:
    numbers = iter(range(1, 100_000))
    return [[row(number) for _, number in zip(range(size), numbers, strict=False)] for size in sizes]


def leaves(rows: Sequence[Event]) -> list[bytes]:
    return [leaf(each[0], each[5]) for each in rows]


def chained(batches: Sequence[Sequence[Event]]) -> list[Kept]:
    head, kept = Head(), []
    for place, rows in enumerate(batches):
        made = seal(STREAM, head, leaves(rows), NOW + timedelta(seconds=place))
        kept.append(Kept(made, made.hash()))
        head = Head(made.batch, made.last, made.hash())
    return kept


def head_of(kept: Kept) -> Head:
    return Head(kept.seal.batch, kept.seal.last, kept.hash)


class TestVerify:
    def setup_method(self) -> None:
        self.batches = batches_of(4, 1, 7)
        self.seals = chained(self.batches)
        self.rows = [each for batch in self.batches for each in batch]

    def faults(self, *anchors: Head) -> list[str]:
        return list(verify(STREAM, self.seals, map(encoded, self.rows), anchors))

    def test_a_whole_stream_has_no_faults(self) -> None:
        assert self.faults(*map(head_of, self.seals)) == []

    def test_an_empty_stream_has_none_either(self) -> None:
        assert list(verify(STREAM, [], [], [Head()])) == []

    def test_a_changed_row_is_found(self) -> None:
        self.rows[5] = row(6, "other")
        assert self.faults() == ["seal 3: a row of 6 to 12 was changed"]

    @pytest.mark.parametrize(
        ("column", "value"),
        [(1, NOW), (2, "record.searched"), (3, "somebody"), (4, ["another"])],
        ids=["at", "action", "actor", "patients"],
    )
    def test_a_column_that_does_not_say_what_its_text_says_is_found(self, column: int, value: object) -> None:
        changed = list(self.rows[5])
        changed[column] = value
        self.rows[5] = tuple(changed)  # type: ignore[assignment]
        assert self.faults() == ["row 6: its columns do not say what its text says"]

    @pytest.mark.parametrize("text", ["", "{}", "[1]", '{"at":"never"}', "null"])
    def test_a_text_that_is_no_row_is_found(self, text: str) -> None:
        self.rows[5] = (*self.rows[5][:5], text)
        assert self.faults() == ["row 6: its text is no row", "seal 3: a row of 6 to 12 was changed"]

    @pytest.mark.parametrize("place", range(12))
    def test_a_missing_row_is_found_wherever_it_was(self, place: int) -> None:
        del self.rows[place]
        batch = 1 if place < 4 else 2 if place == 4 else 3
        assert self.faults() == [f"seal {batch}: 1 of its rows are missing"]

    def test_an_inserted_row_is_found(self) -> None:
        self.rows.append(row(13))
        assert self.faults() == ["row 13 is under no seal"]

    def test_a_row_that_stands_twice_is_found(self) -> None:
        self.rows.insert(3, row(3))
        assert "row 3 stands twice" in self.faults()

    def test_rows_that_changed_places_are_found(self) -> None:
        self.rows[6], self.rows[7] = moved(self.rows[7], 7), moved(self.rows[6], 8)
        assert self.faults() == ["seal 3: a row of 6 to 12 was changed"]

    def test_a_missing_seal_is_found(self) -> None:
        del self.seals[1]
        assert "seal 3 follows seal 1" in self.faults()
        assert "seal 3 is not chained to seal 1" in self.faults()
        assert "row 5 is under no seal" in self.faults()

    def test_rows_without_any_seal_are_found(self) -> None:
        self.seals = []
        assert self.faults() == [f"row {number} is under no seal" for number in range(1, 13)]

    def test_seals_that_changed_places_are_found(self) -> None:
        self.seals[0], self.seals[1] = self.seals[1], self.seals[0]
        assert "seal 2 follows seal 0" in self.faults()

    def test_a_row_changed_together_with_its_root_is_found(self) -> None:
        self.rows[0] = row(1, "other")
        self.seals[0] = Kept(replace(self.seals[0].seal, root=root(leaves(self.rows[:4]))), self.seals[0].hash)
        assert self.faults() == ["seal 1 does not have the hash that its fields give"]

    def test_a_seal_made_anew_breaks_the_chain(self) -> None:
        self.rows[0] = row(1, "other")
        forged = replace(self.seals[0].seal, root=root(leaves(self.rows[:4])))
        self.seals[0] = Kept(forged, forged.hash())
        assert self.faults() == ["seal 2 is not chained to seal 1"]

    def test_a_whole_chain_made_anew_differs_from_its_anchor(self) -> None:
        anchor = head_of(self.seals[1])
        self.rows[0] = row(1, "other")
        self.batches[0] = self.rows[:4]
        self.seals = chained(self.batches)
        assert self.faults() == []
        assert self.faults(anchor) == ["seal 2 was anchored and is another one"]

    def test_an_end_that_was_cut_off_is_found_by_the_anchor(self) -> None:
        anchor = head_of(self.seals[-1])
        self.seals, self.rows = self.seals[:2], self.rows[:5]
        assert self.faults() == []
        assert self.faults(anchor) == ["seal 3 was anchored and is missing"]

    def test_everything_gone_is_found_by_the_anchors(self) -> None:
        anchors = [head_of(kept) for kept in self.seals]
        self.seals, self.rows = [], []
        assert self.faults(*anchors) == [f"seal {batch} was anchored and is missing" for batch in (1, 2, 3)]

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


class TestAnySizes:
    @given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.data())
    def test_one_row_taken_away_put_in_or_changed_is_always_found(self, sizes: list[int], data: st.DataObject) -> None:
        batches = batches_of(*sizes)
        seals, rows = chained(batches), [each for batch in batches for each in batch]
        assert list(verify(STREAM, seals, map(encoded, rows))) == []
        place = data.draw(st.integers(0, len(rows) - 1))
        wrong = {
            "taken away": rows[:place] + rows[place + 1 :],
            "put in": [*rows[:place], row(place + 1, "other"), *rows[place:]],
            "changed": [*rows[:place], row(place + 1, "other"), *rows[place + 1 :]],
        }
        for kind, tampered in wrong.items():
            assert list(verify(STREAM, seals, map(encoded, tampered))), kind

    def test_rows_are_read_as_they_are_needed(self) -> None:
        """More rows than are held at a time, and no row before its seal is looked at."""
        batches = batches_of(*[7] * 3000)
        read = 0

        def counted() -> Iterator[Event]:
            nonlocal read
            for batch in batches:
                for each in batch:
                    read += 1
                    yield each

        def seals() -> Iterator[Kept]:
            for place, kept in enumerate(chained(batches)):
                assert read <= place * 7 + 10_000
                yield kept

        assert list(verify(STREAM, seals(), map(encoded, counted()))) == []
        assert read == 21_000
