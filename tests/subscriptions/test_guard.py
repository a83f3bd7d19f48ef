"""What a Subscription may ask for, whose it is, and what is never shown of it."""

import pytest

from emr.kernel.errors import Forbidden, Refusal
from tests.subscriptions.receiver import Receiver
from tests.subscriptions.world import LOOPBACK, Play, Ward, allow, observation, patient_of, subscription_to
from tests.warehouse.world import World

GOOD = "https://his.example.vn/hook"


def refused(play: Play, resource: dict[str, object]) -> Refusal:
    caught: list[Refusal] = []

    async def scenario(here: Ward) -> None:
        with pytest.raises(Refusal) as raised:
            await here.subscribe(resource)
        caught.append(raised.value)
        assert here.world.sql("SELECT count(*) FROM cell.subscribers")[0][0] == 0

    play(scenario)
    return caught[0]


def changed(**channel: object) -> dict[str, object]:
    resource = subscription_to(GOOD)
    return resource | {"channel": resource["channel"] | channel}


class TestWhatIsAskedFor:
    @pytest.mark.parametrize("kind", ["websocket", "email", "sms", "message"])
    def test_other_channels_are_refused_by_their_name(self, play: Play, kind: str) -> None:
        refusal = refused(play, changed(type=kind))
        assert (refusal.code, refusal.location) == ("subscription-channel-type", "Subscription.channel.type")
        assert kind in refusal.message

    @pytest.mark.parametrize(
        ("criteria", "code"),
        [
            ("Observation?no-such=1", "search-parameter-unknown"),
            ("Observation?status:nope=final", "search-modifier"),
            ("Observation?date=yesterday", "date-form"),
            ("Nothing?x=1", "subscription-criteria-unknown"),
            ("?status=final", "subscription-criteria-unknown"),
            ("Observation?_count=1", "subscription-criteria-unsupported"),
            ("Observation?_sort=date", "subscription-criteria-unsupported"),
            ("Observation?_include=Observation:subject", "subscription-criteria-unsupported"),
            ("Patient?_has:Observation:patient:status=final", "subscription-criteria-unsupported"),
            ("urn:emr:topic:no-such", "subscription-criteria-unknown"),
        ],
    )
    def test_criteria_are_understood_or_refused(self, play: Play, criteria: str, code: str) -> None:
        assert refused(play, subscription_to(GOOD, criteria)).code == code

    @pytest.mark.parametrize(
        ("filters", "code"),
        [
            ([], "subscription-topic-type"),
            (["Observation", "Patient"], "subscription-topic-type"),
            (["status=final"], "subscription-criteria-unknown"),
        ],
    )
    def test_a_topic_is_about_one_type(self, play: Play, filters: list[str], code: str) -> None:
        assert refused(play, subscription_to(GOOD, "urn:emr:topic:resource-changed", filters=filters)).code == code

    def test_filters_without_a_topic_are_refused(self, play: Play) -> None:
        wanted = subscription_to(GOOD, "http://elsewhere.example/topic", filters=["Observation"])
        assert refused(play, wanted).code == "subscription-topic-unknown"

    @pytest.mark.parametrize("status", ["error"])
    def test_a_status_that_is_the_servers_is_refused(self, play: Play, status: str) -> None:
        assert refused(play, subscription_to(GOOD, status=status)).code == "subscription-status"

    @pytest.mark.parametrize("payload", ["application/fhir+xml", "text/plain"])
    def test_other_payloads_are_refused(self, play: Play, payload: str) -> None:
        assert refused(play, changed(payload=payload)).code == "subscription-payload-type"

    def test_an_unknown_payload_content_is_refused(self, play: Play) -> None:
        assert refused(play, subscription_to(GOOD, content="everything")).code == "subscription-payload-content"

    def test_an_end_in_the_past_is_refused(self, play: Play) -> None:
        assert refused(play, subscription_to(GOOD, end="2020-01-01T00:00:00Z")).code == "subscription-end"

    @pytest.mark.parametrize(
        ("header", "code"),
        [
            ("Host: internal", "subscription-header-reserved"),
            ("content-length: 5", "subscription-header-reserved"),
            ("X-Notification-Id: 1", "subscription-header-reserved"),
            ("no colon", "subscription-header-form"),
            ("X: a\r\nHost: b", "subscription-header-form"),
            ("X: ấ", "subscription-header-form"),
            ("Authorization: ********", "subscription-header-masked"),
        ],
    )
    def test_headers_are_theirs_to_set_within_limits(self, play: Play, header: str, code: str) -> None:
        assert refused(play, changed(header=[header])).code == code

    @pytest.mark.parametrize(
        "endpoint", ["https://127.0.0.1/", "http://his.example.vn/", "https://10.0.0.1/", "https://[::ffff:7f00:1]/"]
    )
    def test_private_endpoints_are_refused_where_the_file_does_not_allow_them(
        self, play: Play, world: World, endpoint: str
    ) -> None:
        allow(world)
        assert refused(play, subscription_to(endpoint)).location == "Subscription.channel.endpoint"


