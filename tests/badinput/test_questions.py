"""Hostile searches and headers: answered with nothing that should not be there, or refused by name."""

from collections.abc import Iterator

import httpx
import pytest

from tests.badinput.world import LEAKS, demand_refusal, timed, unmoved
from tests.definitions.samples import SHARED, shared
from tests.fhir.samples import ids, made, patient
from tests.house import House

FILES = SHARED / "bad" / "files"


def lines(name: str) -> list[str]:
    path = FILES / name
    return path.read_text("utf-8").splitlines() if path.exists() else [""]


@pytest.fixture(scope="module")
def client(live: House) -> Iterator[httpx.Client]:
    with live.client() as opened:
        yield opened


class TestSearches:
    @pytest.mark.parametrize("line", lines("search_attacks.txt"), ids=lambda line: line[:40])
    def test_find_nothing_or_are_refused(self, live: House, client: httpx.Client, line: str) -> None:
        shared("bad/files/search_attacks.txt")
        made(client, patient())
        before = live.counts()
        raw = f"{live.fhir()}/Patient?{line}"
        answer = timed(lambda: client.get(raw))
        assert answer.status_code in (200, 400), answer.text[:300]
        assert not LEAKS.search(answer.text)
        shown = ids(answer.json()) if answer.status_code == 200 else []
        if shown and line.startswith("_include"):
            # It narrows nothing: what matches is what every search of this hospital's patients shows.
            assert shown == ids(client.get("/Patient").json())
            return
        assert shown == [] or line.startswith(("_count=", "_format"))
        assert live.counts() == before

    def test_a_refused_one_is_written_down_once_without_what_was_asked(self, live: House, client: httpx.Client) -> None:
        with unmoved(live):
            demand_refusal(client.get("/Patient?unknown=geheim-1234"), 400)
        assert live.sql("SELECT count(*) FROM cell.audit_journal WHERE row LIKE '%%geheim-1234%%'") == [(0,)]

    @pytest.mark.parametrize("parts", [30, 100, 5_000])
    def test_parameters_without_end(self, live: House, client: httpx.Client, parts: int) -> None:
        answer = timed(lambda: client.post("/Patient/_search", data=[("name", "a")] * 0 or {"name": ["a"] * parts}))
        assert answer.status_code in (200, 400)

    def test_values_without_end(self, client: httpx.Client) -> None:
        many = ",".join(f"c{number}" for number in range(100_000))
        assert timed(lambda: client.post("/Patient/_search", data={"gender": many})).status_code == 400
        few = ",".join(f"c{number}" for number in range(500))
        assert timed(lambda: client.post("/Observation/_search", data={"code": few})).status_code == 200

    @pytest.mark.parametrize("text", ["%FF", "%C3%28", "%ED%A0%80", "a%00b"])
    def test_bytes_that_are_no_text(self, client: httpx.Client, text: str) -> None:
        demand_refusal(client.get(f"/Patient?name={text}"), 400)


class TestHeaders:
    @pytest.mark.parametrize("line", lines("cross_tenant_headers.txt"), ids=lambda line: repr(line)[:30])
    def test_every_value_is_refused_and_written_down(self, live: House, line: str) -> None:
        shared("bad/files/cross_tenant_headers.txt")
        value = line.replace("hospital-b", "cau-vong").replace("hospital-a", "hoa-sen").encode()
        with unmoved(live, trail=None), live.client() as client:
            answer = client.get("/Patient?_count=1", headers=[(b"X-Tenant-Id", value)])
        demand_refusal(answer, 400, 403)

    @pytest.mark.parametrize(
        "header",
        [
            ("If-None-Exist", "identifier=%00"), ("If-None-Exist", "identifier=" + "x" * 20_000),
            ("If-None-Exist", "name=x"), ("Idempotency-Key", "k" * 300), ("If-None-Exist", "identifier=%FF|%C3%28"),
        ],
        ids=lambda header: header[0] + header[1][:12],
    )  # fmt: skip
    def test_conditions_and_keys_of_a_wrong_form(
        self, live: House, client: httpx.Client, header: tuple[str, str]
    ) -> None:
        answer = client.post("/Patient", json=patient(foo=1), headers=dict([header]))
        assert answer.status_code in (400, 415, 422)
        headers = dict([header]) | {"Content-Type": "application/fhir+json"}
        answer = timed(lambda: client.post("/Patient", json=patient(), headers=headers))
        assert answer.status_code in (201, 400)
        assert not LEAKS.search(answer.text)

    def test_a_name_that_cannot_be_repeated_is_refused_all_the_same(self, client: httpx.Client) -> None:
        patch = {"Content-Type": "application/json-patch+json"}
        answer = client.patch("/Patient?%00=1", content=b"[]", headers=patch)
        assert answer.status_code == 400
        assert answer.json()["issue"][0]["details"]["coding"][0]["code"] == "condition-unsupported"
