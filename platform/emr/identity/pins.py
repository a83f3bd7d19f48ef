"""The PIN that opens a locked session again: six digits, set by their owner, kept as a slow hash under a key of ours.

Six digits are few. So the hash alone is not worth stealing (it needs the platform's key, which is not in the database),
and a session takes five wrong ones and is over. A PIN opens nothing but a session that its owner began by signing in.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
import re
from typing import Final

from emr.db.pools import RolePool
from emr.identity.errors import PinTooSimple
from emr.identity.sealing import derived_key
from emr.kernel.clock import Clock

_PIN: Final = re.compile(r"[0-9]{6}")
_COST: Final = 2**15
_BLOCK: Final = 8
_MEMORY: Final = 2 * 128 * _COST * _BLOCK
_AT_ONCE: Final = 4
_RISING: Final = "01234567890"

_READ: Final = "SELECT hash FROM directory.pins WHERE subject = $1"

_SET: Final = """
INSERT INTO directory.pins (subject, hash, set_at) VALUES ($1, $2, $3)
ON CONFLICT (subject) DO UPDATE SET hash = excluded.hash, set_at = excluded.set_at
"""

_REMOVE: Final = "DELETE FROM directory.pins WHERE subject = $1"


class Pins:
    """Keeps and compares PINs as `emr_directory`. How often one may try is the session's to count."""

    def __init__(self, directory: RolePool, secret: str, clock: Clock) -> None:
        self._directory = directory
        self._key = derived_key(secret, "pins")
        self._clock = clock
        # Each comparison takes 32 MiB for a tenth of a second.
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def known(self, subject: str) -> bool:
        """Whether the person has set a PIN."""
        return await self._read(subject) is not None

    async def set(self, subject: str, pin: str) -> None:
        """Keep a new PIN in place of the one before. Raises PinTooSimple for what is guessed first."""
        if not _PIN.fullmatch(pin) or len(set(pin)) < 3 or pin in _RISING or pin[::-1] in _RISING:
            raise PinTooSimple
        salt = os.urandom(16)
        kept = f"scrypt${_text(salt)}${_text(await self._slowly(pin, salt))}"
        async with self._directory.connection() as connection:
            await connection.execute(_SET, subject, kept, self._clock(), name="pin.set")

    async def remove(self, subject: str) -> None:
        """Forget the PIN; harmless where there is none."""
        async with self._directory.connection() as connection:
            await connection.execute(_REMOVE, subject, name="pin.remove")

    async def matches(self, subject: str, pin: str) -> bool:
        """Whether this is the person's PIN. Who has none is answered no sooner."""
        kept = await self._read(subject)
        _, salt, digest = (kept or f"none${_text(bytes(16))}$").split("$")
        made = await self._slowly(pin, base64.b64decode(salt))
        return hmac.compare_digest(made, base64.b64decode(digest))

    async def _read(self, subject: str) -> str | None:
        async with self._directory.connection() as connection:
            kept: str | None = await connection.fetchval(_READ, subject, name="pin.read")
        return kept

    async def _slowly(self, pin: str, salt: bytes) -> bytes:
        async with self._turn:
            return await asyncio.to_thread(self._hash, pin, salt)

    def _hash(self, pin: str, salt: bytes) -> bytes:
        keyed = hmac.digest(self._key, pin.encode(), hashlib.sha256)
        return hashlib.scrypt(keyed, salt=salt, n=_COST, r=_BLOCK, p=1, maxmem=_MEMORY, dklen=32)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
