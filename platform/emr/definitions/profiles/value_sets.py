"""Whether a code is in a value set that a profile binds to."""

from collections.abc import Mapping
from typing import Final, Protocol

from emr.definitions import model
from emr.kernel.errors import Refusal


class Ready(Protocol):
    """A value set whose parts lie ready, such as `terminology.held.ValueSet`."""

    def find(self, system: str, code: str) -> object | None:
        """What it holds under a code, or None. Raises a `Refusal` when that cannot be known."""

    def systems(self) -> Mapping[str, object]:
        """The code systems, by URL with or without a version, that it speaks of."""


_NOTHING: Final[Mapping[str, Ready]] = {}


class Codes:
    """Value sets by the canonical URL that profiles bind to, and beside them the finite ones of R4 itself."""

    def __init__(self, ready: Mapping[str, Ready] = _NOTHING) -> None:
        self._ready = ready

    def holds(self, value_set: str, system: str | None, code: str) -> bool | None:
        """Whether a code is in a value set; None when that cannot be told here.

        Without a system, as in an element of type `code`, a code of any of its systems will do.
        """
        ready = self._ready.get(value_set)
        if ready is None:
            return _of_r4(value_set.partition("|")[0], system, code)
        systems = [system] if system is not None else [each.partition("|")[0] for each in ready.systems()]
        answers = [_asked(ready, each, code) for each in systems]
        return True if True in answers else None if None in answers else False


def _asked(ready: Ready, system: str, code: str) -> bool | None:
    try:
        return ready.find(system, code) is not None
    except Refusal:
        return None


def _of_r4(value_set: str, system: str | None, code: str) -> bool | None:
    if value_set not in model.content("codes"):
        return None
    codes = model.codes(value_set)
    if system is not None:
        return code in codes.get(system, ())
    return any(code in each for each in codes.values())
