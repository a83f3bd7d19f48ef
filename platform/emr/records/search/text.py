"""The text of a criterion: separators, escapes and numbers as searches write them (search.html#escaping)."""

import re
from typing import Final

_ESCAPED: Final = re.compile(r"\\([,$|\\])")


def split(text: str, separator: str) -> list[str]:
    """Parts between separators that no backslash stands before; the escapes stay for `unescape`."""
    if "\\" not in text:
        return text.split(separator)
    parts, part, at = [], "", 0
    while at < len(text):
        character = text[at]
        if character == "\\" and at + 1 < len(text) and text[at + 1] in ",$|\\":
            part, at = part + text[at : at + 2], at + 2
            continue
        if character == separator:
            parts.append(part)
            part = ""
        else:
            part += character
        at += 1
    return [*parts, part]


def unescape(text: str) -> str:
    """A value with its escapes taken off."""
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text
