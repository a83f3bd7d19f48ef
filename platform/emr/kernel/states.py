"""What the states of a hospital mean, and which may follow which. Every entrance and every job asks this page.

| state | served | takes changes | who is told |
|---|---|---|---|
| trial | yes | yes | each page says that it is a trial |
| live | yes | yes | nobody |
| read-only | yes | no | each page says so, and why |
| suspended | no: 503 everywhere, and no job runs | no | one page says why, and whom to call |
| leaving | yes; exports and the way to the city go on | no | each page says so |
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Manner:
    """served: the hospital can be reached at all, and its jobs run. takes: facts may be added and changed there.
    follows: the states that may come next.
    """

    served: bool
    takes: bool
    follows: frozenset[str]


STATES: Final[dict[str, Manner]] = {
    "trial": Manner(served=True, takes=True, follows=frozenset({"live", "read-only", "suspended", "leaving"})),
    "live": Manner(served=True, takes=True, follows=frozenset({"read-only", "suspended", "leaving"})),
    "read-only": Manner(served=True, takes=False, follows=frozenset({"trial", "live", "suspended", "leaving"})),
    "suspended": Manner(served=False, takes=False, follows=frozenset({"trial", "live", "read-only", "leaving"})),
    "leaving": Manner(served=True, takes=False, follows=frozenset({"trial", "live", "read-only", "suspended"})),
}
"""A hospital that was live once is never on trial again: see `may_follow`."""

AT_WORK: Final = frozenset(name for name, manner in STATES.items() if manner.takes)


def may_follow(state: str, wanted: str, *, was_live: bool) -> bool:
    """Whether a hospital may pass from one state to another."""
    return wanted in STATES[state].follows and not (wanted == "trial" and was_live)
