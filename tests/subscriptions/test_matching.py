"""Which versions are events: plain criteria, topics, states that have passed, writes that were under way."""

import pytest

from tests.subscriptions.receiver import Receiver
from tests.subscriptions.test_delivery import until_told
from tests.subscriptions.world import Play, Ward, observation, patient_of, subscription_to

TOPIC = "urn:emr:topic:"


def encounter(patient: str, status: str) -> dict[str, object]:
    return {
        "resourceType": "Encounter",
        "status": status,
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": {"reference": f"Patient/{patient}"},
    }


def focuses(receiver: Receiver) -> list[str]:
    return [part["focus"]["reference"].rsplit("/", 1)[1] for came in receiver.events() for part in came.events()]


class TestPlainCriteria:
    @pytest.mark.parametrize(
        "criteria",
        [
            "Observation?status=final",
            "Observation?subject=Patient/{patient}&status=final",
            "Observation?_lastUpdated=gt2020",
            "Observation?subject=http://127.0.0.1:8000/h/hoa-sen/fhir/Patient/{patient}",
        ],
    )
    def test_the_state_that_a_version_has_decides(self, play: Play, receiver: Receiver, criteria: str) -> None:
        """R4 subscription.html: "applied to the new value of the resource"; nothing when it no longer fits."""

        async def scenario(here: Ward) -> None:
            patient = await here.create(patient_of(1))
            made = await here.active(subscription_to(receiver.url, criteria.format(patient=patient.id)))
            await here.create(patient_of(2))
            stored = await here.create(observation(patient.id))
            await until_told(here, made)
            assert focuses(receiver) == [stored.id]

        play(scenario)

    def test_versions_that_have_passed_are_asked_about_as_they_were(self, play: Play, receiver: Receiver) -> None:
        """All of it is written before the worker looks: final, taken back, final again."""

        async def scenario(here: Ward) -> None:
            patient = await here.create(patient_of(1))
            made = await here.active(subscription_to(receiver.url, content="full-resource"))
            stored = await here.create(observation(patient.id))
            for status in ("preliminary", "final", "cancelled"):
                await here.update(observation(patient.id, status) | {"id": stored.id})
            before = here.world.sql(f"SELECT count(*) FROM {here.tenant.schema}.resources")[0][0]
            await until_told(here, made)
            after = here.world.sql(f"SELECT count(*) FROM {here.tenant.schema}.resources")[0][0]
            assert before == after

        play(scenario)
        told = [came.json()["entry"][1]["resource"] for came in receiver.events()]
        assert [(each["status"], each["meta"]["versionId"]) for each in told] == [("final", "1"), ("final", "3")]

    def test_a_deletion_is_no_event(self, play: Play, receiver: Receiver) -> None:
        async def scenario(here: Ward) -> None:
            patient = await here.create(patient_of(1))
            made = await here.active(subscription_to(receiver.url, "Observation"))
            stored = await here.create(observation(patient.id))
            await here.delete("Observation", stored.id)
            await until_told(here, made)

        play(scenario)
        assert receiver.numbers() == [1]

    def test_the_owners_sight_decides_what_a_chain_may_ask(self, play: Play, receiver: Receiver) -> None:
        async def scenario(here: Ward) -> None:
            patient = await here.create(patient_of(1))
            lis = await here.join("lis")
            made = await here.active(subscription_to(receiver.url, "Observation"), lis)
            await here.create(observation(patient.id))
            await until_told(here, made)

        play(scenario)
        assert receiver.numbers() == [1]


class TestTopics:
    def told(self, play: Play, receiver: Receiver, topic: str, *filters: str) -> list[str]:
        """What is told of an encounter that is planned, begins, is corrected and ends, and of one that is deleted."""
        names: dict[str, str] = {}

        async def scenario(here: Ward) -> None:
            patient = await here.create(patient_of(1))
            wanted = subscription_to(receiver.url, TOPIC + topic, filters=list(filters))
            await here.active(wanted)
            first = await here.create(encounter(patient.id, "planned"))
            for status in ("in-progress", "in-progress", "finished", "finished"):
                await here.update(encounter(patient.id, status) | {"id": first.id})
            second = await here.create(encounter(patient.id, "in-progress"))
            await here.delete("Encounter", second.id)
            names.update({first.id: "first", second.id: "second"})
            await here.settle()

        play(scenario)
        return [
            f"{names[part['focus']['reference'].rsplit('/', 1)[1]]}"
            for came in receiver.events() for part in came.events()
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("topic", "filters", "told"),
        [
            ("resource-changed", ["Encounter"], ["first"] * 5 + ["second"]),
            ("resource-created", ["Encounter"], ["first", "second"]),
            ("resource-updated", ["Encounter"], ["first"] * 4),
            ("resource-deleted", ["Encounter"], ["second"]),
            ("resource-deleted", ["Encounter?status=finished"], []),
            ("resource-changed", ["Encounter?status=planned", "Encounter?class=AMB"], ["first"]),
            ("encounter-start", [], ["first", "second"]),
            ("encounter-end", [], ["first"]),
            ("encounter-start", ["Encounter?class=IMP"], []),
        ],
    )
    def test_each_is_what_it_says(
        self, play: Play, receiver: Receiver, topic: str, filters: list[str], told: list[str]
    ) -> None:
        assert self.told(play, receiver, topic, *filters) == told
        assert all(came.said("topic") == TOPIC + topic for came in receiver.events())

    def test_a_deletion_brings_its_address_and_no_resource(self, play: Play, receiver: Receiver) -> None:
        async def scenario(here: Ward) -> None:
            patient = await here.create(patient_of(1))
            wanted = subscription_to(
                receiver.url, TOPIC + "resource-deleted", filters=["Observation?status=final"], content="full-resource"
            )
            made = await here.active(wanted)
            stored = await here.create(observation(patient.id))
            await here.delete("Observation", stored.id)
            await until_told(here, made)

        play(scenario)
        (came,) = receiver.events()
        entry = came.json()["entry"][1]
        assert "resource" not in entry
        assert entry["request"]["method"] == "DELETE"


class TestWritesUnderWay:
    def test_it_is_not_active_before_they_have_ended(self, play: Play, receiver: Receiver) -> None:
        """A write that began without seeing the Subscription cannot commit after it says active."""

        async def scenario(here: Ward) -> None:
            async with here.working() as work:
                await work.db.execute("SELECT pg_current_xact_id()")
                made = await here.subscribe(subscription_to(receiver.url))
                await here.settle(3)
                assert (await here.read("Subscription", made))["status"] == "requested"
                assert receiver.came == []
            await here.settle()
            assert (await here.read("Subscription", made))["status"] == "active"

        play(scenario)

    def test_what_was_written_before_it_is_no_event_of_it(self, play: Play, receiver: Receiver) -> None:
        async def scenario(here: Ward) -> None:
            patient = await here.create(patient_of(1))
            await here.active(subscription_to(receiver.url + "/first"))
            await here.create(observation(patient.id))
            await here.subscribe(subscription_to(receiver.url + "/second"))
            await here.settle()

        play(scenario)
        assert [came.path for came in receiver.events()] == ["/hook/first"]

    def test_a_hospital_that_nobody_listens_to_writes_no_notices(self, play: Play, receiver: Receiver) -> None:
        async def scenario(here: Ward) -> None:
            patient = await here.create(patient_of(1))
            await here.active(subscription_to(receiver.url, "Encounter"))
            await here.create(observation(patient.id))
            assert here.world.sql("SELECT count(*) FROM cell.notices")[0][0] == 0

        play(scenario)
