"""What kind of browser somebody used, in two words: enough to know one's own session, not enough to follow anybody."""

import re
from typing import Final

_BROWSERS: Final = (
    ("coc_coc_browser", "Cốc Cốc"),
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS: Final = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def device_of(user_agent: str) -> str:
    """Such as `Chrome · Windows`; "" for a program."""
    said = [_first(_BROWSERS, user_agent), _first(_SYSTEMS, user_agent)]
    return " · ".join(filter(None, said))


def _first(known: tuple[tuple[str, str], ...], user_agent: str) -> str:
    return next((name for token, name in known if re.search(rf"\b{token}", user_agent)), "")
