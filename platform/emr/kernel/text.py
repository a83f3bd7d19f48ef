"""Text folded for search: how a clerk types a Vietnamese name is not how it is written."""

import unicodedata
from typing import Final

_MARKS: Final = dict.fromkeys(range(0x300, 0x370))
_PLAIN: Final = str.maketrans(
    {"đ": "d", "Đ": "d", "ð": "d", "ı": "i", "ß": "ss", "æ": "ae", "ø": "o", "œ": "oe", "ł": "l"}
)
_BETWEEN_WORDS: Final = {number: " " for number in range(128) if not chr(number).isalnum()}


def fold(text: str) -> str:
    """Lower case, without accents, `đ` as `d`, white space as single spaces: `"NGUYỄN  Đức"` becomes `"nguyen duc"`.

    NFC and NFD spellings of one text fold to the same; folding twice changes nothing.
    """
    if text.isascii():
        return " ".join(text.lower().split())
    plain = unicodedata.normalize("NFKD", text.casefold()).translate(_MARKS).casefold().translate(_PLAIN)
    return " ".join(unicodedata.normalize("NFKC", plain).translate(_MARKS).split())


def words(text: str) -> list[str]:
    """The folded words of a text, letters and digits only, in the order in which they stand."""
    folded = fold(text)
    if folded.isascii():
        return folded.translate(_BETWEEN_WORDS).split()
    return "".join(letter if _belongs(letter) else " " for letter in folded).split()


def _belongs(letter: str) -> bool:
    """Combining signs of other scripts (Khmer vowels) belong to their word."""
    return letter.isalnum() or unicodedata.category(letter)[0] == "M"
