"""Subscriptions over HTTP: made, shown, `$status`, `$events`, and what the CapabilityStatement says (backport STU 1.1)."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from emr.subscriptions import repository
from emr.subscriptions.delivery import Delivery
from emr.subscriptions.guard import install
from emr.subscriptions.jobs import Courier
from emr.subscriptions.topics import TOPICS
from emr.work.faults import nowhere
from emr.work.leases import Lease
from emr.work.runtime import runtime
from tests.house import HOA_SEN, House
from tests.subscriptions.receiver import Receiver
from tests.subscriptions.world import HELD_UP, subscription_to


@pytest.fixture(scope="module")
def open_house(live: House) -> Iterator[House]:
    """hoa-sen allows loopback, cau-vong does not."""
    live.sql(
        "UPDATE directory.tenants SET definition = jsonb_set(definition, '{subscriptions}',"
        ' \'{"receivers": [{"cidr": "127.0.0.0/8", "http": true}]}\') WHERE slug = %s',
        HOA_SEN,
    )
    live.heard()
    yield live
    live.sql("UPDATE directory.tenants SET definition = definition - 'subscriptions' WHERE slug = %s", HOA_SEN)
    live.heard()


def work(house: House) -> None:
    """What a worker does until nothing is due."""
    deadline = time.monotonic() + 20

    async def turns() -> None:
        parts = runtime(house.settings)
        install(parts)
        await parts.open()
        cell, delivery = parts.databases.cells["default"], Delivery(parts, nowhere)
        couriers = [Courier(parts, cell, shard, nowhere, delivery) for shard in range(repository.SHARDS)]
        for _ in range(5):
            await around(couriers)
        while house.sql(HELD_UP) and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
            await around(couriers)
        await parts.close()

    asyncio.run(turns())


async def around(couriers: list[Courier]) -> None:
    for courier in couriers:
        await courier.turn(Lease("test", "test", 1))
        await courier.finish()


@pytest.fixture
def lis(open_house: House) -> Iterator[httpx.Client]:
    open_house.sql("DELETE FROM cell.subscribers; DELETE FROM cell.events; DELETE FROM cell.notices")
    with open_house.client("lis") as client:
        yield client


@pytest.fixture
def doctor(open_house: House) -> Iterator[httpx.Client]:
    with open_house.client("doctor") as client:
        yield client


def posted(client: httpx.Client, resource: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(f"/{resource['resourceType']}", json=resource)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def observed(doctor: httpx.Client, text: str = "Mạch") -> tuple[str, str]:
    """Ids of a patient and of a final observation."""
    patient = posted(doctor, {"resourceType": "Patient", "name": [{"text": "Nguyễn Thử"}]})["id"]
    wanted = {
        "resourceType": "Observation", "status": "final", "code": {"text": text},
        "subject": {"reference": f"Patient/{patient}"},
    }  # fmt: skip
    return patient, posted(doctor, wanted)["id"]


def said(parameters: dict[str, Any], name: str) -> Any:
    return next(
        (
            value
            for each in parameters["parameter"]
            if each["name"] == name
            for key, value in each.items()
            if key != "name"
        ),
        None,
    )


class TestMaking:
    def test_without_a_token_and_in_the_wrong_role_it_is_refused(self, open_house: House, doctor: httpx.Client) -> None:
        wanted = subscription_to("https://his.example.vn/")
        assert httpx.post(f"{open_house.fhir()}/Subscription", json=wanted, trust_env=False).status_code == 401
        assert doctor.post("/Subscription", json=wanted).status_code == 403

    def test_in_a_hospital_whose_file_allows_nothing_private_it_is_422(
        self, open_house: House, receiver: Receiver
    ) -> None:
        with open_house.client("lis", "cau-vong") as neighbour:
            answer = neighbour.post("/Subscription", json=subscription_to(receiver.url))
        assert answer.status_code == 422
        assert answer.json()["issue"][0]["expression"] == ["Subscription.channel.endpoint"]

    def test_it_answers_requested_with_masked_headers_and_is_told_what_it_asked_for(
        self, open_house: House, lis: httpx.Client, doctor: httpx.Client, receiver: Receiver
    ) -> None:
        wanted = subscription_to(
            receiver.url, status="active", header=["Authorization: Bearer kin"], content="full-resource"
        )
        made = posted(lis, wanted)
        assert made["status"] == "requested"
        assert made["channel"]["header"] == ["Authorization: ********"]
        work(open_house)
        shown = doctor.get(f"/Subscription/{made['id']}")
        assert shown.json()["status"] == "active"
        _, observation = observed(doctor)
        work(open_house)
        (came,) = receiver.events()
        assert came.headers["authorization"] == "Bearer kin"
        assert came.json()["entry"][1]["resource"] == lis.get(f"/Observation/{observation}").json()
        for path in (
            f"/Subscription/{made['id']}/_history",
            "/Subscription?status=active",
            f"/Subscription/{made['id']}",
        ):
            assert "Bearer kin" not in doctor.get(path).text

    def test_a_transaction_and_a_batch_are_held_to_the_same(self, lis: httpx.Client) -> None:
        wanted = subscription_to("https://127.0.0.9/", content="empty") | {"status": "requested"}
        wanted["channel"]["type"] = "email"
        for kind, status in (("transaction", 422), ("batch", 200)):
            entry = {"resource": wanted, "request": {"method": "POST", "url": "Subscription"}}
            answer = lis.post("/", json={"resourceType": "Bundle", "type": kind, "entry": [entry]})
            assert answer.status_code == status
            assert "subscription-channel-type" in answer.text


class TestStatus:
    def test_of_one_and_of_several(self, open_house: House, lis: httpx.Client, receiver: Receiver) -> None:
        made = [posted(lis, subscription_to(receiver.url, content="empty"))["id"] for _ in range(2)]
        work(open_house)
        one = lis.get(f"/Subscription/{made[0]}/$status").json()
        assert (one["resourceType"], one["type"], one["total"]) == ("Bundle", "searchset", 1)
        status = one["entry"][0]["resource"]
        assert (said(status, "status"), said(status, "type")) == ("active", "query-status")
        assert said(status, "events-since-subscription-start") == "0"
        assert said(status, "subscription")["reference"].endswith(f"/Subscription/{made[0]}")
        both = lis.get("/Subscription/$status", params=[("id", made[0]), ("id", made[1])]).json()
        assert both["total"] == 2
        assert lis.get("/Subscription/$status", params={"id": made[0], "status": "off"}).json()["total"] == 0
        asked = {"resourceType": "Parameters", "parameter": [{"name": "id", "valueId": made[1]}]}
        assert lis.post("/Subscription/$status", json=asked).json()["total"] == 1

    def test_unknown_ids_inputs_and_other_hospitals(
        self, open_house: House, lis: httpx.Client, receiver: Receiver
    ) -> None:
        made = posted(lis, subscription_to(receiver.url))["id"]
        assert lis.get("/Subscription/nobody/$status").status_code == 404
        assert lis.get(f"/Subscription/{made}/$status?nope=1").status_code == 400
        with open_house.client("lis", "cau-vong") as neighbour:
            assert neighbour.get(f"/Subscription/{made}/$status").status_code == 404
            assert neighbour.get(f"/Subscription/{made}/$events").status_code == 404
            assert made not in neighbour.get("/Subscription/$status").text

    def test_an_error_says_why(self, open_house: House, lis: httpx.Client, receiver: Receiver) -> None:
        receiver.reply = lambda _: (500, {})
        made = posted(lis, subscription_to(receiver.url))["id"]
        work(open_house)
        status = lis.get(f"/Subscription/{made}/$status").json()["entry"][0]["resource"]
        assert said(status, "status") == "error"
        assert "status-500" in said(status, "error")["text"]


class TestEvents:
    def test_a_stretch_of_them_with_as_much_as_is_asked_for(
        self, open_house: House, lis: httpx.Client, doctor: httpx.Client, receiver: Receiver
    ) -> None:
        made = posted(lis, subscription_to(receiver.url, content="empty"))["id"]
        work(open_house)
        ids = [observed(doctor, f"n{number}")[1] for number in range(3)]
        work(open_house)
        asked = {"eventsSinceNumber": "2", "eventsUntilNumber": "9", "content": "full-resource"}
        found = lis.get(f"/Subscription/{made}/$events", params=asked).json()
        assert found["type"] == "history"
        assert [entry["resource"]["id"] for entry in found["entry"][1:]] == ids[1:]
        status = found["entry"][0]["resource"]
        assert (said(status, "type"), said(status, "events-since-subscription-start")) == ("query-event", "3")
        plain = lis.get(f"/Subscription/{made}/$events").json()
        assert len(plain["entry"]) == 1
        assert str(plain).count("event-number") == 3
        assert "focus" not in str(plain)

    def test_who_may_not_see_the_type_is_refused(
        self, open_house: House, lis: httpx.Client, receiver: Receiver
    ) -> None:
        made = posted(lis, subscription_to(receiver.url, "ServiceRequest"))["id"]
        with open_house.client("reception") as desk:
            assert desk.get(f"/Subscription/{made}/$events").status_code == 403

    @pytest.mark.parametrize(
        "query",
        ["eventsSinceNumber=x", "eventsSinceNumber=-1", "content=all", "eventsSinceNumber=1&eventsSinceNumber=2"],
    )
    def test_what_cannot_be_read_is_400(self, lis: httpx.Client, receiver: Receiver, query: str) -> None:
        made = posted(lis, subscription_to(receiver.url))["id"]
        assert lis.get(f"/Subscription/{made}/$events?{query}").status_code == 400


class TestCapability:
    def test_it_names_the_topics_and_the_operations(self, open_house: House) -> None:
        statement = httpx.get(f"{open_house.fhir()}/metadata", trust_env=False).json()
        subscription = next(each for each in statement["rest"][0]["resource"] if each["type"] == "Subscription")
        assert {each["valueCanonical"] for each in subscription["extension"]} == set(TOPICS)
        assert {"status", "events"} <= {each["name"] for each in subscription["operation"]}