class TestWhose:
    @pytest.mark.parametrize("role", ["doctor", "nurse", "admin", "reception", "lab", "warehouse"])
    def test_only_machines_that_may_make_one(self, play: Play, role: str) -> None:
        async def scenario(here: Ward) -> None:
            with pytest.raises(Forbidden):
                await here.subscribe(subscription_to(GOOD), here.machine(role))

        play(scenario)

    def test_a_machine_cannot_ask_for_what_it_may_not_see(self, play: Play) -> None:
        async def scenario(here: Ward) -> None:
            with pytest.raises(Forbidden, match="Condition"):
                await here.subscribe(subscription_to(GOOD, "Condition"), here.machine("lis"))

        play(scenario)

    def test_nobody_changes_or_deletes_anothers(self, play: Play, receiver: Receiver) -> None:
        async def scenario(here: Ward) -> None:
            lis = await here.join("lis")
            made = await here.active(subscription_to(receiver.url), lis)
            stored = await here.read("Subscription", made)
            with pytest.raises(Forbidden, match="maker"):
                await here.update(stored | {"channel": subscription_to(GOOD)["channel"]}, here.machine("his"))
            with pytest.raises(Forbidden, match="maker"):
                await here.delete("Subscription", made, here.machine("his"))
            assert here.row(made)["owner"] == lis.subject

        play(scenario)

    def test_an_imported_one_is_off(self, play: Play) -> None:
        async def scenario(here: Ward) -> None:
            stored = await here.create(subscription_to("http://10.0.0.1/", status="active"))
            assert stored.resource()["status"] == "off"
            assert here.row(stored.id) == {}

        play(scenario)

    def test_a_process_that_does_not_know_them_takes_none(self, play: Play) -> None:
        async def scenario(here: Ward) -> None:
            here.parts.guards.clear()
            with pytest.raises(Forbidden) as caught:
                await here.subscribe(subscription_to(GOOD))
            assert caught.value.code == "type-guarded"

        play(scenario)


class TestSecrets:
    def test_a_header_is_sent_and_shown_to_nobody(
        self, play: Play, receiver: Receiver, world: World, capfd: pytest.CaptureFixture[str]
    ) -> None:
        secret = "Bearer 0f3c-geheim"

        async def scenario(here: Ward) -> None:
            patient = await here.create(patient_of(1))
            made = await here.active(subscription_to(receiver.url, header=[f"Authorization: {secret}", "X-Site: 7"]))
            stored = await here.read("Subscription", made)
            assert stored["channel"]["header"] == ["Authorization: ********", "X-Site: ********"]
            await here.update(stored, here.machine())
            await here.create(observation(patient.id))
            await here.settle()
            texts = here.world.sql(
                f"SELECT row FROM cell.audit_journal UNION SELECT row FROM {here.tenant.schema}.audit_events"
            )
            assert not [text for (text,) in texts if "geheim" in text]
            assert secret.encode() not in bytes(here.world.sql("SELECT headers FROM cell.subscribers")[0][0])

        play(scenario)
        assert {came.headers["authorization"] for came in receiver.came} == {secret}
        assert {came.headers["x-site"] for came in receiver.came} == {"7"}
        assert [came.kind for came in receiver.came] == ["handshake", "handshake", "event-notification"]
        told = capfd.readouterr()
        assert "geheim" not in told.out + told.err

    def test_what_is_sealed_for_one_opens_for_no_other(self, play: Play, receiver: Receiver, world: World) -> None:
        async def scenario(here: Ward) -> None:
            first = await here.subscribe(subscription_to(receiver.url, header=["Authorization: Bearer one"]))
            second = await here.subscribe(subscription_to(receiver.url))
            world.sql(
                "UPDATE cell.subscribers s SET headers = o.headers FROM cell.subscribers o WHERE o.id = %s AND s.id = %s",
                first,
                second,
            )
            await here.settle()

        play(scenario)
        assert sorted("authorization" in came.headers for came in receiver.came) == [False, True]


class TestTheFile:
    def test_what_it_allows_is_read_within_a_second(self, play: Play, world: World, receiver: Receiver) -> None:
        allow(world)

        async def scenario(here: Ward) -> None:
            with pytest.raises(Refusal):
                await here.subscribe(subscription_to(receiver.url))
            allow(world, LOOPBACK)
            await here.parts.registry.refresh()
            made = await here.active(subscription_to(receiver.url))
            allow(world)
            await here.parts.registry.refresh()
            patient = await here.create(patient_of(1))
            await here.create(observation(patient.id))
            await here.settle()
            assert here.row(made)["reason"] == "endpoint-http"

        play(scenario)
        assert receiver.events() == []
