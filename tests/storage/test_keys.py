"""Data keys: wrapped, unwrapped, bound to their hospital."""

import base64
import secrets
from dataclasses import replace

import pytest

from emr.storage.errors import KeyUnknown, SealBroken
from emr.storage.keys import Keyring, MasterKeys, new_data_key, rewrap, unwrap, wrap

SECRET = secrets.token_bytes(32)
TEXT = f"m1:{base64.b64encode(SECRET).decode()}"
MASTERS = MasterKeys.parse(TEXT)


class TestParse:
    def test_the_first_key_is_current_and_all_unwrap(self) -> None:
        both = MasterKeys.parse(f"m2:{base64.b64encode(secrets.token_bytes(32)).decode()}, {TEXT}")
        assert (both.current, set(both.keys)) == ("m2", {"m1", "m2"})

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "m1",
            "m1:",
            "m1:not base64!",
            "m1:" + base64.b64encode(bytes(32)).decode(),
            "m1:" + base64.b64encode(bytes(range(16))).decode(),
            "m 1:" + base64.b64encode(SECRET).decode(),
            f"{TEXT},{TEXT}",
        ],
        ids=["nothing", "a name", "no key", "no base64", "zeros", "short", "a space in the name", "twice"],
    )
    def test_a_weak_or_broken_one_is_refused_without_being_repeated(self, text: str) -> None:
        with pytest.raises(ValueError) as refusal:
            MasterKeys.parse(text)
        assert base64.b64encode(SECRET).decode() not in str(refusal.value)

    def test_it_is_not_printed(self) -> None:
        assert "keys=" not in repr(MASTERS)


class TestWrap:
    def test_it_unwraps(self) -> None:
        key = new_data_key()
        row = wrap(MASTERS, "t_aaaaaaaaaaaa", "k1", key)
        assert (unwrap(MASTERS, row), row.wrapping_key_id) == (key, "m1")

    def test_the_key_is_not_in_the_row(self) -> None:
        key = new_data_key()
        assert key not in wrap(MASTERS, "t_aaaaaaaaaaaa", "k1", key).wrapped

    @pytest.mark.parametrize("change", [{"tenant": "t_bbbbbbbbbbbb"}, {"key_id": "k2"}])
    def test_a_row_moved_to_another_place_does_not_open(self, change: dict[str, str]) -> None:
        row = wrap(MASTERS, "t_aaaaaaaaaaaa", "k1", new_data_key())
        with pytest.raises(SealBroken):
            unwrap(MASTERS, replace(row, **change))  # type: ignore[arg-type]

    @pytest.mark.parametrize("at", range(61))
    def test_a_changed_byte_is_found(self, at: int) -> None:
        row = wrap(MASTERS, "t_aaaaaaaaaaaa", "k1", new_data_key())
        changed = bytearray(row.wrapped)
        changed[at] ^= 1
        with pytest.raises(SealBroken):
            unwrap(MASTERS, replace(row, wrapped=bytes(changed)))

    def test_without_its_master_key_it_stays_shut(self) -> None:
        row = wrap(MASTERS, "t_aaaaaaaaaaaa", "k1", new_data_key())
        with pytest.raises(KeyUnknown):
            unwrap(MasterKeys.parse(f"m2:{base64.b64encode(secrets.token_bytes(32)).decode()}"), row)

    def test_rewrapping_keeps_the_key_and_names_the_new_master(self) -> None:
        key = new_data_key()
        row = wrap(MASTERS, "t_aaaaaaaaaaaa", "k1", key)
        both = MasterKeys.parse(f"m2:{base64.b64encode(secrets.token_bytes(32)).decode()},{TEXT}")
        again = rewrap(both, row)
        assert (again.wrapping_key_id, unwrap(both, again)) == ("m2", key)


class TestKeyring:
    def test_it_opens_the_rows_of_a_hospital(self) -> None:
        rows = tuple(wrap(MASTERS, "t_aaaaaaaaaaaa", name, new_data_key()) for name in ("k1", "k2"))
        ring = Keyring.of(MASTERS, "k2", rows)
        assert ring.keys["k1"] == unwrap(MASTERS, rows[0])
        assert "keys=" not in repr(ring)
