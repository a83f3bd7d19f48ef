"""The sealed form: what was stored comes back, and anything else is refused."""

import asyncio
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emr.storage.errors import KeyUnknown, SealBroken
from emr.storage.keys import Keyring
from emr.storage.sealed import (
    HEADER_BYTES,
    SEGMENT_BYTES,
    TAG_BYTES,
    Header,
    Layout,
    ObjectSeal,
    frames,
    new_header,
    place_of,
    seal,
    unseal,
)
from tests.storage.memory import joined, stream

KEYRING = Keyring("k1", {"k1": bytes(range(32)), "k0": bytes(range(1, 33))})
PLACE = place_of("t_aaaaaaaaaaaa", "aa/" + "0" * 38)
SMALL = 32
CONTENT = st.binary(max_size=SMALL * 4)


def sealed(content: bytes, *, place: bytes = PLACE, keyring: Keyring = KEYRING) -> bytes:
    return asyncio.run(joined(seal(stream(content), ObjectSeal(keyring, new_header(keyring, SMALL), place))))


def opened(data: bytes, size: int, *, place: bytes = PLACE, keyring: Keyring = KEYRING) -> bytes:
    header = Header.decode(data[:HEADER_BYTES])
    count = Layout(size, SMALL).segments
    return asyncio.run(
        joined(unseal(stream(data[HEADER_BYTES:]), ObjectSeal(keyring, header, place), (0, count, count)))
    )


class TestSeal:
    @given(CONTENT)
    def test_what_was_sealed_opens_again(self, content: bytes) -> None:
        assert opened(sealed(content), len(content)) == content

    @given(CONTENT)
    def test_the_size_is_known_beforehand(self, content: bytes) -> None:
        assert len(sealed(content)) == Layout(len(content), SMALL).sealed_size

    def test_the_plain_bytes_are_not_in_it(self) -> None:
        assert b"Nguyen Van An" not in sealed(b"Nguyen Van An" * 4)

    def test_the_same_content_looks_different_each_time(self) -> None:
        assert sealed(b"scan")[HEADER_BYTES:] != sealed(b"scan")[HEADER_BYTES:]

    def test_an_empty_object_has_one_empty_segment(self) -> None:
        assert len(sealed(b"")) == HEADER_BYTES + TAG_BYTES

    def test_the_segments_of_the_format_are_one_mebibyte(self) -> None:
        assert new_header(KEYRING).segment == SEGMENT_BYTES == 1_048_576


class TestRefuse:
    @given(CONTENT, st.data())
    @settings(max_examples=300)
    def test_any_changed_bit(self, content: bytes, data: st.DataObject) -> None:
        whole = bytearray(sealed(content))
        bit = data.draw(st.integers(0, len(whole) * 8 - 1))
        whole[bit // 8] ^= 1 << (bit % 8)
        with pytest.raises((SealBroken, KeyUnknown)):
            opened(bytes(whole), len(content))

    @given(CONTENT, st.data())
    def test_any_cut(self, content: bytes, data: st.DataObject) -> None:
        whole = sealed(content)
        with pytest.raises(SealBroken):
            opened(whole[: data.draw(st.integers(0, len(whole) - 1))], len(content))

    @given(CONTENT, st.binary(min_size=1, max_size=SMALL * 3))
    def test_any_extension(self, content: bytes, more: bytes) -> None:
        with pytest.raises(SealBroken):
            opened(sealed(content) + more, len(content))

    @given(st.integers(2, 5), st.data())
    def test_segments_in_another_order(self, count: int, data: st.DataObject) -> None:
        whole, step = sealed(bytes(count * SMALL)), SMALL + TAG_BYTES
        segments = [whole[at : at + step] for at in range(HEADER_BYTES, len(whole), step)]
        order = data.draw(st.permutations(range(count)).filter(lambda new: new != list(range(count))))
        with pytest.raises(SealBroken):
            opened(whole[:HEADER_BYTES] + b"".join(segments[index] for index in order), count * SMALL)

    def test_a_cut_at_a_segment_with_a_size_to_match(self) -> None:
        whole = sealed(bytes(3 * SMALL))
        with pytest.raises(SealBroken):
            opened(whole[: Layout(3 * SMALL, SMALL).offset(2)], 2 * SMALL)

    def test_a_segment_of_another_object(self) -> None:
        one, two = sealed(bytes(2 * SMALL)), sealed(bytes(2 * SMALL))
        middle = Layout(2 * SMALL, SMALL).offset(1)
        with pytest.raises(SealBroken):
            opened(one[:middle] + two[middle:], 2 * SMALL)

    def test_an_object_under_another_key(self) -> None:
        with pytest.raises(SealBroken):
            opened(sealed(b"scan"), 4, place=place_of("t_aaaaaaaaaaaa", "bb/" + "0" * 38))

    def test_an_object_in_another_hospital_even_under_the_same_data_key(self) -> None:
        with pytest.raises(SealBroken):
            opened(sealed(b"scan"), 4, place=place_of("t_bbbbbbbbbbbb", "aa/" + "0" * 38))

    def test_another_hospitals_data_key_of_the_same_name(self) -> None:
        with pytest.raises(SealBroken):
            opened(sealed(b"scan"), 4, keyring=Keyring("k1", {"k1": bytes(reversed(range(32)))}))

    def test_a_key_that_nobody_has(self) -> None:
        with pytest.raises(KeyUnknown):
            opened(sealed(b"scan"), 4, keyring=Keyring("k2", {"k2": bytes(range(32))}))

    def test_a_newer_version(self) -> None:
        whole = bytearray(sealed(b"scan"))
        whole[7] = 2
        with pytest.raises(SealBroken, match="version"):
            opened(bytes(whole), 4)

    def test_a_segment_size_that_would_fill_the_memory(self) -> None:
        header = bytearray(new_header(KEYRING).encode())
        header[8:12] = b"\xff\xff\xff\xff"
        with pytest.raises(SealBroken):
            Header.decode(bytes(header))


@dataclass(frozen=True)
class Case:
    sizes: list[int]
    frame: int


class TestFrames:
    @given(st.builds(Case, st.lists(st.integers(0, 50), max_size=8), st.integers(1, 40)))
    def test_nothing_is_lost_and_only_the_last_is_short(self, case: Case) -> None:
        async def cut() -> list[tuple[bytes, bool]]:
            return [piece async for piece in frames(stream(*(bytes(size) for size in case.sizes)), case.frame)]

        pieces = asyncio.run(cut())
        assert sum(len(piece) for piece, _ in pieces) == sum(case.sizes)
        assert all(len(piece) == case.frame for piece, last in pieces if not last)
        assert [last for _, last in pieces] == [False] * (len(pieces) - 1) + [True]
