"""Keys derived from the platform's secrets, and the two things made with them: sealed values and form tokens."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE: Final = 12
_VERSION: Final = b"\x01"


class WeakKey(ValueError):
    """A secret of the platform that is missing or is not 32 bytes of base64."""


class Sealed:
    """AES-256-GCM with a key of its own purpose: `version ‖ nonce ‖ ciphertext and tag`, bound to a context."""

    def __init__(self, secret: str, purpose: str) -> None:
        self._cipher = AESGCM(derived_key(secret, purpose))

    def seal(self, text: str, *, context: str) -> bytes:
        """Only `open` with the same context gives the text back."""
        nonce = os.urandom(_NONCE)
        return _VERSION + nonce + self._cipher.encrypt(nonce, text.encode(), context.encode())

    def open(self, sealed: bytes, *, context: str) -> str | None:
        """The text, or None if this was not sealed here for this context."""
        if sealed[:1] != _VERSION or len(sealed) < 1 + _NONCE + 16:
            return None
        nonce, ciphertext = sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
        try:
            return self._cipher.decrypt(nonce, ciphertext, context.encode()).decode()
        except InvalidTag:
            return None


class FormTokens:
    """CSRF tokens: each is good for one session in one hospital."""

    def __init__(self, secret: str) -> None:
        self._key = derived_key(secret, "forms")

    def token(self, session_id: str, tenant_id: str) -> str:
        """The token of this session's forms in this hospital."""
        digest = hmac.digest(self._key, f"{session_id}\0{tenant_id}".encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def matches(self, token: str, *, session_id: str, tenant_id: str) -> bool:
        """Whether a form carries the token that was served with it."""
        return hmac.compare_digest(token.encode(), self.token(session_id, tenant_id).encode())


def derived_key(secret: str, purpose: str) -> bytes:
    """32 bytes for one purpose from a platform secret (base64 of 32 bytes)."""
    try:
        master = base64.b64decode(secret, validate=True)
    except (binascii.Error, ValueError) as error:
        raise WeakKey("a platform key is not base64") from error
    if len(master) != 32:
        raise WeakKey("a platform key must be base64 of exactly 32 bytes")
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"emr identity {purpose}".encode()).derive(master)
