"""What a validation has found so far, and where."""

import re
from typing import Any, Final

from emr.kernel.errors import Issue

MAX_ISSUES: Final = 100
"""A body that breaks more rules than this is reported with the first ones."""

_NAME = re.compile(r"_?[A-Za-z][A-Za-z0-9]{0,63}", re.ASCII).fullmatch

Path = tuple[Any, str, int | None]
"""A place: the path above or None, the element, its index or None. Written out only when there is an issue."""


class Findings:
    """Collects issues during one validation."""

    __slots__ = ("contained", "fragments", "issues")

    def __init__(self) -> None:
        self.issues: list[Issue] = []
        self.fragments: list[tuple[str, Path]] = []
        self.contained: set[str] = set()

    def add(self, code: str, message: str, path: Path) -> None:
        if len(self.issues) < MAX_ISSUES:
            self.issues.append(Issue(code, message, location(path)))


def location(path: Path) -> str:
    """`Patient.name[0].family`; a name that no element can have is shown as `?`."""
    parts: list[str] = []
    step: Path | None = path
    while step is not None:
        above, name, index = step
        shown = name if _NAME(name) else "?"
        parts.append(shown if index is None else f"{shown}[{index}]")
        step = above
    return ".".join(reversed(parts))
