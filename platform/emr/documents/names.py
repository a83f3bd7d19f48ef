"""File names: what may be kept of a name that came with a file, and how it is given back. Pure."""

import re
import unicodedata
from typing import Final
from urllib.parse import quote

LONGEST: Final = 120
_UNSAFE: Final = re.compile(r'[<>:"|?*;%\\/]+')
_RESERVED: Final = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])", re.IGNORECASE)
_KEPT_ASCII: Final = re.compile(r"[^A-Za-z0-9 ._()-]+")


def safe_name(sent: str, ending: str, instead: str = "tai-lieu") -> str:
    """A file name that is only a name: NFC, no folders, no control or direction signs, one ending, that of the content.

    `../../x.pdf` gives `x.pdf`, `a.exe` as a PDF gives `a.pdf`, a name of nothing gives `instead`.
    """
    name = unicodedata.normalize("NFC", sent).replace("\\", "/").rpartition("/")[2]
    name = "".join(" " if unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") else sign for sign in name)
    name = " ".join(_UNSAFE.sub(" ", name).split()).strip(". ")
    stem = name.rpartition(".")[0] if re.search(r"\.[A-Za-z0-9]{1,5}$", name) else name
    stem = stem.strip(". ")[:LONGEST].strip(". ")
    if not stem or _RESERVED.fullmatch(stem):
        stem = instead
    return f"{stem}.{ending}"


def content_disposition(name: str, how: str = "attachment") -> str:
    """The header by RFC 6266: a name in ASCII for old readers and the true one in UTF-8 (RFC 8187)."""
    folded = unicodedata.normalize("NFKD", name.replace("đ", "d").replace("Đ", "D"))
    plain = " ".join(_KEPT_ASCII.sub(" ", "".join(sign for sign in folded if not unicodedata.combining(sign))).split())
    if plain.startswith("."):
        plain = f"file{plain}"
    header = f'{how}; filename="{plain or "file"}"'
    return header if plain == name else f"{header}; filename*=UTF-8''{quote(name, safe='')}"
