"""Page cursors: what comes next, sealed for one hospital, so that nobody can write or read one.

A cursor carries what was searched for, which may name a patient; addresses are kept by browsers and proxies. Hence it
is encrypted and not only signed.
"""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from emr.kernel.errors import Malformed

_NONCE: Final = 12


def seal_cursor(key: bytes, audience: str, state: dict[str, Any]) -> str:
    """URL-safe text that carries `state` and holds only for `audience`, which names the hospital and the use."""
    payload = json.dumps(state, separators=(",", ":"), ensure_ascii=False).encode()
    nonce = secrets.token_bytes(_NONCE)
    sealed = AESGCM(_own(key)).encrypt(nonce, payload, audience.encode())
    return base64.urlsafe_b64encode(nonce + sealed).rstrip(b"=").decode()


def open_cursor(key: bytes, audience: str, cursor: str) -> dict[str, Any]:
    """The state inside a cursor; `Malformed` when this platform did not make it for this audience."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        payload = AESGCM(_own(key)).decrypt(raw[:_NONCE], raw[_NONCE:], audience.encode())
    except (ValueError, binascii.Error, InvalidTag) as error:
        rule = "This page link was not made by this hospital's service."
        raise Malformed("cursor-not-ours", rule, location="_cursor") from error
    state: dict[str, Any] = json.loads(payload)
    return state


def _own(key: bytes) -> bytes:
    """A key for cursors alone, made from the platform's signing key."""
    return hmac.digest(key, b"emr page cursor 1", hashlib.sha256)
