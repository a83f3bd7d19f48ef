"""The bytes of seals, against the recursion of RFC 6962."""

import hashlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emr.audit.seals import Head, leaf, root, seal

STREAM = "t_abcdefghijkl"
NOW = datetime(2026, 11, 22, 3, 4, 5, 678901, tzinfo=UTC)


def leaves_of(size: int) -> list[bytes]:
    return [leaf(number, f'{{"row":{number}}}') for number in range(1, size + 1)]


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
        assert root(leaves_of(size)) == recursive(leaves_of(size))

    def test_its_bytes_stay_what_they_are(self) -> None:
        made = seal(STREAM, Head(), leaves_of(3), NOW)
        assert leaf(1, '{"row":1}').hex() == hashlib.sha256(bytes(8) + b'\x01{"row":1}').hexdigest()
        assert made.root.hex() == "b806caa515c7966afd98d237e412d4debe9db406dbe3f6755887b7f3af8e5486"
        assert made.hash().hex() == "8c336ad4400fc1623050e45d140fdf06601bd760ba73e53fe0f5da635eea50e0"

    def test_nothing_cannot_be_sealed(self) -> None:
        with pytest.raises(ValueError, match="at least one row"):
            root([])
