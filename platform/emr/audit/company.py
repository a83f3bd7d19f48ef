"""How many requests a group of audit rows waits for: those who are likely to come at once. It has no clock."""

from dataclasses import dataclass, field
from typing import Final

_ENOUGH: Final = 16
"""The most requests that a group waits for: by then its commit is a small part of what they cost."""
_LONGEST_PAUSE: Final = 16
"""The most groups for which nobody is waited for after waits that were in vain."""


@dataclass(slots=True)
class Company:
    """Who was answered together often asks again at once, and where it does not, that is found out.

    After a group of several requests the next expects as many, and as many more as came while that one was written.
    Each wait in vain is followed by twice as many groups that wait for nobody, the first by one.

    recent: seconds after a group was written from which on nobody is expected any more.
    """

    recent: float
    expected: int = 0
    _written: float = field(default=0.0, init=False)
    _pause: int = field(default=0, init=False)
    _left: int = field(default=0, init=False)

    def complete(self, waiting: int) -> bool:
        """Whether as many wait as are expected."""
        return waiting >= self.expected

    def worth_a_wait(self, waiting: int, now: float) -> bool:
        """Whether a group that could be written now is to wait; `now` in seconds of any steady clock."""
        if self.complete(waiting) or now - self._written >= self.recent:
            return False
        if self._left:
            self._left -= 1
            return False
        return True

    def waited(self, waiting: int) -> None:
        """A wait has ended with so many."""
        self._pause = 0 if self.complete(waiting) else min(self._pause * 2 or 1, _LONGEST_PAUSE)
        self._left = self._pause

    def wrote(self, together: int, waiting: int, now: float) -> None:
        """A group of so many requests was written, and so many came meanwhile."""
        self.expected = min(together + waiting, _ENOUGH) if together > 1 else 0
        self._written = now
