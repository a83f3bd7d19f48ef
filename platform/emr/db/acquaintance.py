"""Which hospitals each connection has served, and which connection is lent to whom.

A backend that has touched a hospital's tables keeps their descriptions and the plans for as long as it lives, some 1 MB
for each. So a hospital is given a connection that knows it already, if one is free, else one that may still learn to
know somebody; and a connection knows no more than so many.
"""

from collections.abc import Sequence

import asyncpg


class Acquaintance:
    """What the connections of one pool know. limit: of hospitals for each connection; 0: none."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: dict[asyncpg.Connection, set[str]] = {}

    def choose(self, free: Sequence[asyncpg.Connection], owner: str) -> int | None:
        """The place of the connection to lend: of those that know the owner, else of those that may learn, the one that
        came back last. None where every one knows as many others as it may.
        """
        able: int | None = None
        for place in range(len(free) - 1, -1, -1):
            known = self._known.get(free[place], ())
            if owner in known or not owner:
                return place
            if able is None and (not self._limit or len(known) < self._limit):
                able = place
        return able

    def meet(self, driver: asyncpg.Connection, owner: str) -> None:
        """This connection serves that hospital."""
        if owner:
            self._known.setdefault(driver, set()).add(owner)

    def knows_too_many(self, driver: asyncpg.Connection) -> bool:
        """Whether it was given to more than it may know, which happens to those who waited."""
        return bool(self._limit) and len(self._known.get(driver, ())) > self._limit

    def forget(self, driver: asyncpg.Connection) -> None:
        """The connection is closed."""
        self._known.pop(driver, None)

    def most(self) -> int:
        """How many hospitals the connection knows that knows the most."""
        return max(map(len, self._known.values()), default=0)
