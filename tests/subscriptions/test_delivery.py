"""Order, retries, error and resumption, the end, who may be told what: with a real endpoint."""

import asyncio
import itertools
import threading
import time
from datetime import timedelta
from typing import Any

import pytest

from emr.subscriptions.delivery import Delivery
from emr.subscriptions.jobs import subscription_jobs
from emr.subscriptions.matching import match
from emr.work.faults import nowhere
from emr.work.leases import Leases
from tests.subscriptions.receiver import Received, Receiver
from tests.subscriptions.world import FAST, Play, Ward, observation, patient_of, subscription_to, ward
from tests.warehouse.world import World


def failing(times: int, status: int = 500, **headers: str) -> Any:
    """Refuses the first so many event notifications, then takes everything."""
    left = itertools.chain(itertools.repeat(status, times), itertools.repeat(200))
    said = {name.replace("_", "-"): value for name, value in headers.items()}

    def reply(came: Received) -> tuple[int, dict[str, str]]:
        answer = next(left) if came.kind == "event-notification" else 200
        return answer, said if answer != 200 else {}

    return reply


async def until_told(here: Ward, subscription: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while True:
        await here.settle(1)
        row = here.row(subscription)
        if row.get("last_number") and row["last_number"] == row["delivered_number"]:
            return
        assert time.monotonic() < deadline, row
        await asyncio.sleep(0.02)


class TestOrder:
    def test_numbers_have_no_gap_and_a_resources_versions_come_in_order(self, play: Play, receiver: Receiver) -> None:
        versions: list[tuple[str, int]] = []

        async def scenario(here: Ward) -> None:
            patient = await here.create(patient_of(1))
            made = await here.active(subscription_to(receiver.url, content="full-resource"))
            first = [await here.create(observation(patient.id, text=f"a{n}")) for n in range(3)]
            for turn in range(3):
                for each in first:
                    stored = await here.update(observation(patient.id, text=f"b{turn}") | {"id": each.id})
                    versions.append((each.id, stored.version))
            await until_told(here, made)

        play(scenario)
        assert receiver.numbers() == list(range(1, 13))
        told = [(e["resource"]["id"], int(e["resource"]["meta"]["versionId"]))
                for came in receiver.events() for e in came.json()["entry"][1:]]  # fmt: skip
        assert [each for each in told if each[1] > 1] == versions
        assert all(came.said("events-since-subscription-start") == str(came.numbers[-1]) for came in receiver.events())

    def test_several_travel_together_when_the_subscription_allows(self, play: Play, receiver: Receiver) -> None:
        async def scenario(here: Ward) -> None:
            patient = await here.create(patient_of(1))
            made = await here.active(subscription_to(receiver.url, most=4))
            for number in range(10):
                await here.create(observation(patient.id, text=f"n{number}"))
            await until_told(here, made)

        play(scenario)
        assert [came.numbers for came in receiver.events()] == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]

    def test_two_subscriptions_number_by_themselves(self, play: Play, receiver: Receiver) -> None:
        async def scenario(here: Ward) -> None:
            patient = await here.create(patient_of(1))
            await here.active(subscription_to(receiver.url + "/all", "Observation"))
            await here.create(observation(patient.id, "preliminary"))
            await here.settle()
            final = await here.active(subscription_to(receiver.url + "/final"))
            await here.create(observation(patient.id))
            await until_told(here, final)
            await here.settle()

        play(scenario)
        told = {path: [n for came in receiver.events() if came.path == path for n in came.numbers]
                for path in ("/hook/all", "/hook/final")}  # fmt: skip
        assert told == {"/hook/all": [1, 2], "/hook/final": [1]}


