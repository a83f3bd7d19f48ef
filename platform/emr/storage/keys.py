"""Data keys of hospitals and the master keys that wrap them.

A hospital has a random data key of 32 bytes. It lies in `directory.keys` wrapped, that is sealed with AES-256-GCM under
a master key which is only in the process's settings. Backups hold the wrapped keys and not the master keys, so that
destroying a master key destroys what it wrapped.

Wrapped form: version (1 byte, 1) · nonce (12 bytes) · sealed key (32 + 16 bytes). The associated data names version,
hospital, key id and master key id, so that a wrapped key that is moved to another row does not open.
"""

import base64
import binascii
import re
import secrets
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from emr.storage.errors import KeyUnknown, SealBroken

KEY_BYTES: Final = 32
KEY_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,48}")
_VERSION: Final = b"\x01"
_NONCE: Final = 12


@dataclass(frozen=True, slots=True)
class MasterKeys:
    """The keys that wrap data keys: `current` wraps anew, all of them unwrap."""

    current: str
    keys: dict[str, bytes] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> "MasterKeys":
        """Read `id:base64(32 bytes)`, several parted by commas, the first being current. Raises ValueError."""
        keys: dict[str, bytes] = {}
        for entry in filter(None, (part.strip() for part in text.split(","))):
            name, _, encoded = entry.partition(":")
            if not KEY_ID.fullmatch(name) or name in keys:
                raise ValueError(
                    "a master key needs an id of its own: letters, digits, dot, underscore, dash; at most 48"
                )
            keys[name] = _decoded(name, encoded)
        if not keys:
            raise ValueError("there is no master key")
        return cls(next(iter(keys)), keys)


def _decoded(name: str, encoded: str) -> bytes:
    try:
        key = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise ValueError(f"master key {name} is not base64") from error
    if len(key) != KEY_BYTES or len(set(key)) < 8:
        raise ValueError(f"master key {name} must be {KEY_BYTES} random bytes")
    return key


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A row of `directory.keys`: safe to store and to back up."""

    tenant: str
    key_id: str
    wrapped: bytes
    wrapping_key_id: str


def new_data_key() -> bytes:
    """A hospital's data key: 32 random bytes."""
    return secrets.token_bytes(KEY_BYTES)


def wrap(masters: MasterKeys, tenant: str, key_id: str, key: bytes) -> WrappedKey:
    """Seal a data key under the current master key, bound to its hospital and id."""
    if not KEY_ID.fullmatch(key_id) or len(key) != KEY_BYTES:
        raise ValueError("a data key has an id of at most 48 characters and 32 bytes")
    nonce = secrets.token_bytes(_NONCE)
    sealed = AESGCM(masters.keys[masters.current]).encrypt(nonce, key, _bound(tenant, key_id, masters.current))
    return WrappedKey(tenant, key_id, _VERSION + nonce + sealed, masters.current)


def unwrap(masters: MasterKeys, row: WrappedKey) -> bytes:
    """The data key of a row. Raises `KeyUnknown` without its master key and `SealBroken` when the row was changed."""
    master = masters.keys.get(row.wrapping_key_id)
    if master is None:
        raise KeyUnknown("master key")
    nonce, sealed = row.wrapped[1 : 1 + _NONCE], row.wrapped[1 + _NONCE :]
    if row.wrapped[:1] != _VERSION or len(sealed) != KEY_BYTES + 16:
        raise SealBroken("the wrapped data key has an unknown form")
    try:
        return AESGCM(master).decrypt(nonce, sealed, _bound(row.tenant, row.key_id, row.wrapping_key_id))
    except InvalidTag as error:
        raise SealBroken("the wrapped data key does not open") from error


def rewrap(masters: MasterKeys, row: WrappedKey) -> WrappedKey:
    """The same data key under the current master key: how a master key is retired."""
    return wrap(masters, row.tenant, row.key_id, unwrap(masters, row))


def _bound(*words: str) -> bytes:
    return b"emr data key 1" + b"".join(len(word.encode()).to_bytes(2, "big") + word.encode() for word in words)


@dataclass(frozen=True, slots=True)
class Keyring:
    """A hospital's data keys: new objects are sealed with `current`, old ones open with the key that they name."""

    current: str
    keys: dict[str, bytes] = field(repr=False)

    @classmethod
    def of(cls, masters: MasterKeys, current: str, rows: tuple[WrappedKey, ...]) -> "Keyring":
        """Unwrap a hospital's keys; `current` is the id of the one in use."""
        return cls(current, {row.key_id: unwrap(masters, row) for row in rows})

    def object_key(self, key_id: str, salt: bytes, place: bytes) -> bytes:
        """The 32-byte key of one object: HKDF-SHA256 (RFC 5869) of the data key with its salt and its place."""
        key = self.keys.get(key_id)
        if key is None:
            raise KeyUnknown("data key")
        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=b"emr sealed object 1" + place).derive(key)
