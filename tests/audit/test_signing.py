"""Signatures: whose they are, and over what."""

from hashlib import sha256

from emr.audit.signing import Signer, holds, key_id

SIGNER = Signer(bytes(range(32)))


class TestSigner:
    def test_whoever_has_the_public_key_can_tell(self) -> None:
        assert holds(SIGNER.public, b"text", SIGNER.sign(b"text"))

    def test_another_text_is_not_signed(self) -> None:
        assert not holds(SIGNER.public, b"texts", SIGNER.sign(b"text"))

    def test_another_key_has_not_signed_it(self) -> None:
        assert not holds(Signer(bytes(32)).public, b"text", SIGNER.sign(b"text"))

    def test_it_is_called_by_its_public_key(self) -> None:
        assert SIGNER.id == key_id(SIGNER.public) == sha256(SIGNER.public).hexdigest()[:16]

    def test_a_key_follows_from_a_secret_for_one_purpose(self) -> None:
        one, same, other = (Signer.derived(bytes(32), purpose).public for purpose in (b"a", b"a", b"b"))
        assert one == same != other
