"""Resources to start from, and the sample data beside the repository."""

import gzip
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emr.kernel import json

SHARED = Path(os.environ.get("EMR_TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))

Json = dict[str, Any]


def shared(name: str) -> Path:
    """A file or folder of the sample data: skips where it is missing, fails there in CI."""
    path = SHARED / name
    if not path.exists():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{path} is missing")
        pytest.skip(f"the sample data {name} is not here")
    return path


def hostile(name: str) -> bytes:
    return (shared("bad/files") / name).read_bytes()


def bundles() -> Iterator[tuple[str, Json]]:
    for path in sorted(shared("synthea/bundles").glob("*.json.gz")):
        yield path.name, json.loads(gzip.decompress(path.read_bytes()))


def patient(**more: Any) -> Json:
    return {"resourceType": "Patient", "name": [{"family": "Nguyễn", "given": ["Văn", "An"]}], "gender": "male", **more}


def observation(**more: Any) -> Json:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "subject": {"reference": "Patient/p1"},
        **more,
    }


def transaction(*entries: Json) -> Json:
    return {"resourceType": "Bundle", "type": "transaction", "entry": list(entries)}
