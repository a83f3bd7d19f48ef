"""What a hospital may ask at most: its own requests are refused, nobody else's."""

import json
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from emr.kernel.tenant import Quotas
from emr.web.fairness import Gate, OverQuota
from tests.house import CAU_VONG, House

SET = "UPDATE directory.tenants SET definition = jsonb_set(definition, '{quotas}', %s::jsonb) WHERE slug = %s"


def gate(per_second: int = 0, at_once: int = 0, processes: int = 1) -> Gate:
    return Gate(Quotas(requests_per_second=per_second, concurrent_requests=at_once), processes)


def let_in(one: Gate, tries: int, now: float) -> int:
    """How many of so many requests at one moment are let in, each over at once."""
    count = 0
    for _ in range(tries):
        try:
            one.enter(now)
        except OverQuota:
            continue
        one.leave()
        count += 1
    return count


class TestGate:
    def test_no_quota_lets_everything_in(self) -> None:
        assert let_in(gate(), 10_000, time.monotonic()) == 10_000

    def test_two_seconds_worth_at_once_and_then_so_many_a_second(self) -> None:
        one, now = gate(per_second=10), time.monotonic()
        assert let_in(one, 100, now) == 20
        assert let_in(one, 100, now + 0.5) == 5
        assert let_in(one, 100, now + 60) == 20

    def test_each_process_has_its_part(self) -> None:
        assert let_in(gate(per_second=10, processes=4), 100, time.monotonic()) == 5

    def test_a_quota_smaller_than_the_processes_lets_one_in_now_and_then(self) -> None:
        one, now = gate(per_second=1, processes=4), time.monotonic()
        assert [let_in(one, 5, now + seconds) for seconds in (0, 1, 4)] == [1, 0, 1]
        with pytest.raises(OverQuota) as refused:
            one.enter(now + 4)
        assert refused.value.retry_after == 4

    def test_so_many_at_one_time(self) -> None:
        one, now = gate(at_once=2), time.monotonic()
        one.enter(now)
        one.enter(now)
        with pytest.raises(OverQuota):
            one.enter(now)
        one.leave()
        one.enter(now)

    def test_a_changed_quota_keeps_who_is_inside(self) -> None:
        one, now = gate(at_once=1), time.monotonic()
        one.enter(now)
        one.change(Quotas(concurrent_requests=2))
        one.enter(now)
        assert one.running == 2


@pytest.fixture(scope="module")
def limit(live: House) -> Iterator[Callable[[int], None]]:
    """Gives a hospital a quota of requests in a second, and waits until the service knows of it."""
    [[kept]] = live.sql("SELECT definition -> 'quotas' FROM directory.tenants WHERE slug = %s", CAU_VONG)

    def change(per_second: int) -> None:
        live.sql(SET, json.dumps(kept | {"requests_per_second": per_second}), CAU_VONG)
        live.heard()

    yield change
    live.sql(SET, json.dumps(kept), CAU_VONG)
    live.heard()


def flood(client: httpx.Client, path: str, headers: dict[str, str]) -> httpx.Response:
    """The first answer that says that it is too much: a busy machine takes a while to ask for more than is allowed."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        answer = client.get(path, headers=headers)
        if answer.status_code == 429:
            return answer
    raise AssertionError("nothing was refused")


class TestOverTheQuota:
    def test_is_said_in_each_form_and_the_others_are_served(self, live: House, limit: Callable[[int], None]) -> None:
        limit(3)
        home = f"{live.url}/h/{CAU_VONG}"
        with live.client("doctor", CAU_VONG) as client, live.client() as other:
            fhir = flood(client, f"{home}/fhir/metadata", {})
            issue = fhir.json()["issue"][0]
            assert issue["code"] == "throttled"
            assert issue["details"]["coding"][0]["code"] == "hospital-requests-per-second"
            assert int(fhir.headers["retry-after"]) == 1
            assert "x-request-id" in fhir.headers
            page = flood(client, f"{home}/", {"Accept": "text/html"})
            assert "Bệnh viện đang gửi nhiều yêu cầu mỗi giây hơn mức đã đăng ký." in page.text
            plain = flood(client, f"{home}/dicomweb/studies", {})
            assert plain.json()["code"] == "hospital-requests-per-second"
            assert other.get("/Patient?_count=1").status_code == 200
            time.sleep(int(fhir.headers["retry-after"]))
            assert client.get(f"{home}/fhir/metadata").status_code == 200

    def test_is_counted_and_leaves_no_row(self, live: House, limit: Callable[[int], None]) -> None:
        limit(3)
        before = live.refusals(CAU_VONG)
        with live.client("doctor", CAU_VONG) as client:
            flood(client, "/metadata", {})
        assert live.refusals(CAU_VONG) == before
