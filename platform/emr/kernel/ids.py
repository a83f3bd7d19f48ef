"""Identifiers made here: ordered by time where they become keys, opaque where they are secrets."""

import os
import secrets
import time

_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


def uuid7() -> str:
    """A UUIDv7 (RFC 9562, section 5.7): 48 bits of milliseconds, then 74 random bits."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def opaque(length: int = 12) -> str:
    """A name that tells nothing: lower-case letters and digits, 5.17 bits a character."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
