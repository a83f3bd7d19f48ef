"""From a write to what an endpoint receives (Subscriptions R5 Backport STU 1.1; R4 subscription.html)."""

from emr.subscriptions.terms import NOTIFICATION, STATUS
from tests.subscriptions.receiver import Receiver
from tests.subscriptions.world import Play, Ward, observation, patient_of, subscription_to


class TestHandshake:
    def test_it_comes_before_active_and_carries_no_event(self, play: Play, receiver: Receiver) -> None:
        async def scenario(here: Ward) -> None:
            made = await here.subscribe(subscription_to(receiver.url, status="active"))
            assert (await here.read("Subscription", made))["status"] == "requested"
            await here.settle()
            assert (await here.read("Subscription", made))["status"] == "active"

        play(scenario)
        (came,) = receiver.came
        assert (came.method, came.path, came.kind, came.said("status")) == ("POST", "/hook", "handshake", "requested")
        assert came.said("events-since-subscription-start") == "0"
        assert came.headers["content-type"] == "application/fhir+json"
        bundle = came.json()
        assert bundle["type"] == "history"
        assert bundle["meta"]["profile"] == [NOTIFICATION]
        assert bundle["entry"][0]["resource"]["meta"]["profile"] == [STATUS]

    def test_an_endpoint_that_refuses_it_puts_the_subscription_in_error(self, play: Play, receiver: Receiver) -> None:
        receiver.reply = lambda _: (401, {})

        async def scenario(here: Ward) -> None:
            made = await here.subscribe(subscription_to(receiver.url))
            await here.settle()
            stored = await here.read("Subscription", made)
            assert stored["status"] == "error"
            assert "status-401" in stored["error"]

        play(scenario)
        assert len(receiver.came) == 1


class TestPayloads:
    def told(self, play: Play, receiver: Receiver, content: str | None, **said: bool) -> str:
        ids: list[str] = []

        async def scenario(here: Ward) -> None:
            patient = await here.create(patient_of(1))
            await here.active(subscription_to(receiver.url, content=content, **said))
            ids.append((await here.create(observation(patient.id))).id)
            await here.create(observation(patient.id, "preliminary"))
            await here.settle()

        play(scenario)
        return ids[0]

    def test_empty_names_no_resource(self, play: Play, receiver: Receiver) -> None:
        made = self.told(play, receiver, "empty")
        (came,) = receiver.events()
        assert came.numbers == [1]
        assert len(came.json()["entry"]) == 1
        assert "focus" not in came.events()[0]
        assert made.encode() not in came.body

    def test_id_only_names_the_focus_alone(self, play: Play, receiver: Receiver) -> None:
        made = self.told(play, receiver, "id-only")
        (came,) = receiver.events()
        assert came.events()[0]["focus"]["reference"].endswith(f"/h/hoa-sen/fhir/Observation/{made}")
        assert len(came.json()["entry"]) == 1

    def test_full_resource_brings_it(self, play: Play, receiver: Receiver) -> None:
        made = self.told(play, receiver, "full-resource")
        (came,) = receiver.events()
        entry = came.json()["entry"][1]
        assert entry["resource"]["id"] == made
        assert entry["request"] == {"method": "POST", "url": "Observation"}
        assert entry["fullUrl"] == came.events()[0]["focus"]["reference"]
        assert came.said("events-since-subscription-start") == "1"

    def test_plain_r4_without_a_payload_is_an_empty_post(self, play: Play, receiver: Receiver) -> None:
        self.told(play, receiver, None)
        (came,) = receiver.came
        assert (came.method, came.path, came.body) == ("POST", "/hook", b"")
        assert came.headers["x-event-number"] == "1"

    def test_plain_r4_with_a_payload_puts_the_resource_below_the_endpoint(self, play: Play, receiver: Receiver) -> None:
        made = self.told(play, receiver, None, payload=True)
        (came,) = receiver.came
        assert (came.method, came.path) == ("PUT", f"/hook/Observation/{made}")
        assert came.json()["id"] == made
