"""The small list of diagnoses to pick from: ICD-10 codes in words of our own (`codes.json`), found as one types."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from emr.kernel.text import fold, words
from emr.web.i18n import Language

FILE = Path(__file__).with_name("codes.json")
MOST = 12


@dataclass(frozen=True)
class Code:
    """One diagnosis."""

    code: str
    vietnamese: str
    english: str

    def said(self, language: Language) -> str:
        """Its words in a language."""
        return self.vietnamese if language == "vi" else self.english


@cache
def codes() -> tuple[Code, ...]:
    """The list, read at the first use."""
    return tuple(Code(*row) for row in json.loads(FILE.read_text(encoding="utf-8"))["codes"])


@cache
def _folded() -> tuple[tuple[str, frozenset[str], str], ...]:
    return tuple(
        (fold(item.code), frozenset(words(f"{item.vietnamese} {item.english}")), fold(item.vietnamese))
        for item in codes()
    )


def code_of(code: str) -> Code | None:
    """The diagnosis with exactly this code."""
    return next((item for item in codes() if item.code == code), None)


def find_codes(text: str, *, most: int = MOST) -> Sequence[Code]:
    """Diagnoses whose code begins with the text, or in whose words each typed word begins one; the closest first."""
    asked = fold(text)
    typed = words(text)
    if not typed:
        return ()
    found = []
    for item, (code, said, whole) in zip(codes(), _folded(), strict=True):
        if code.startswith(asked) or code.replace(".", "").startswith(asked):
            found.append((0, item))
        elif all(any(word.startswith(part) for word in said) for part in typed):
            found.append((1 if whole.startswith(asked) else 2, item))
    return [item for _, item in sorted(found, key=lambda pair: (pair[0], pair[1].code))][:most]