class TestRetries:
    def test_a_retry_has_the_same_id_and_the_same_events(self, play: Play, receiver: Receiver) -> None:
        receiver.reply = failing(3)

        async def scenario(here: Ward) -> None:
            patient = await here.create(patient_of(1))
            made = await here.active(subscription_to(receiver.url))
            await here.create(observation(patient.id))
            await here.settle(1)
            await here.create(observation(patient.id, text="later"))
            await until_told(here, made)

        play(scenario)
        ids = [came.id for came in receiver.events()]
        assert ids[:4] == [ids[0]] * 4
        assert [came.numbers for came in receiver.events()] == [[1]] * 4 + [[2]]
        assert ids[4] != ids[0]

    def test_retry_after_is_waited_for(self, play: Play, receiver: Receiver) -> None:
        moments: list[float] = []
        answer = failing(1, 503, retry_after="1")

        def reply(came: Received) -> tuple[int, dict[str, str]]:
            if came.kind == "event-notification":
                moments.append(time.monotonic())
            return answer(came)  # type: ignore[no-any-return]

        receiver.reply = reply

        async def scenario(here: Ward) -> None:
            patient = await here.create(patient_of(1))
            made = await here.active(subscription_to(receiver.url))
            await here.create(observation(patient.id))
            await until_told(here, made)

        play(scenario)
        assert moments[1] - moments[0] > 0.9
        assert len(receiver.events()) == 2

    def test_a_slow_endpoint_holds_up_nobody_else(self, play: Play, receiver: Receiver) -> None:
        released = threading.Event()

        def reply(came: Received) -> tuple[int, dict[str, str]]:
            if came.path == "/hook/slow" and came.kind == "event-notification":
                released.wait(60)
            return 200, {}

        receiver.reply = reply

        async def scenario(here: Ward) -> None:
            patient = await here.create(patient_of(1))
            await here.active(subscription_to(receiver.url + "/slow"))
            quick = await here.active(subscription_to(receiver.url + "/quick"))
            for number in range(3):
                await here.create(observation(patient.id, text=f"n{number}"))
            began = time.monotonic()
            while here.row(quick)["delivered_number"] < 3:
                await here.turn()
                assert time.monotonic() - began < 30
            released.set()
            for courier in here.couriers:
                await courier.finish()

        play(scenario)

    def test_what_came_while_it_was_down_all_arrives_in_order(self, play: Play, receiver: Receiver) -> None:
        up: list[bool] = []
        receiver.reply = lambda came: (200 if up or came.kind == "handshake" else 502, {})

        async def scenario(here: Ward) -> None:
            patient = await here.create(patient_of(1))
            made = await here.active(subscription_to(receiver.url))
            for number in range(12):
                await here.create(observation(patient.id, text=f"n{number}"))
                await here.settle(1)
            assert here.row(made)["delivered_number"] == 0
            assert here.row(made)["reason"] == "status-502"
            up.append(True)
            await until_told(here, made)

        play(scenario)
        assert receiver.numbers() == list(range(1, 13))


