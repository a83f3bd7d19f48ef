"""One look for those who ask at the same time, and none that began before it was asked for."""

import asyncio
from collections.abc import Collection

import pytest

from emr.identity.together import Together

pytestmark = pytest.mark.anyio


class Table:
    """Something that changes; each look reads it at its beginning and takes a while."""

    def __init__(self) -> None:
        self.rows = {"a": 1, "b": 2}
        self.looks: list[list[str]] = []
        self.at_once = self.most_at_once = 0

    async def look(self, asked: Collection[str]) -> dict[str, int]:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.looks.append(list(asked))
        found = {each: self.rows[each] for each in asked if each in self.rows}
        await asyncio.sleep(0.02)
        self.at_once -= 1
        if "fault" in asked:
            raise ConnectionError
        return found


class TestAsk:
    async def test_who_asks_at_the_same_time_is_answered_by_one_look(self) -> None:
        table = Table()
        together = Together(table.look)
        assert await asyncio.gather(*(together.ask(each) for each in ("a", "b", "a", "none"))) == [1, 2, 1, None]
        assert table.looks == [["a", "b", "none"]]

    async def test_who_comes_while_one_is_under_way_joins_the_next(self) -> None:
        """What was taken away after a look began is seen by everybody who asks from then on."""
        table = Table()
        together = Together(table.look)
        first = asyncio.create_task(together.ask("a"))
        await asyncio.sleep(0.01)
        del table.rows["a"]
        later = [asyncio.create_task(together.ask(each)) for each in ("a", "b")]
        assert (await first, [await each for each in later]) == (1, [None, 2])
        assert table.looks == [["a"], ["a", "b"]]

    async def test_one_look_is_under_way_at_a_time(self) -> None:
        table = Table()
        together = Together(table.look)

        async def ask(after: float) -> int | None:
            await asyncio.sleep(after)
            return await together.ask("a")

        assert await asyncio.gather(*(ask(number / 300) for number in range(30))) == [1] * 30
        assert table.most_at_once == 1
        assert len(table.looks) < 15

    async def test_one_after_another_each_looks_again(self) -> None:
        table = Table()
        together = Together(table.look)
        assert await together.ask("a") == 1
        table.rows["a"] = 3
        assert await together.ask("a") == 3

    async def test_a_failure_is_told_to_those_who_asked_and_nobody_else(self) -> None:
        table = Table()
        together = Together(table.look)
        asked = await asyncio.gather(together.ask("a"), together.ask("fault"), return_exceptions=True)
        assert [type(each) for each in asked] == [ConnectionError, ConnectionError]
        assert await together.ask("a") == 1

    async def test_who_gives_up_takes_nothing_from_the_others(self) -> None:
        table = Table()
        together = Together(table.look)
        gone, staying = asyncio.create_task(together.ask("a")), asyncio.create_task(together.ask("b"))
        await asyncio.sleep(0.01)
        gone.cancel()
        assert await staying == 2
        assert gone.cancelled() or gone.cancelling()
