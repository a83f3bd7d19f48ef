"""What is wrong with a stream of the trail, found by walking its seals and rows once, side by side.

Pure: rows and seals come in their order and are forgotten again, so that memory does not grow with the trail.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import islice
from operator import itemgetter
from typing import Final

from emr.audit.columns import Encoded, follow
from emr.audit.rows import Unreadable
from emr.audit.seals import FORMAT, Head, Kept, leaf_of, root

_PIECE: Final = 10_000
START: Final = Head()
"""What the first seal of a stream follows."""


def verify(
    stream: str, seals: Iterable[Kept], rows: Iterable[Encoded], anchors: Iterable[Head] = (), after: Head = START
) -> Iterator[str]:
    """Everything that is wrong with a stream, or with what follows `after` in it, in words; nothing when it is whole.

    Seals come by batch, rows by number, anchored heads by batch. Finds a changed, missing, inserted or moved row,
    columns that do not say what the row's text says, and a changed, missing or moved seal. That a chain was made anew
    or its end cut off can only be seen with `anchors`: heads that were written down elsewhere.
    """
    walk = _Rows(rows)
    head, anchored = after, _Anchored(anchors)
    for kept in seals:
        yield from seal_faults(stream, head, kept)
        yield from anchored.before(kept.seal.batch)
        yield from walk.covered(kept)
        head = Head(kept.seal.batch, kept.seal.last, kept.hash)
        yield from anchored.at(head)
    yield from anchored.rest()
    yield from walk.rest()


def seal_faults(stream: str, head: Head, kept: Kept) -> Iterator[str]:
    """What is wrong with a seal that should follow `head`."""
    this = kept.seal
    if this.format != FORMAT:
        yield f"seal {this.batch} has the unknown format {this.format}"
    if this.stream != stream:
        yield f"seal {this.batch} belongs to another stream"
    if this.batch != head.batch + 1:
        yield f"seal {this.batch} follows seal {head.batch}"
    if this.first != head.last + 1 or this.last < this.first:
        yield f"seal {this.batch} covers rows {this.first} to {this.last} after row {head.last}"
    if this.previous != head.hash:
        yield f"seal {this.batch} is not chained to seal {head.batch}"
    if this.hash() != kept.hash:
        yield f"seal {this.batch} does not have the hash that its fields give"


class _Rows:
    """The rows, taken off as seals cover them."""

    def __init__(self, rows: Iterable[Encoded]) -> None:
        self._rows = iter(rows)
        self._held: list[Encoded] = []
        self._at = 0
        self._number = 0

    def covered(self, kept: Kept) -> Iterator[str]:
        """Take the rows up to the seal's last and compare them with its root."""
        first, last = kept.seal.first, kept.seal.last
        leaves: list[bytes] = []
        while taken := self._take(last):
            yield from self._places(taken, first)
            yield from _columns(taken)
            leaves += [leaf_of(row[0], row[5]) for row in taken if row[0] >= first]
        missing = last - first + 1 - len(leaves)
        if missing > 0:
            yield f"seal {kept.seal.batch}: {missing} of its rows are missing"
        elif not leaves or root(leaves) != kept.seal.root:
            yield f"seal {kept.seal.batch}: a row of {first} to {last} was changed"

    def rest(self) -> Iterator[str]:
        """What no seal covers."""
        while taken := self._take(None):
            yield from (f"row {row[0]} is under no seal" for row in taken)

    def _take(self, last: int | None) -> list[Encoded]:
        """Some of the rows up to `last` (None: to the end) that were not taken yet; none when there are no more."""
        if self._at == len(self._held):
            self._held, self._at = list(islice(self._rows, _PIECE)), 0
        begin = self._at
        self._at = len(self._held) if last is None else bisect_right(self._held, last, begin, key=itemgetter(0))
        return self._held[begin : self._at]

    def _places(self, taken: list[Encoded], first: int) -> Iterator[str]:
        numbers = [row[0] for row in taken]
        begin = max(self._number + 1, first)
        if numbers == list(range(begin, begin + len(numbers))):
            self._number = numbers[-1]
            return
        for row in taken:
            if row[0] <= self._number:
                yield f"row {row[0]} stands twice"
            elif row[0] < first:
                yield f"row {row[0]} is under no seal"
            self._number = row[0]


def _columns(taken: list[Encoded]) -> Iterator[str]:
    for row in taken:
        try:
            if not follow(row):
                yield f"row {row[0]}: its columns do not say what its text says"
        except Unreadable:
            yield f"row {row[0]}: its text is no row"


class _Anchored:
    """Heads that were written down, compared as the chain passes them."""

    def __init__(self, anchors: Iterable[Head]) -> None:
        self._anchors = iter(anchors)
        self._next = self._following()

    def before(self, batch: int) -> Iterator[str]:
        """Those of batches that the chain has left out."""
        while self._next is not None and self._next.batch < batch:
            yield f"seal {self._next.batch} was anchored and is missing"
            self._next = self._following()

    def at(self, head: Head) -> Iterator[str]:
        """Those of this batch."""
        while self._next is not None and self._next.batch == head.batch:
            if self._next != head:
                yield f"seal {head.batch} was anchored and is another one"
            self._next = self._following()

    def rest(self) -> Iterator[str]:
        """Those of batches behind the chain's end."""
        while self._next is not None:
            yield f"seal {self._next.batch} was anchored and is missing"
            self._next = self._following()

    def _following(self) -> Head | None:
        # A head without a seal says that the stream had not begun: nothing can contradict it.
        return next((each for each in self._anchors if each.batch > 0), None)
