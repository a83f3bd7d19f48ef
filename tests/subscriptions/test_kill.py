"""A worker killed as by a power cut, at every point between a write and its receipt: nothing is lost, a retry is one."""

import asyncio
import signal
import time

import pytest

from tests.subscriptions.receiver import Receiver
from tests.subscriptions.world import Ward, observation, patient_of, subscription_to, ward
from tests.warehouse.world import World, start_worker, stop

POINTS = (
    "notify-matched",
    "notify-match-committed",
    "notify-claimed",
    "notify-prepared",
    "notify-sent",
    "notify-settled",
)
"""Inside the transaction that numbers, after it, after the id is written down, before the call, after the call and before
it is written down that it was taken, after that."""


async def killed(world: World, point: str) -> None:
    process = start_worker(world, point)
    await asyncio.to_thread(process.join, 60)
    assert process.exitcode == -signal.SIGKILL, f"{point}: the worker ended with {process.exitcode}"


@pytest.mark.timeout(600)
class TestKilled:
    def test_every_event_arrives_in_order_and_a_second_time_under_the_same_id_only(
        self, world: World, receiver: Receiver
    ) -> None:
        rounds = list(POINTS)

        async def scenario(here: Ward) -> None:
            patient = await here.create(patient_of(1))
            made = await here.active(subscription_to(receiver.url, content="full-resource"))
            for number, point in enumerate(rounds):
                for each in range(3):
                    await here.create(observation(patient.id, text=f"k{number}-{each}"))
                await killed(world, point)
            process = start_worker(world)
            deadline = time.monotonic() + 60
            while here.row(made)["delivered_number"] < 3 * len(rounds):
                assert time.monotonic() < deadline, here.row(made)
                await asyncio.sleep(0.05)
            await asyncio.to_thread(stop, process)

        async def inside() -> None:
            async with ward(world) as here:
                await scenario(here)

        asyncio.run(inside())
        wanted = 3 * len(rounds)
        assert receiver.numbers() == list(range(1, wanted + 1))
        bodies: dict[int, set[str]] = {}
        for came in receiver.events():
            bodies.setdefault(came.numbers[0], set()).add(came.id)
        assert all(len(ids) == 1 for ids in bodies.values())
        texts = {came.json()["entry"][1]["resource"]["code"]["text"] for came in receiver.events()}
        assert texts == {f"k{number}-{each}" for number in range(len(rounds)) for each in range(3)}
        sent_again = len(receiver.events()) - wanted
        assert 1 <= sent_again <= len(rounds)


class TestTheProcess:
    def test_two_workers_share_the_work_and_each_event_has_one_notification(
        self, world: World, receiver: Receiver
    ) -> None:
        async def scenario() -> None:
            async with ward(world) as here:
                patient = await here.create(patient_of(1))
                made = await here.active(subscription_to(receiver.url))
                workers = [start_worker(world) for _ in range(2)]
                for number in range(15):
                    await here.create(observation(patient.id, text=f"w{number}"))
                deadline = time.monotonic() + 60
                while here.row(made)["delivered_number"] < 15:
                    assert time.monotonic() < deadline
                    await asyncio.sleep(0.05)
                for worker in workers:
                    await asyncio.to_thread(stop, worker)

        asyncio.run(scenario())
        assert receiver.numbers() == list(range(1, 16))
        assert len({came.id for came in receiver.events()}) == 15
