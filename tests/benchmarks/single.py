"""What one user waits for: the chart's page, each search alone, the first byte of everything about a patient."""

import re
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import httpx

from tests.benchmarks import mixes
from tests.benchmarks.load import Result, sample
from tests.benchmarks.service import Service
from tests.house import House

_RACERS = 32
_SLOWEST = 3


def page(standing: Service) -> Result:
    """B4: one user's whole chart page, one request after another."""
    house = standing.house
    with closing(_signed_in(house.url)) as browser:

        def once(patient: str) -> None:
            browser.get(f"/h/hoa-sen/patients/{patient}").raise_for_status()

        return Result("B4", "whole chart page", _percentiles(once, sample(mixes.ids(house, "Patient"), 40)))


def each_search(standing: Service, searches: dict[str, list[str]]) -> Result:
    """B3: every search by itself, asked 36 times; the slowest are named."""
    slowest: list[tuple[float, float, str]] = []
    with standing.house.client() as client:
        for name, paths in searches.items():
            figures = _percentiles(lambda path: _asked(client, path), (paths * 36)[:36])
            slowest.append((figures["p95_ms"], figures["p50_ms"], name))
    slowest.sort(reverse=True)
    return Result(
        "B3",
        "each search alone",
        {
            "worst_p95_ms": slowest[0][0],
            "slowest": [f"{name}: p50 {p50} p95 {p95}" for p95, p50, name in slowest[:_SLOWEST]],
            "p50_ms": round(statistics.median(p50 for _, p50, _ in slowest), 1),
        },
    )


def each_list(standing: Service, lists: dict[int, list[str]]) -> Result:
    """B6: OR lists by their length."""
    with standing.house.client() as client:
        taken = {size: _percentiles(lambda path: _asked(client, path), paths * 4) for size, paths in lists.items()}
    figures = {f"p50_ms_{size}": each["p50_ms"] for size, each in taken.items()}
    return Result(
        "B6", "OR lists by length", figures | {"worst_p95_ms": max(each["p95_ms"] for each in taken.values())}
    )


def first_byte(standing: Service) -> Result:
    """B14: milliseconds until everything about a patient begins to arrive."""
    with standing.house.client() as client:

        def once(patient: str) -> None:
            with client.stream("GET", f"/Patient/{patient}/$everything") as answer:
                answer.raise_for_status()
                next(answer.iter_bytes())

        return Result("B14", "first byte", _percentiles(once, sample(mixes.ids(standing.house, "Patient"), 40)))


def race(standing: Service) -> Result:
    """B9: thirty-two writers at once for one new identifier, ten times; how many were left and how many failed."""
    house, extra, failed = standing.house, 0, 0
    with house.client() as client, ThreadPoolExecutor(_RACERS) as racers:
        for number in range(10):
            name = f"race-{time.time_ns()}-{number}"
            body: dict[str, Any] = {
                "resourceType": "Patient",
                "identifier": [{"system": "urn:emr:bench", "value": name}],
            }

            def put(turn: int, name: str = name, body: dict[str, Any] = body) -> int:
                given = body | {"name": [{"family": f"Turn {turn}"}]}
                return client.put(f"/Patient?identifier=urn:emr:bench|{name}", json=given).status_code

            failed += sum(status not in (200, 201) for status in racers.map(put, range(_RACERS)))
            found = client.get("/Patient", params={"identifier": f"urn:emr:bench|{name}", "_summary": "count"}).json()
            extra += found["total"] - 1
    return Result("B9", f"{_RACERS} writers race for a new identifier", {"failed": failed, "duplicates": extra})


def _asked(client: httpx.Client, path: str) -> None:
    client.get(f"/{path}").raise_for_status()


def _percentiles(once: Callable[[str], None], asked: Sequence[str]) -> dict[str, float]:
    taken: list[float] = []
    for each in asked:
        begun = time.monotonic()
        once(each)
        taken.append((time.monotonic() - begun) * 1000)
    cuts = statistics.quantiles(taken, n=20)
    return {"p50_ms": round(cuts[9], 1), "p95_ms": round(cuts[18], 1)}


def _signed_in(url: str) -> httpx.Client:
    """A browser that went through the demo provider's page as doctor@hoa-sen."""
    browser = httpx.Client(base_url=url, follow_redirects=True, timeout=30, trust_env=False)
    shown = browser.get("/auth/sign-in", params={"to": "/h/hoa-sen/"})
    fields = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', shown.text))
    account = re.search(
        r'value="([^"]+)"[^>]*>[^<]*doctor@hoa-sen|doctor@hoa-sen[\s\S]*?name="account" value="([^"]+)"', shown.text
    )
    assert account is not None, "the provider's page has no doctor@hoa-sen"
    browser.post(shown.url.copy_with(query=None), data=fields | {"account": account[1] or account[2]})
    return browser


def patients(house: House) -> list[str]:
    """Patients whose record has between 200 and 400 resources, or any if there are none."""
    schema = house.tenants["hoa-sen"].schema
    rows = house.sql(
        f"SELECT r.id FROM {schema}.resources r JOIN {schema}.compartments c ON c.patient = r.pk"
        " WHERE r.type = 'Patient' GROUP BY r.id HAVING count(*) BETWEEN 200 AND 400"
    )
    return [row[0] for row in rows] or mixes.ids(house, "Patient")
