"""Run the benchmarks, print a table, write bench.json: `python -m tests.benchmarks [B1 B2 …]`."""

import gzip
import json
import re
import statistics
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from emr_demo.people import PROFILES, generate
from tests.benchmarks import mixes
from tests.benchmarks.load import Result, drive
from tests.benchmarks.machine import children, description, measured, memory_mib
from tests.benchmarks.service import Service, service
from tests.house import ROOT

_SYNTHEA = ROOT.parent / "shared" / "data" / "synthea" / "bundles"
_STATIC = ROOT / "platform" / "emr" / "web" / "static"
_ALL = ("B1", "B2", "B4", "B7", "B15", "B16")
_WRITERS = 4


def main(chosen: Sequence[str]) -> None:
    """Run what was chosen on one service that holds the sample data."""
    results: list[Result] = []
    with service() as standing:
        results.append(_start(standing))
        ingest = _ingest(standing)
        results += [each for each in (ingest,) if "B7" in chosen]
        # What the ingest left to be written is written now, and not while something else is measured.
        standing.house.sql("VACUUM ANALYZE")
        standing.house.sql("CHECKPOINT")
        house = standing.house
        if "B1" in chosen:
            results.append(drive("B1", "read one resource by id", standing, mixes.reads(house)))
        if "B4" in chosen:
            results.append(drive("B4", "patient chart, six requests", standing, mixes.chart(house)))
            results.append(_page(standing))
        if "B2" in chosen:
            results.append(drive("B2", "create 10, read 60, update 25, delete 5", standing, mixes.mixed(house)))
        results.append(_memory(standing))
    results += [_weight()]
    shown = [each for each in results if each.id in chosen]
    _report(shown)


def _start(standing: Service) -> Result:
    return Result("B16", "emr serve until ready", {"seconds": round(standing.ready_seconds, 2)})


def _memory(standing: Service) -> Result:
    workers = [pid for pid in children(standing.process.pid) if memory_mib(pid) > 50]
    return Result("B16", "memory of a worker process", {"mib": round(max(map(memory_mib, workers)), 1)})


def _bundles() -> tuple[str, list[bytes]]:
    """Transaction Bundles to take in: Synthea's where they are, else the demo's own."""
    if _SYNTHEA.is_dir():
        paths = sorted(_SYNTHEA.glob("*.json.gz"), key=lambda path: "Information" not in path.name)
        return "Synthea", [gzip.decompress(path.read_bytes()) for path in paths]
    made = [json.dumps(each).encode() for each in generate(PROFILES[0], seed=1, today=date(2026, 11, 1))]
    return "made-up", made


def _ingest(standing: Service) -> Result:
    """B7: four writers post transaction Bundles; then how much disk a resource takes."""
    source, bundles = _bundles()
    house = standing.house
    with house.client(headers={"Content-Type": "application/fhir+json", "Prefer": "return=minimal"}) as client:
        begun = time.monotonic()

        def post(body: bytes) -> int:
            return client.post("", content=body, timeout=300).raise_for_status().status_code

        with measured(standing.roots) as spent, ThreadPoolExecutor(_WRITERS) as writers:
            list(writers.map(post, bundles))
        seconds = time.monotonic() - begun
    schema = house.tenants["hoa-sen"].schema
    stored = house.sql(f"SELECT count(*) FROM {schema}.resources")[0][0]
    size = house.sql(
        "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND c.relkind = 'r'",
        schema,
    )[0][0]
    return Result(
        "B7",
        f"ingest of {len(bundles)} {source} Bundles, {_WRITERS} writers",
        {
            "resources": stored,
            "per_second": round(stored / seconds, 1),
            "per_cpu_second": round(stored / spent.cpu, 1),
            "bytes_each": int(size / stored),
            "others_cores": round(spent.others, 2),
        },
    )


def _page(standing: Service) -> Result:
    """One user's whole chart page, one request after another."""
    house = standing.house
    with closing(_signed_in(house.url)) as browser:
        taken: list[float] = []
        for each in mixes.sample(mixes.ids(house, "Patient"), 40):
            begun = time.monotonic()
            browser.get(f"/h/hoa-sen/patients/{each}").raise_for_status()
            taken.append((time.monotonic() - begun) * 1000)
    cuts = statistics.quantiles(taken, n=20)
    return Result("B4", "whole chart page", {"p50_ms": round(cuts[9], 1), "p95_ms": round(cuts[18], 1)})


def _signed_in(url: str) -> httpx.Client:
    """A browser that went through the demo provider's page as doctor@hoa-sen."""
    browser = httpx.Client(base_url=url, follow_redirects=True, timeout=30, trust_env=False)
    page = browser.get("/auth/sign-in", params={"to": "/h/hoa-sen/"})
    fields = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    account = re.search(
        r'value="([^"]+)"[^>]*>[^<]*doctor@hoa-sen|doctor@hoa-sen[\s\S]*?name="account" value="([^"]+)"', page.text
    )
    assert account is not None, "the provider's page has no doctor@hoa-sen"
    browser.post(page.url.copy_with(query=None), data=fields | {"account": account[1] or account[2]})
    return browser


def _weight() -> Result:
    """B15: what a first visit loads, gzip-compressed, in KB of 1,000 bytes."""
    sizes = {
        path.name: len(gzip.compress(path.read_bytes(), 9)) / 1000
        for path in _STATIC.rglob("*.[cj]s*")
        if path.is_file()
    }
    script = sum(size for name, size in sizes.items() if name.endswith(".js"))
    style = sum(size for name, size in sizes.items() if name.endswith(".css"))
    return Result("B15", "built browser code, gzip", {"script_kb": round(script, 1), "style_kb": round(style, 1)})


def _report(results: Sequence[Result]) -> None:
    table = Table("id", "what", "figures", title=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {description()}")
    for each in results:
        table.add_row(each.id, each.what, "  ".join(f"{name} {value}" for name, value in each.figures.items()))
    Console(width=160).print(table)
    kept = {
        "machine": description(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "results": [{"id": each.id, "what": each.what} | each.figures for each in results],
    }
    Path("bench.json").write_text(json.dumps(kept, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main(tuple(sys.argv[1:]) or _ALL)
