"""Questions that are asked at the same time, answered by one look at the database.

Every look begins after each of its questions was asked: what it finds is never older than the request that asks. One
look is under way at a time, and whoever comes meanwhile joins the next, as with the groups of the audit writer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Together(Generic[K, V]):
    """`look` gets the questions of a group, each once, and answers those that have an answer."""

    def __init__(self, look: Callable[[Collection[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._look = look
        self._asked: dict[K, None] = {}
        self._gathering: asyncio.Task[Mapping[K, V]] | None = None
        self._looking: asyncio.Task[Mapping[K, V]] | None = None

    async def ask(self, question: K) -> V | None:
        """The answer as it is now, or None. Raises what the look raises."""
        if self._gathering is None:
            self._asked = {}
            self._gathering = asyncio.create_task(self._answers(self._asked, self._looking))
        self._asked[question] = None
        # Who gives up takes nothing away from the others.
        return (await asyncio.shield(self._gathering)).get(question)

    async def _answers(self, asked: dict[K, None], former: asyncio.Task[Mapping[K, V]] | None) -> Mapping[K, V]:
        if former is not None and not former.done():
            await asyncio.wait((former,))
        # From here on nobody joins: the look begins.
        self._looking, self._gathering = self._gathering, None
        return await self._look(asked.keys())