class TestGivingUp:
    @pytest.fixture
    def impatient(self, world: World) -> World:
        quick = FAST.model_copy(update={"give_up_seconds": 0.2})
        return World(world.settings.model_copy(update={"subscriptions": quick}), world.superuser)

    def test_it_goes_into_error_keeps_counting_and_loses_nothing_when_resumed(
        self, impatient: World, receiver: Receiver
    ) -> None:
        up: list[bool] = []
        receiver.reply = lambda came: (200 if up or came.kind == "handshake" else 500, {})

        async def scenario() -> None:
            async with ward(impatient) as here:
                patient = await here.create(patient_of(1))
                made = await here.active(subscription_to(receiver.url))
                await here.create(observation(patient.id))
                deadline = time.monotonic() + 20
                while here.row(made)["state"] != "error":
                    await here.settle(1)
                    assert time.monotonic() < deadline
                stored = await here.read("Subscription", made)
                assert stored["status"] == "error"
                assert "status-500" in stored["error"]
                asked = len(receiver.came)
                await here.create(observation(patient.id, text="in error"))
                await here.settle()
                assert len(receiver.came) == asked
                assert here.row(made)["last_number"] == 2
                up.append(True)
                again = await here.update(stored | {"status": "requested"}, here.machine())
                assert "error" not in again.resource()
                await until_told(here, made)
                assert (await here.read("Subscription", made))["status"] == "active"

        asyncio.run(scenario())
        assert receiver.numbers() == [1, 2]
        assert [each.kind for each in receiver.came].count("handshake") == 2

    def test_an_end_that_has_come_switches_it_off(self, world: World, receiver: Receiver) -> None:
        async def scenario(here: Ward) -> None:
            patient = await here.create(patient_of(1))
            end = (here.clock() + timedelta(hours=1)).replace(microsecond=0)
            made = await here.active(subscription_to(receiver.url, end=end.isoformat()))
            await here.create(observation(patient.id))
            await until_told(here, made)
            await here.settle()
            assert here.world.sql("SELECT due_at FROM cell.subscribers WHERE id = %s", made) == [(end,)]
            here.clock.ahead = timedelta(hours=1)
            await here.create(observation(patient.id, text="too late"))
            here.world.sql("UPDATE cell.subscribers SET due_at = now() WHERE id = %s", made)
            await here.settle()
            assert (await here.read("Subscription", made))["status"] == "off"
            assert here.row(made) == {}

        async def inside() -> None:
            async with ward(world) as here:
                await scenario(here)

        asyncio.run(inside())
        assert receiver.numbers() == [1]

    def test_off_and_deleted_ones_are_told_nothing(self, play: Play, receiver: Receiver) -> None:
        async def scenario(here: Ward) -> None:
            patient = await here.create(patient_of(1))
            first = await here.active(subscription_to(receiver.url))
            second = await here.active(subscription_to(receiver.url))
            stored = await here.read("Subscription", first)
            await here.update(stored | {"status": "off"}, here.machine())
            await here.delete("Subscription", second, here.machine())
            await here.create(observation(patient.id))
            await here.settle()
            assert here.world.sql("SELECT count(*) FROM cell.notices")[0][0] == 0
            assert here.world.sql("SELECT count(*) FROM cell.subscribers")[0][0] == 0

        play(scenario)
        assert receiver.events() == []

    def test_one_in_error_that_nobody_resumes_is_off_in_the_end(self, play: Play, receiver: Receiver) -> None:
        receiver.reply = lambda _: (500, {})

        async def scenario(here: Ward) -> None:
            made = await here.subscribe(subscription_to(receiver.url))
            await here.settle()
            row = "state, due_at > now() + interval '13 days'"
            assert here.world.sql(f"SELECT {row} FROM cell.subscribers WHERE id = %s", made) == [("error", True)]
            here.world.sql("UPDATE cell.subscribers SET due_at = now() WHERE id = %s", made)
            await here.settle()
            assert (await here.read("Subscription", made))["status"] == "off"

        play(scenario)
        assert len(receiver.came) == 1

    def test_events_are_forgotten_long_after_they_were_taken(self, play: Play, receiver: Receiver) -> None:
        async def scenario(here: Ward) -> None:
            patient = await here.create(patient_of(1))
            made = await here.active(subscription_to(receiver.url))
            await here.create(observation(patient.id))
            await until_told(here, made)
            receiver.reply = lambda _: (500, {})
            await here.create(observation(patient.id, text="owed"))
            await here.settle(2)
            here.world.sql("UPDATE cell.events SET created_at = now() - interval '15 days'")
            (job,) = [
                each
                for each in subscription_jobs(here.parts, leases(here))
                if each.name.startswith("subscriptions-forget")
            ]
            assert job.leases is not None
            async with job.leases.held(job.name) as lease:
                await job.turn(lease)
            assert here.world.sql("SELECT number FROM cell.events") == [(2,)]

        play(scenario)


def leases(here: Ward) -> dict[str, Leases]:
    return {"default": Leases(here.parts.databases.cells["default"].relay, "test", 5)}


class TestHeartbeat:
    def test_it_comes_when_nothing_else_did_and_counts_nothing(self, play: Play, receiver: Receiver) -> None:
        async def scenario(here: Ward) -> None:
            made = await here.active(subscription_to(receiver.url, heartbeat=5))
            here.world.sql(
                "UPDATE cell.subscribers SET sent_at = now() - interval '6 s', due_at = now() WHERE id = %s", made
            )
            await here.settle()
            assert here.row(made)["last_number"] == 0

        play(scenario)
        assert [came.kind for came in receiver.came] == ["handshake", "heartbeat"]
        assert receiver.came[1].said("status") == "active"


