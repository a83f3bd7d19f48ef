"""One stream checked from its first row to its last, and what was found."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from emr.audit.files import Files
from emr.audit.rows import Event
from emr.audit.seals import Head
from emr.audit.stored import Waiting, stored_stream, waiting
from emr.audit.verification import verify
from emr.storage.keys import Keyring

_SHOWN: Final = 50
_STEP: Final = 10_000
_ANCHORED_AFTER: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Asked:
    """A stream to check: where it lies, what it is called, and its anchored heads (None: no anchors were read).

    keyring: the hospital's, for what lies in files.
    """

    url: str
    stream: str
    name: str
    anchored: Sequence[Head] | None
    keyring: Keyring | None = None


@dataclass(slots=True)
class Report:
    """What was found. `faults` holds the first fifty, `fault_count` says how many there are."""

    name: str
    stream: str
    rows: int = 0
    batches: int = 0
    anchored_batch: int | None = None
    unsealed: Waiting = field(default_factory=lambda: Waiting(0, 0.0))
    seconds: float = 0.0
    fault_count: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return self.fault_count == 0

    def note(self, fault: str) -> None:
        """One more fault."""
        self.fault_count += 1
        if len(self.faults) < _SHOWN:
            self.faults.append(fault)

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return asdict(self) | {"whole": self.whole}


def check(asked: Asked, passed: Callable[[int], None] = lambda _: None) -> Report:
    """Walk one stream; `passed` hears how many rows more have been read. Raises `psycopg.Error`, `Unavailable`."""
    began = time.perf_counter()
    report = Report(asked.name, asked.stream)
    report.unsealed = waiting(asked.url, asked.stream)
    with stored_stream(asked.url, asked.stream) as stored, Files(asked.stream, asked.keyring) as files:
        extent = stored.extent()
        report.batches = extent.batches
        rows = _counted(stored.rows(files.read), report, passed)
        for fault in verify(asked.stream, stored.kept(), rows, asked.anchored or ()):
            report.note(fault)
        for fault in stored.faults:
            report.note(fault)
        _judge_anchors(report, asked.anchored, extent.begun)
    report.seconds = round(time.perf_counter() - began, 3)
    return report


def extent_of(asked: Asked) -> int:
    """How many rows there are to read, for a progress bar."""
    with stored_stream(asked.url, asked.stream) as stored:
        return stored.extent().rows


def _counted(rows: Iterator[Event], report: Report, passed: Callable[[int], None]) -> Iterator[Event]:
    for row in rows:
        report.rows += 1
        if report.rows % _STEP == 0:
            passed(_STEP)
        yield row


def _judge_anchors(report: Report, anchored: Sequence[Head] | None, begun: datetime | None) -> None:
    if anchored is None:
        return
    report.anchored_batch = max((head.batch for head in anchored), default=0)
    if report.anchored_batch == 0 and begun is not None and datetime.now(UTC) - begun > _ANCHORED_AFTER:
        report.note("no anchor names this stream, although it began more than a quarter of an hour ago")
