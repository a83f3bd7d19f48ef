"""An anchor: the heads of a cell's streams at one moment, signed, as one line of text. Pure.

`platform/docs/audit-format.md` describes the bytes. Ed25519 (RFC 8032), so that whoever verifies needs no secret.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from emr.audit.seals import Head
from emr.settings import Settings

FORMAT: Final = 1
_MAGIC: Final = b"EMR-AUDIT-ANCHOR\x00"
_CANONICAL: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))
_NAME: Final = "%Y/%m/%d/%H%M%S.%fZ"


class AnchorRefused(ValueError):
    """What was read back is not an anchor that somebody trusted has signed; the message says why."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where each stream of a cell ended at a moment (UTC)."""

    cell: str
    at: datetime
    heads: Mapping[str, Head]

    @property
    def name(self) -> str:
        """The object's name: cell, then the moment, so that names sort by time."""
        return f"{self.cell}/{self.at.astimezone(UTC).strftime(_NAME)}"


def moment_of(name: str) -> datetime:
    """When the anchor of this name was written. Raises `ValueError`."""
    return datetime.strptime(name.partition("/")[2], _NAME).replace(tzinfo=UTC)


class Signer:
    """Signs anchors; `id` is what the anchor calls the key."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._key.public_key().public_bytes_raw()
        self.id = key_id(self.public)

    def sign(self, anchor: Anchor) -> bytes:
        """The anchor's line of text in UTF-8."""
        body = {
            "v": FORMAT,
            "cell": anchor.cell,
            "at": anchor.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "heads": [[name, head.batch, head.last, head.hash.hex()] for name, head in sorted(anchor.heads.items())],
            "key": self.id,
        }
        signature = base64.b64encode(self._key.sign(_signed(body))).decode("ascii")
        return _CANONICAL.encode(body | {"signature": signature}).encode()


def key_id(public: bytes) -> str:
    """The first 16 hex digits of the SHA-256 of the public key."""
    return sha256(public).hexdigest()[:16]


def signer_of(settings: Settings) -> Signer:
    """The key of the settings; where there is none, one that follows from the signing key (production demands one)."""
    text = settings.keys.anchor.get_secret_value()
    if text:
        return Signer(base64.b64decode(text, validate=True))
    secret = base64.b64decode(settings.keys.signing.get_secret_value(), validate=True)
    return Signer(HKDF(algorithm=SHA256(), length=32, salt=None, info=b"emr audit anchor 1").derive(secret))


def trusted_of(settings: Settings) -> dict[str, bytes]:
    """The public keys whose anchors are believed, by id: the settings' own and those that they list."""
    listed = [base64.b64decode(each, validate=True) for each in settings.anchors.public_keys.split(",") if each.strip()]
    if settings.keys.anchor.get_secret_value() or settings.keys.signing.get_secret_value():
        listed.append(signer_of(settings).public)
    return {key_id(public): public for public in listed}


def read_anchor(name: str, text: bytes, trusted: Mapping[str, bytes]) -> Anchor:
    """The anchor that lies under this name. Raises `AnchorRefused`."""
    try:
        body: dict[str, Any] = json.loads(text)
        signature = base64.b64decode(body.pop("signature"), validate=True)
        anchor = Anchor(body["cell"], datetime.fromisoformat(body["at"]), dict(_heads(body["heads"])))
        public = trusted.get(body["key"])
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise AnchorRefused("it is not an anchor") from error
    if body["v"] != FORMAT:
        raise AnchorRefused("its format is unknown")
    if public is None:
        raise AnchorRefused("nobody trusted has the key that signed it")
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, _signed(body))
    except InvalidSignature as error:
        raise AnchorRefused("its signature is not good") from error
    if anchor.name != name:
        raise AnchorRefused("it lies under another's name")
    return anchor


def _signed(body: Mapping[str, Any]) -> bytes:
    return _MAGIC + _CANONICAL.encode(body).encode()


def _heads(found: Iterable[tuple[str, int, int, str]]) -> Iterable[tuple[str, Head]]:
    return ((stream, Head(batch, last, bytes.fromhex(digest))) for stream, batch, last, digest in found)
