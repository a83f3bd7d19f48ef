"""Signatures that whoever verifies needs no secret for: Ed25519 (RFC 8032), with keys that may follow from another."""

from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class Signer:
    """Signs with the key of a seed of 32 bytes. public: its 32 bytes. id: what a signed text calls the key."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._key.public_key().public_bytes_raw()
        self.id = key_id(self.public)

    @classmethod
    def derived(cls, secret: bytes, purpose: bytes) -> "Signer":
        """The key that follows from a secret for one purpose (HKDF, RFC 5869)."""
        return cls(HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(secret))

    def sign(self, text: bytes) -> bytes:
        """64 bytes over the text."""
        return self._key.sign(text)


def key_id(public: bytes) -> str:
    """The first 16 hex digits of the SHA-256 of the public key."""
    return sha256(public).hexdigest()[:16]


def holds(public: bytes, text: bytes, signature: bytes) -> bool:
    """Whether who has the private key has signed exactly this text."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, text)
    except InvalidSignature:
        return False
    return True
