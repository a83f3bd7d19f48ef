"""Sealed values and form tokens."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emr.identity.sealing import FormTokens, Sealed, WeakKey, derived_key

KEY = base64.b64encode(bytes(range(32))).decode()
OTHER = base64.b64encode(bytes(32)).decode()


class TestSealed:
    @given(st.text(), st.text())
    def test_what_was_sealed_comes_back(self, text: str, context: str) -> None:
        sealed = Sealed(KEY, "test")
        assert sealed.open(sealed.seal(text, context=context), context=context) == text

    def test_another_context_purpose_or_key_opens_nothing(self) -> None:
        closed = Sealed(KEY, "test").seal("x", context="a")
        assert Sealed(KEY, "test").open(closed, context="b") is None
        assert Sealed(KEY, "other").open(closed, context="a") is None
        assert Sealed(OTHER, "test").open(closed, context="a") is None

    @given(st.binary(max_size=80))
    def test_rubbish_opens_nothing(self, rubbish: bytes) -> None:
        assert Sealed(KEY, "test").open(rubbish, context="") is None

    @given(st.integers(min_value=0, max_value=8 * 30))
    def test_a_changed_bit_opens_nothing(self, bit: int) -> None:
        closed = bytearray(Sealed(KEY, "test").seal("x", context=""))
        closed[bit // 8 % len(closed)] ^= 1 << bit % 8
        assert Sealed(KEY, "test").open(bytes(closed), context="") is None

    def test_the_same_text_is_sealed_differently_each_time(self) -> None:
        sealed = Sealed(KEY, "test")
        assert sealed.seal("x", context="") != sealed.seal("x", context="")


class TestKeys:
    @pytest.mark.parametrize("secret", ["", "x", "not base64!", base64.b64encode(bytes(31)).decode(), KEY[:-1]])
    def test_a_weak_one_is_refused(self, secret: str) -> None:
        with pytest.raises(WeakKey):
            derived_key(secret, "test")


class TestFormTokens:
    def test_one_is_good_for_one_session_in_one_hospital(self) -> None:
        forms = FormTokens(KEY)
        token = forms.token("s", "h")
        assert forms.matches(token, session_id="s", tenant_id="h")
        assert not forms.matches(token, session_id="t", tenant_id="h")
        assert not forms.matches(token, session_id="s", tenant_id="i")
        assert not forms.matches("é", session_id="s", tenant_id="h")
        assert not FormTokens(OTHER).matches(token, session_id="s", tenant_id="h")
