"""What the provider keeps in the demo's data folder, readable by its owner only."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final

from joserfc.jwk import RSAKey

_KEY: Final = "provider-key.json"
_WEB: Final = "provider-web-secret"
_TOKENS: Final = "provider-token-secret"


def signing_key(folder: Path) -> RSAKey:
    """The RSA key that signs every token; made at the first start, so that sign-ins outlive a restart."""
    text = _once(folder / _KEY, _new_key)
    return RSAKey.import_key(json.loads(text))


def web_secret(folder: Path) -> str:
    """The secret of the client `emr-web`, for the provider and for `EMR_IDENTITY__CLIENT_SECRET`."""
    return _once(folder / _WEB, _new_secret)


def token_secret(folder: Path) -> str:
    """The secret of the clients behind `emr token`."""
    return _once(folder / _TOKENS, _new_secret)


def write_private(path: Path, text: str) -> None:
    """Put `text` into a file of mode 0600 in one step, so that a crash leaves the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _once(path: Path, make: Callable[[], str]) -> str:
    if not path.exists():
        write_private(path, make())
    return path.read_text("utf-8").strip()


def _new_key() -> str:
    key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, private=True, auto_kid=True)
    return json.dumps(key.as_dict(private=True))


def _new_secret() -> str:
    return secrets.token_urlsafe(32)
