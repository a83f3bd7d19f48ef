"""Page cursors: what comes next, signed for one hospital, so that nobody can write one."""

import base64
import binascii
import hashlib
import hmac
import json
from typing import Final

from emr.kernel.errors import Malformed

_TAG: Final = 16


def sign_cursor(key: bytes, audience: str, state: dict[str, object]) -> str:
    """URL-safe text that carries `state` and holds only for `audience` (the hospital's schema name)."""
    payload = json.dumps(state, separators=(",", ":"), ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(_tag(key, audience, payload) + payload).rstrip(b"=").decode()


def read_cursor(key: bytes, audience: str, cursor: str) -> dict[str, object]:
    """The state inside a cursor; `Malformed` when it was not signed by this platform for this audience."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except (ValueError, binascii.Error) as error:
        raise _refused() from error
    tag, payload = raw[:_TAG], raw[_TAG:]
    if not hmac.compare_digest(tag, _tag(key, audience, payload)):
        raise _refused()
    state: dict[str, object] = json.loads(payload)
    return state


def _tag(key: bytes, audience: str, payload: bytes) -> bytes:
    return hmac.digest(key, audience.encode() + b"\0" + payload, hashlib.sha256)[:_TAG]


def _refused() -> Malformed:
    return Malformed("cursor-not-ours", "This page link was not made by this hospital's service.", location="_cursor")
