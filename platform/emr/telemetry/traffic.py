"""What each hospital asked of this process since it was last told: how many requests, how many failed, how long.

Prometheus has the same by process and keeps it elsewhere. The department's console must not depend on it, so processes
tell the directory (`emr.console.traffic`).
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

BOUNDS: Final = (0.002, 0.005, 0.01, 0.02, 0.04, 0.06, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper ends of the buckets in seconds; one more bucket holds what took longer."""


@dataclass(slots=True)
class Counts:
    """errors: answers of the class 5xx. buckets: requests by how long they took, not added up."""

    requests: int = 0
    errors: int = 0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))

    def add(self, other: "Counts") -> None:
        """Count what another one counted."""
        self.requests += other.requests
        self.errors += other.errors
        self.buckets = [own + more for own, more in zip(self.buckets, other.buckets, strict=True)]


class Traffic:
    """Counts until it is taken. Nothing waits: it stands on the way of every request."""

    def __init__(self) -> None:
        self._counts: dict[str, Counts] = {}

    def note(self, slug: str, status: int, seconds: float) -> None:
        """One answered request of a hospital that the registry knows."""
        counts = self._counts.get(slug)
        if counts is None:
            counts = self._counts[slug] = Counts()
        counts.requests += 1
        counts.errors += status >= 500
        counts.buckets[bisect_left(BOUNDS, seconds)] += 1

    def take(self) -> Mapping[str, Counts]:
        """What was counted by slug; from here on it is counted anew."""
        taken, self._counts = self._counts, {}
        return taken

    def put_back(self, counts: Mapping[str, Counts]) -> None:
        """Count again what could not be told; it will be told with what comes."""
        for slug, each in counts.items():
            self._counts.setdefault(slug, Counts()).add(each)


TRAFFIC: Final = Traffic()
"""This process's."""


def quantile(buckets: Sequence[int], share: float) -> float | None:
    """The time in seconds that this share of the requests did not pass, as far as buckets can tell: between the ends of
    a bucket times are taken to be spread evenly. None without requests; the last end for what took longer.
    """
    total = sum(buckets)
    if not total:
        return None
    wanted, below, lower = share * total, 0, 0.0
    for bound, count in zip(BOUNDS, buckets, strict=False):
        if below + count >= wanted and count:
            return lower + (bound - lower) * (wanted - below) / count
        below, lower = below + count, bound
    return BOUNDS[-1]
