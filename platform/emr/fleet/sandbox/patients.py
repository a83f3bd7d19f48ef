"""The made-up patients as of today: all dates moved on by as many days as have passed since they were made up."""

import gzip
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Final

BORN: Final = date(2026, 11, 1)
_FILE: Final = Path(__file__).parent / "patients.ndjson.gz"
_DATE: Final = re.compile(rb'(?<=")(\d{4})-(\d{2})-(\d{2})(?=["T])')


def bundles(today: date) -> Iterator[bytes]:
    """FHIR R4 transaction Bundles: the hospital's own resources by PUT, then one Bundle for each patient."""
    passed = today - BORN
    with gzip.open(_FILE) as file:
        for line in file:
            yield _DATE.sub(lambda found: _moved(found, passed), line.rstrip(b"\n"))


def _moved(found: re.Match[bytes], passed: timedelta) -> bytes:
    year, month, day = (int(part) for part in found.groups())
    return (date(year, month, day) + passed).isoformat().encode()
