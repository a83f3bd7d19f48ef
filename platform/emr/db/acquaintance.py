"""Which hospitals each connection has served, and which connection is lent to whom.

A backend that has touched a hospital's tables keeps their descriptions and the plans for as long as it lives, some 1 MB
for each. So a hospital is given a connection that knows it already, if one is free, else one that may still learn to
know somebody; and a connection knows no more than so many.
"""

from collections import Counter
from collections.abc import Sequence

import asyncpg


class Acquaintance:
    """What the connections of one pool know. limit: of hospitals for each connection; 0: none. size: of the pool."""

    def __init__(self, limit: int, size: int) -> None:
        self._limit, self._size = limit, size
        self._known: dict[asyncpg.Connection, set[str]] = {}
        self._knowing: Counter[str] = Counter()

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
        known = self._known.setdefault(driver, set())
        if owner and owner not in known:
            known.add(owner)
            self._knowing[owner] += 1

    def knows(self, driver: asyncpg.Connection, owner: str) -> bool:
        """Whether this connection has served that hospital."""
        return owner in self._known.get(driver, ())

    def known_enough(self, owner: str) -> bool:
        """Whether so many connections know a hospital as there is room for, if each is to have as many and half of the
        room stays for those who need more.
        """
        if not self._limit or owner not in self._knowing:
            return False
        room = self._size * self._limit // (2 * len(self._knowing))
        return self._knowing[owner] >= max(1, room)

    def knows_too_many(self, driver: asyncpg.Connection) -> bool:
        """Whether it was given to more than it may know, which happens to those who waited."""
        return bool(self._limit) and len(self._known.get(driver, ())) > self._limit

    def forget(self, driver: asyncpg.Connection) -> None:
        """The connection is closed."""
        for owner in self._known.pop(driver, ()):
            self._knowing[owner] -= 1
            if not self._knowing[owner]:
                del self._knowing[owner]

    def most(self) -> int:
        """How many hospitals the connection knows that knows the most."""
        return max(map(len, self._known.values()), default=0)
