"""What only a hospital's canaries hold: words, and ids that no other hospital can guess."""

import base64
import hashlib
import hmac
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks of one hospital's canaries, derived from the signing key.

    `word` is what outsiders ask by, and so may stand in an answer. `proof` stands beside it in everything that is
    planted and is never sent in a request: an answer that holds it has given something away. `ids` names the planted
    resources by what they are. `root` is the DICOM UID under which the planted image stands (PS3.5 annex B.2).
    """

    word: str
    proof: str
    ids: dict[str, str]
    root: str

    @property
    def file(self) -> str:
        """What stands in planted files, as base64 (RFC 4648): the form in which FHIR carries them."""
        return base64.b64encode(f"{self.word} {self.proof}".encode()).decode("ascii")

    def betrayed_by(self, text: str) -> bool:
        """Whether a text gives away what only this hospital's canaries hold."""
        return self.proof in text.lower() or self.file.rstrip("=")[-24:-4] in text


def marks_of(signing_key: bytes, schema: str) -> Marks:
    """The marks of the hospital with this schema: the same each time, and nobody else's."""

    def derived(what: str) -> bytes:
        return hmac.digest(signing_key, f"border light {schema} {what}".encode(), hashlib.sha256)

    def letters(what: str) -> str:
        return base64.b32encode(derived(what)).decode("ascii").rstrip("=").translate(_LETTERS).lower()[:20]

    kinds = ("patient", "encounter", "observation", "note", "binary", "practitioner", "team")
    return Marks(
        word=f"w{letters('word')}",
        proof=f"p{letters('proof')}",
        ids={kind: f"canary-{letters(kind)}" for kind in kinds},
        root=f"2.25.{int.from_bytes(derived('image')[:15], 'big')}",
    )


_LETTERS = str.maketrans("234567", "bcdfgh")
"""Base32 without its digits: a word of letters alone is one word to every index."""
