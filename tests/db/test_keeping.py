"""The pool lends a connection to one at a time, makes no more than it may, and keeps none that is broken."""

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable
from typing import Concatenate, ParamSpec, TypeVar

import asyncpg
import pytest

from emr.db import keeping
from emr.db.keeping import Left, Pool
from emr.kernel.errors import Unavailable
from emr_demo.postgres import Cluster
from tests.patience import comes_true_meanwhile

P = ParamSpec("P")
S = TypeVar("S")


def in_loop(test: Callable[Concatenate[S, P], Awaitable[None]]) -> Callable[Concatenate[S, P], None]:
    """The test in an event loop of its own."""

    @functools.wraps(test)
    def run(self: S, /, *args: P.args, **kwargs: P.kwargs) -> None:
        async def scenario() -> None:
            await test(self, *args, **kwargs)

        asyncio.run(scenario())

    return run


@pytest.fixture
def url(cluster: Cluster) -> str:
    return cluster.url()


async def opened(url: str, size: int = 2) -> Pool:
    pool = Pool(url, size, {})
    await pool.open()
    return pool


class TestLend:
    @in_loop
    async def test_what_came_back_last_is_lent_first(self, url: str) -> None:
        pool = await opened(url)
        first, second = await pool.lend(), await pool.lend()
        await pool.take_back(first)
        await pool.take_back(second)
        assert await pool.lend() is second
        await pool.take_back(second)
        await pool.close()

    @in_loop
    async def test_who_comes_when_all_are_lent_gets_the_next_that_comes_back(self, url: str) -> None:
        pool = await opened(url, size=1)
        lent = await pool.lend()
        waiting = asyncio.create_task(pool.lend())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await pool.take_back(lent)
        assert await waiting is lent
        assert (pool.open_connections(), pool.idle_connections()) == (1, 0)
        await pool.take_back(lent)
        await pool.close()

    @in_loop
    async def test_many_at_once_never_make_more_than_the_size(self, url: str) -> None:
        pool = await opened(url, size=3)
        most = 0

        async def turn() -> None:
            nonlocal most
            driver = await pool.lend()
            most = max(most, pool.open_connections())
            assert await driver.fetchval("SELECT 1") == 1
            await pool.take_back(driver)

        await asyncio.gather(*(turn() for _ in range(60)))
        assert most <= 3
        assert pool.idle_connections() == pool.open_connections() <= 3
        await pool.close()

    @in_loop
    async def test_who_waits_too_long_is_told(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        pool = await opened(url, size=1)
        lent = await pool.lend()
        monkeypatch.setattr(keeping, "_WAIT_SECONDS", 0.05)
        with pytest.raises(Unavailable):
            await pool.lend()
        await pool.take_back(lent)
        assert await pool.lend() is lent
        await pool.take_back(lent)
        await pool.close()

    @in_loop
    async def test_who_gives_up_while_waiting_loses_nothing_for_others(self, url: str) -> None:
        pool = await opened(url, size=1)
        lent = await pool.lend()
        impatient, patient = asyncio.create_task(pool.lend()), asyncio.create_task(pool.lend())
        await asyncio.sleep(0.05)
        await pool.take_back(lent)
        impatient.cancel()
        assert await asyncio.wait_for(patient, 30) is lent
        with pytest.raises(asyncio.CancelledError):
            await impatient
        await pool.take_back(lent)
        await pool.close()

    @in_loop
    async def test_a_server_that_is_not_there_is_unavailable(self) -> None:
        pool = await opened("postgresql://nobody:x@127.0.0.1:1/none")
        with pytest.raises(Unavailable):
            await pool.lend()
        assert pool.open_connections() == 0
        await pool.close()


class TestTakeBack:
    @in_loop
    async def test_a_connection_that_the_server_ended_is_replaced(self, url: str) -> None:
        pool = await opened(url)
        lent = await pool.lend()
        await pool.take_back(lent)
        other = await asyncpg.connect(url)
        await other.execute("SELECT pg_terminate_backend($1)", lent.get_server_pid())
        await other.close()
        assert await comes_true_meanwhile(lent.is_closed)
        fresh = await pool.lend()
        assert fresh is not lent
        assert await fresh.fetchval("SELECT 1") == 1
        await pool.take_back(fresh)
        await pool.close()

    @in_loop
    async def test_a_connection_inside_a_transaction_is_not_lent_again(self, url: str) -> None:
        pool = await opened(url)
        lent = await pool.lend()
        await lent.execute("BEGIN")
        await pool.take_back(lent)
        assert lent.is_closed()
        assert pool.open_connections() == 0
        await pool.close()

    @in_loop
    async def test_one_that_has_been_free_too_long_is_closed(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        pool = await opened(url)
        first, second = await pool.lend(), await pool.lend()
        await pool.take_back(first)
        monkeypatch.setattr(keeping, "_IDLE_SECONDS", -1.0)
        await pool.take_back(second)
        assert first.is_closed()
        assert pool.open_connections() == 1
        await pool.close()

    @in_loop
    async def test_after_the_end_nothing_stays_open(self, url: str) -> None:
        pool = await opened(url)
        lent = await pool.lend()
        await pool.close()
        await pool.take_back(lent)
        assert lent.is_closed()
        with pytest.raises(RuntimeError):
            await pool.lend()


class TestLendToRead:
    @in_loop
    async def test_who_comes_under_the_same_name_goes_on_with_the_transaction(self, url: str) -> None:
        pool = await opened(url)
        first, second = await pool.lend(), await pool.lend()
        for name, lent in (("one", first), ("other", second)):
            await lent.execute("BEGIN READ ONLY")
            pool.take_back_open(lent, Left(name, time.monotonic()))
        lent, left = await pool.lend_to_read("one")
        assert (lent, left and left.name) == (first, "one")
        assert lent.is_in_transaction()
        lent, left = await pool.lend_to_read("one")
        assert (lent, left) == (second, None)
        for each in (first, second):
            await each.execute("COMMIT")
            await pool.take_back(each)
        await pool.close()

    @in_loop
    async def test_it_goes_on_for_a_while_only(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        pool = await opened(url)
        lent = await pool.lend()
        await lent.execute("BEGIN READ ONLY")
        pool.take_back_open(lent, Left("one", time.monotonic() - keeping._GOES_ON_SECONDS))
        assert await pool.lend_to_read("one") == (lent, None)
        await lent.execute("COMMIT")
        await pool.take_back(lent)
        await pool.close()

    @in_loop
    async def test_what_has_been_ended_does_not_go_on(self, url: str) -> None:
        pool = await opened(url)
        lent = await pool.lend()
        pool.take_back_open(lent, Left("one", time.monotonic()))
        assert await pool.lend_to_read("one") == (lent, None)
        await pool.take_back(lent)
        await pool.close()


class TestTakeBackOpen:
    @in_loop
    async def test_the_next_who_comes_finds_the_transaction(self, url: str) -> None:
        pool = await opened(url)
        lent = await pool.lend()
        await lent.execute("BEGIN READ ONLY")
        pool.take_back_open(lent)
        assert await pool.lend() is lent
        assert lent.is_in_transaction()
        await lent.execute("COMMIT")
        await pool.take_back(lent)
        await pool.close()

    @in_loop
    async def test_it_is_ended_when_nobody_comes(self, url: str) -> None:
        pool = await opened(url)
        lent = await pool.lend()
        await lent.execute("BEGIN READ ONLY")
        pool.take_back_open(lent)
        assert await comes_true_meanwhile(lambda: not lent.is_in_transaction())
        assert await comes_true_meanwhile(lambda: (pool.open_connections(), pool.idle_connections()) == (1, 1))
        assert await pool.lend() is lent
        assert not lent.is_in_transaction()
        await pool.take_back(lent)
        await pool.close()

    @in_loop
    async def test_who_waits_gets_it_at_once(self, url: str) -> None:
        pool = await opened(url, size=1)
        lent = await pool.lend()
        waiting = asyncio.create_task(pool.lend())
        await asyncio.sleep(0)
        await lent.execute("BEGIN READ ONLY")
        pool.take_back_open(lent)
        assert await waiting is lent
        await lent.execute("COMMIT")
        await pool.take_back(lent)
        await pool.close()

    @in_loop
    async def test_after_the_end_nothing_stays_open(self, url: str) -> None:
        pool = await opened(url)
        first, second = await pool.lend(), await pool.lend()
        for each in (first, second):
            await each.execute("BEGIN READ ONLY")
        pool.take_back_open(first)
        await pool.close()
        pool.take_back_open(second)
        assert first.is_closed()
        assert second.is_closed()


class TestShare:
    @in_loop
    async def test_one_owner_never_has_more_than_its_share_and_others_are_served_meanwhile(self, url: str) -> None:
        pool = Pool(url, 3, {}, 2)
        await pool.open()
        held = [await pool.lend("a"), await pool.lend("a")]
        third = asyncio.create_task(pool.lend("a"))
        await asyncio.sleep(0.05)
        assert not third.done()
        other = await asyncio.wait_for(pool.lend("b"), 30)
        await pool.take_back(other)
        await asyncio.sleep(0.05)
        assert not third.done()
        assert pool.idle_connections() == 1
        await pool.take_back(held[0])
        assert await third is held[0]
        for driver in (held[0], held[1]):
            await pool.take_back(driver)
        assert (pool._held, pool._lent, pool._waiting) == ({}, {}, {})
        await pool.close()

    @in_loop
    async def test_who_waits_is_served_in_turns_by_owner(self, url: str) -> None:
        pool = Pool(url, 1, {})
        await pool.open()
        served: list[str] = []

        async def turn(owner: str) -> None:
            driver = await pool.lend(owner)
            served.append(owner)
            await asyncio.sleep(0)
            await pool.take_back(driver)

        first = await pool.lend("first")
        tasks = [asyncio.create_task(turn(owner)) for owner in [*"aaaaaaaa", "b", "c", "b"]]
        await asyncio.sleep(0.05)
        await pool.take_back(first)
        await asyncio.gather(*tasks)
        assert "".join(served) == "abcabaaaaaa"
        assert (pool._held, pool._waiting) == ({}, {})
        await pool.close()

    @in_loop
    async def test_who_gives_up_at_its_share_leaves_no_trace(self, url: str) -> None:
        pool = Pool(url, 2, {}, 1)
        await pool.open()
        held = await pool.lend("a")
        waiting = asyncio.create_task(pool.lend("a"))
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await pool.take_back(held)
        assert await asyncio.wait_for(pool.lend("a"), 30) is held
        await pool.take_back(held)
        assert (pool._held, pool._lent, pool._waiting) == ({}, {}, {})
        await pool.close()


class TestAcquaintance:
    """A connection serves few hospitals, and each hospital the connection that knows it."""

    async def knowing(self, url: str, size: int, limit: int) -> Pool:
        pool = Pool(url, size, {}, knows=limit)
        await pool.open()
        return pool

    @in_loop
    async def test_who_comes_again_gets_the_connection_that_knows_them(self, url: str) -> None:
        pool = await self.knowing(url, 2, 5)
        first, second = await pool.lend("a"), await pool.lend("b")
        await pool.take_back(first)
        await pool.take_back(second)
        assert await pool.lend("a") is first
        assert await pool.lend("b") is second
        await pool.take_back(first)
        await pool.take_back(second)
        await pool.close()

    @in_loop
    async def test_a_full_one_is_kept_while_another_may_be_made(self, url: str) -> None:
        pool = await self.knowing(url, 2, 1)
        first = await pool.lend("a")
        await pool.take_back(first)
        second = await pool.lend("b")
        await pool.take_back(second)
        assert (second is first, pool.open_connections(), pool.retired()) == (False, 2, 0)
        assert await pool.lend("a") is first
        await pool.take_back(first)
        await pool.close()

    @in_loop
    async def test_where_all_are_full_the_one_that_lay_still_longest_is_made_anew(self, url: str) -> None:
        pool = await self.knowing(url, 2, 1)
        kept = [await pool.lend("a"), await pool.lend("b")]
        for each in kept:
            await pool.take_back(each)
        third = await pool.lend("c")
        assert (third in kept, pool.retired(), pool.most_known()) == (False, 1, 1)
        await pool.take_back(third)
        assert await pool.lend("b") is kept[1]
        await pool.take_back(kept[1])
        assert pool.open_connections() == 2
        await pool.close()
        assert kept[0].is_closed()

    @in_loop
    async def test_no_connection_learns_more_than_it_may_however_many_wait(self, url: str) -> None:
        pool = await self.knowing(url, 2, 3)
        most = 0

        async def one(owner: str) -> None:
            nonlocal most
            driver = await pool.lend(owner)
            await driver.execute("SELECT 1")
            most = max(most, pool.most_known())
            await pool.take_back(driver)

        await asyncio.gather(*(one(f"h{number % 20}") for number in range(100)))
        assert (most <= 4, pool.open_connections() <= 2, pool.retired() > 0) == (True, True, True)
        await pool.close()

    @in_loop
    async def test_whose_connection_is_lent_waits_for_it_a_moment(self, url: str) -> None:
        pool = await self.knowing(url, 2, 2)
        first, second = await pool.lend("a"), await pool.lend("b")
        await pool.take_back(second)
        again = asyncio.create_task(pool.lend("a"))
        await asyncio.sleep(0)
        await pool.take_back(first)
        assert await again is first
        assert not pool._known.knows(second, "a")
        await pool.take_back(first)
        assert (pool._held, pool._lent, pool._hopes._hoping) == ({}, {}, {})
        await pool.close()

    @in_loop
    async def test_who_waits_in_vain_gets_one_that_has_to_learn(self, url: str) -> None:
        pool = await self.knowing(url, 2, 2)
        first, second = await pool.lend("a"), await pool.lend("b")
        await pool.take_back(second)
        assert await asyncio.wait_for(pool.lend("a"), 30) is second
        for driver in (first, second):
            await pool.take_back(driver)
        assert (pool._held, pool._lent, pool._hopes._hoping) == ({}, {}, {})
        await pool.close()

    @in_loop
    async def test_who_gives_up_while_hoping_loses_nothing_for_others(self, url: str) -> None:
        pool = await self.knowing(url, 2, 2)
        first, second = await pool.lend("a"), await pool.lend("b")
        await pool.take_back(second)
        early, late = asyncio.create_task(pool.lend("a")), asyncio.create_task(pool.lend("a"))
        await asyncio.sleep(0)
        early.cancel()
        await pool.take_back(first)
        late.cancel()
        await asyncio.gather(early, late, return_exceptions=True)
        assert (pool.idle_connections(), pool._held, pool._hopes._hoping) == (2, {}, {})
        assert await pool.lend("a") is first
        await pool.take_back(first)
        await pool.close()

    @in_loop
    async def test_where_there_is_room_nobody_waits(self, url: str) -> None:
        pool = await self.knowing(url, 2, 10)
        first = await pool.lend("a")
        second = await asyncio.wait_for(pool.lend("a"), 30)
        assert (first is second, pool.open_connections()) == (False, 2)
        for driver in (first, second):
            await pool.take_back(driver)
        await pool.close()

    @in_loop
    async def test_hoping_never_keeps_who_takes_any_from_a_turn(self, url: str) -> None:
        pool = await self.knowing(url, 1, 3)
        served: list[str] = []

        async def turn(owner: str) -> None:
            driver = await pool.lend(owner)
            served.append(owner)
            await asyncio.sleep(0)
            await pool.take_back(driver)

        await asyncio.gather(*(turn(owner) for owner in "abab"))
        await asyncio.gather(*(turn(owner) for owner in ["a"] * 20 + ["c"]))
        assert served.index("c") < len(served) - 1
        await pool.close()

    @in_loop
    async def test_without_a_limit_nothing_is_retired(self, url: str) -> None:
        pool = await opened(url)
        for number in range(50):
            await pool.take_back(await pool.lend(f"h{number}"))
        assert (pool.retired(), pool.open_connections()) == (0, 1)
        await pool.close()
