"""One stream checked from its first row to its last, in one piece or in parts side by side, and what was found."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any, Final

from emr.audit.columns import Encoded
from emr.audit.files import Files
from emr.audit.seals import Head, Kept
from emr.audit.stored import WHOLE, Part, Waiting, stored_stream, waiting
from emr.audit.verification import verify
from emr.storage.keys import Keyring

_SHOWN: Final = 50
_ANCHORED_AFTER: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Asked:
    """A stream to check: where it lies, what it is called, and its anchored heads (None: no anchors were read).

    keyring: the hospital's, for what lies in files. part: which of its batches.
    """

    url: str
    stream: str
    name: str
    anchored: Sequence[Head] | None
    keyring: Keyring | None = None
    part: Part = WHOLE


@dataclass(slots=True)
class Report:
    """What was found. `faults` holds the first fifty, `fault_count` says how many there are.

    began: by a clock that all processes of a machine share.
    """

    name: str
    stream: str
    rows: int = 0
    batches: int = 0
    anchored_batch: int | None = None
    unsealed: Waiting = field(default_factory=lambda: Waiting(0, 0.0))
    seconds: float = 0.0
    fault_count: int = 0
    faults: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

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
        told = asdict(self) | {"whole": self.whole}
        del told["began"]
        return told


def check(asked: Asked, passed: Callable[[int], None] = lambda _: None) -> Report:
    """Walk one stream; `passed` hears how many rows more have been read. Raises `psycopg.Error`, `Unavailable`."""
    report = Report(asked.name, asked.stream)
    if asked.part.until is None:
        report.unsealed = waiting(asked.url, asked.stream)
    with (
        stored_stream(asked.url, asked.stream, asked.part) as stored,
        Files(asked.stream, asked.keyring) as files,
    ):
        extent = stored.extent()
        report.batches = extent.batches
        rows = chain.from_iterable(_counted(stored.rows(files.read), report, passed))
        seals = _ended(stored.kept(), asked.part, report)
        for fault in verify(asked.stream, seals, rows, _of_part(asked), after=asked.part.after):
            report.note(fault)
        for fault in (*files.faults, *stored.faults):
            report.note(fault)
        _judge_anchors(report, asked, extent.begun)
    report.seconds = round(time.monotonic() - report.began, 3)
    return report


def parts_of(asked: Asked, rows: int) -> list[Asked]:
    """The same in parts of so many rows, which may be checked side by side."""
    with stored_stream(asked.url, asked.stream) as stored:
        return [replace(asked, part=part) for part in stored.parts(rows)]


def together(reports: Sequence[Report]) -> Report:
    """What was found in all parts of a stream, which come in their order."""
    whole = replace(reports[-1], rows=0, fault_count=0, faults=[], began=min(each.began for each in reports))
    for each in reports:
        whole.rows += each.rows
        whole.fault_count += each.fault_count
        whole.faults += each.faults
    del whole.faults[_SHOWN:]
    whole.seconds = round(max(each.began + each.seconds for each in reports) - whole.began, 3)
    return whole


def extent_of(asked: Asked) -> int:
    """How many rows there are to read, for a progress bar."""
    with stored_stream(asked.url, asked.stream) as stored:
        return stored.extent().rows


def _counted(
    rows: Iterator[Sequence[Encoded]], report: Report, passed: Callable[[int], None]
) -> Iterator[Sequence[Encoded]]:
    for some in rows:
        report.rows += len(some)
        passed(len(some))
        yield some


def _ended(seals: Iterator[Kept], part: Part, report: Report) -> Iterator[Kept]:
    """The seals, and whether the part ends where the next one begins."""
    head = part.after
    for kept in seals:
        head = Head(kept.seal.batch, kept.seal.last, kept.hash)
        yield kept
    if part.until is not None and head != part.until:
        report.note(f"seal {part.until.batch} was changed while the trail was read")


def _of_part(asked: Asked) -> Sequence[Head]:
    before, until = asked.part.batches
    return [head for head in asked.anchored or () if before < head.batch <= until]


def _judge_anchors(report: Report, asked: Asked, begun: datetime | None) -> None:
    if asked.anchored is None or asked.part.until is not None:
        return
    report.anchored_batch = max((head.batch for head in asked.anchored), default=0)
    if report.anchored_batch == 0 and begun is not None and datetime.now(UTC) - begun > _ANCHORED_AFTER:
        report.note("no anchor names this stream, although it began more than a quarter of an hour ago")
