import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from emr.kernel.errors import Malformed
from emr.kernel.paging import open_cursor, seal_cursor

KEY = bytes(range(32))
STATES = st.dictionaries(st.text(max_size=10), st.none() | st.integers() | st.text(max_size=50) | st.lists(st.text()))


class TestCursor:
    @given(STATES)
    def test_gives_back_what_was_sealed(self, state: dict[str, object]) -> None:
        assert open_cursor(KEY, "a", seal_cursor(KEY, "a", state)) == state

    def test_tells_nothing_and_is_never_the_same(self) -> None:
        first, second = (seal_cursor(KEY, "a", {"asked": [["name", "nguyen"]]}) for _ in range(2))
        assert first != second
        assert "nguyen" not in first
        assert first.replace("-", "").replace("_", "").isalnum()

    @pytest.mark.parametrize(("key", "audience"), [(KEY, "b"), (bytes(32), "a"), (KEY, "")])
    def test_holds_for_one_audience_and_one_key(self, key: bytes, audience: str) -> None:
        with pytest.raises(Malformed, match="link"):
            open_cursor(key, audience, seal_cursor(KEY, "a", {}))

    @given(st.text(max_size=80))
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(Malformed):
            open_cursor(KEY, "a", text)

    @given(
        st.integers(min_value=0), st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    )
    def test_every_changed_letter_is_seen(self, place: int, letter: str) -> None:
        """All but the last, some of whose bits stand for nothing."""
        sealed = seal_cursor(KEY, "a", {"x": 1})
        place %= len(sealed) - 1
        changed = sealed[:place] + letter + sealed[place + 1 :]
        assume(changed != sealed)
        with pytest.raises(Malformed):
            open_cursor(KEY, "a", changed)
