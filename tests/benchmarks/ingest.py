"""B7: transaction Bundles from four writers, once or several times over; and how much room a resource takes."""

import gzip
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date

from emr_demo.people import PROFILES, generate
from tests.benchmarks.load import Result
from tests.benchmarks.machine import measured
from tests.benchmarks.service import Service
from tests.house import CAU_VONG, ROOT

_SYNTHEA = ROOT.parent / "shared" / "data" / "synthea" / "bundles"
_WRITERS = 4


def bundles() -> tuple[str, list[bytes]]:
    """Transaction Bundles to take in: Synthea's where they are, else the demo's own."""
    if _SYNTHEA.is_dir():
        paths = sorted(_SYNTHEA.glob("*.json.gz"), key=lambda path: "Information" not in path.name)
        return "Synthea", [gzip.decompress(path.read_bytes()) for path in paths]
    made = [json.dumps(each).encode() for each in generate(PROFILES["hoa-sen"], seed=1, today=date(2026, 11, 1))]
    return "made-up", made


def ingest(standing: Service, times: int, taken: int = 0) -> Result:
    """Fill one hospital until it has taken all Bundles so many times (`taken`: it already has), and at first every
    other one but that of the import with three.
    """
    source, found = bundles()
    house = standing.house
    schema = house.tenants["hoa-sen"].schema
    before = house.sql(f"SELECT count(*) FROM {schema}.resources")[0][0]
    with measured(standing.roots) as spent:
        begun = time.monotonic()
        for _ in range(taken, times):
            _post(standing, "hoa-sen", found)
        seconds = time.monotonic() - begun
    stored = house.sql(f"SELECT count(*) FROM {schema}.resources")[0][0]
    if not taken:
        few = [*found[:2], min(found[2:], key=len)]
        for slug in sorted(house.tenants.keys() - {"hoa-sen", CAU_VONG}):
            _post(standing, slug, few)
    return Result(
        "B7",
        f"ingest of transaction Bundles, {_WRITERS} writers",
        {
            "source": f"{len(found)} of {source} x {times - taken}",
            "resources": stored,
            "per_second": round((stored - before) / seconds, 1),
            "per_cpu_second": round((stored - before) / spent.cpu, 1),
            "bytes_each": int(_size(standing, schema) / stored),
            "others_cores": round(spent.others, 2),
        },
    )


def _post(standing: Service, slug: str, found: Sequence[bytes]) -> None:
    headers = {"Content-Type": "application/fhir+json", "Prefer": "return=minimal"}
    with (
        standing.house.client(slug=slug, headers=headers) as client,
        ThreadPoolExecutor(_WRITERS) as writers,
    ):

        def post(body: bytes) -> int:
            return client.post("", content=body, timeout=300).raise_for_status().status_code

        list(writers.map(post, found))


def _size(standing: Service, schema: str) -> int:
    size: int = standing.house.sql(
        "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND c.relkind = 'r'",
        schema,
    )[0][0]
    return size