class TestWhoIsTold:
    def test_a_member_no_more_is_told_nothing_and_it_is_off(self, play: Play, receiver: Receiver) -> None:
        async def scenario(here: Ward) -> None:
            patient = await here.create(patient_of(1))
            lis = await here.join("lis")
            made = await here.active(subscription_to(receiver.url), lis)
            await here.leave(lis)
            await here.create(observation(patient.id))
            await here.settle()
            stored = await here.read("Subscription", made)
            assert stored["status"] == "off"
            assert "no member" in stored["error"]

        play(scenario)
        assert receiver.events() == []

    def test_the_role_at_the_moment_of_telling_decides(self, play: Play, receiver: Receiver) -> None:
        """What its owner could see when it happened but may not see now stays here."""
        up: list[bool] = []
        receiver.reply = lambda came: (200 if up or came.kind == "handshake" else 500, {})

        async def scenario(here: Ward) -> None:
            patient = await here.create(patient_of(1))
            condition = {
                "resourceType": "Condition",
                "subject": {"reference": f"Patient/{patient.id}"},
                "code": {"text": "Sốt"},
            }
            owner = await here.join("his", "turning")
            made = await here.active(subscription_to(receiver.url, "Condition"), owner)
            await here.create(condition)
            await here.settle()
            await here.join("lis", "turning")
            up.append(True)
            deadline = time.monotonic() + 30
            while here.row(made)["state"] != "error":
                await here.settle(1)
                assert time.monotonic() < deadline
            assert "owner-may-not-see" in (await here.read("Subscription", made))["error"]

        play(scenario)
        assert receiver.reply(receiver.came[0])[0] == 200
        assert len({came.id for came in receiver.events()}) == 1

    def test_what_was_told_is_in_the_audit_trail_before_it_left(self, play: Play, receiver: Receiver) -> None:
        rows: list[dict[str, Any]] = []
        ids: list[str] = []

        async def scenario(here: Ward) -> None:
            patient = await here.create(patient_of(1))
            made = await here.active(subscription_to(receiver.url, content="full-resource"))
            receiver.reply = lambda came: (rows.extend(here.audited("subscription.notified")) or 200, {})  # type: ignore[func-returns-value]
            stored = await here.create(observation(patient.id))
            ids.extend((patient.id, made, stored.id))
            await until_told(here, made)

        play(scenario)
        (row,) = rows
        patient, made, stored = ids
        assert row["actor"]["subject"] == "machine:his"
        assert row["touched"] == [["read", "Observation", stored, 1]]
        assert row["patients"] == [patient]
        (came,) = receiver.events()
        assert row["detail"] == {
            "subscription": made, "notification": came.id, "first": 1, "last": 1, "content": "full-resource",
        }  # fmt: skip

    def test_an_empty_notification_shows_nothing_and_leaves_no_row(self, play: Play, receiver: Receiver) -> None:
        async def scenario(here: Ward) -> None:
            patient = await here.create(patient_of(1))
            made = await here.active(subscription_to(receiver.url, content="empty"))
            await here.create(observation(patient.id))
            await until_told(here, made)
            assert here.audited("subscription.notified") == []

        play(scenario)
        assert len(receiver.events()) == 1


class TestTwoProcesses:
    def test_who_lost_the_lease_without_noticing_gives_no_event_a_second_id(
        self, play: Play, receiver: Receiver
    ) -> None:
        """Each of four couriers of one share believes that it alone delivers."""

        async def scenario(here: Ward) -> None:
            patient = await here.create(patient_of(1))
            made = await here.active(subscription_to(receiver.url))
            for number in range(12):
                await here.create(observation(patient.id, text=f"t{number}"))
            await asyncio.gather(*(match(here.parts, here.tenant, nowhere) for _ in range(3)))
            assert here.row(made)["last_number"] == 12
            delivery = Delivery(here.parts, nowhere)

            async def courier() -> None:
                for _ in range(15):
                    await delivery.step(here.tenant, made)

            await asyncio.gather(*(courier() for _ in range(4)))
            await until_told(here, made)

        play(scenario)
        assert receiver.numbers() == list(range(1, 13))
        assert len({came.id for came in receiver.events()}) == 12
