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
    """Collects issues during one validation.

    issues: what makes the resource invalid. advice: what does not, sought only when `thorough`. resource, root: the
    resource that is looked at, and the one around it where it is contained. asked: how many expressions were asked,
    in one place for all that are nested.
    """

    __slots__ = ("advice", "asked", "contained", "fragments", "issues", "resource", "root", "thorough")

    def __init__(self, *, thorough: bool = False) -> None:
        self.issues: list[Issue] = []
        self.advice: list[Issue] = []
        self.fragments: list[tuple[str, Path]] = []
        self.contained: set[str] = set()
        self.thorough = thorough
        self.asked = [0]
        self.resource: Any = None
        self.root: Any = None

    def within(self, resource: Any) -> "Findings":
        """For a resource inside another: one list of issues, but local references of its own."""
        inner = Findings(thorough=self.thorough)
        inner.issues, inner.advice, inner.asked = self.issues, self.advice, self.asked
        inner.resource = inner.root = resource
        return inner

    def add(self, code: str, message: str, path: Path) -> None:
        if len(self.issues) < MAX_ISSUES:
            self.issues.append(Issue(code, message, location(path)))

    def warn(self, code: str, message: str, path: Path) -> None:
        """Say what does not make the resource invalid, to those who have asked for it."""
        if self.thorough and len(self.advice) < MAX_ISSUES:
            self.advice.append(Issue(code, message, location(path)))


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
