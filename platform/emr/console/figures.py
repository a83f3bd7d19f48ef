"""What is known of each hospital at one moment, as values. What is not known is None, and never a guess."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from emr.kernel.tenant import Level, Tenant, level_of
from emr.light.results import State
from emr.telemetry.traffic import BOUNDS, quantile
from emr.tenancy.golive import Progress

GIB: Final = 1 << 30
_FARTHEST: Final = 3 * 365


@dataclass(frozen=True, slots=True)
class Requests:
    """What was asked of a hospital in a span. errors: answers of the class 5xx. buckets: as `telemetry.traffic` has."""

    requests: int = 0
    errors: int = 0
    buckets: tuple[int, ...] = (0,) * (len(BOUNDS) + 1)

    @property
    def p95(self) -> float | None:
        """Seconds within which 95 of 100 were answered; None when nothing was asked."""
        return quantile(self.buckets, 0.95)

    @property
    def error_share(self) -> float | None:
        """Of all answers, 0 to 1; None when nothing was asked."""
        return self.errors / self.requests if self.requests else None

    def __add__(self, other: "Requests") -> "Requests":
        buckets = tuple(own + more for own, more in zip(self.buckets, other.buckets, strict=True))
        return Requests(self.requests + other.requests, self.errors + other.errors, buckets)


@dataclass(frozen=True, slots=True)
class Storage:
    """used, most: bytes of lasting content; most 0: nothing limits it. per_day: bytes a day over the last 30 days, None
    with fewer than seven days known.
    """

    used: int
    most: int
    per_day: float | None
    measured_at: datetime

    @property
    def level(self) -> Level:
        """Whether it is nearly or quite used up."""
        return level_of(self.used, self.most)

    def full_on(self, today: date) -> date | None:
        """When it is full if it goes on so; None when it will not be in three years, or nobody can tell."""
        if not self.most or self.per_day is None or self.per_day <= 0:
            return None
        days = (self.most - self.used) / self.per_day
        return today + timedelta(days=max(0, int(days))) if days < _FARTHEST else None


@dataclass(frozen=True, slots=True)
class Users:
    """Members who may enter, and how many may at most (0: no limit)."""

    used: int
    most: int

    @property
    def level(self) -> Level:
        """Whether it is nearly or quite used up."""
        return level_of(self.used, self.most)


@dataclass(frozen=True, slots=True)
class Lag:
    """What waits for the city: versions on the way, those that were set aside, seconds that the oldest has waited."""

    pending: int = 0
    broken: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Cell:
    """A database cluster. answered: whether it told its figures in time. outbox, unsealed: by a hospital's schema; of
    unsealed the age in seconds of the oldest audit row that no seal covers. told_at: when a worker last spoke for it.
    """

    name: str
    answered: bool
    outbox: Mapping[str, Lag]
    unsealed: Mapping[str, float]
    anchored_at: datetime | None = None
    told_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Light:
    """The border light: what it shows, and when the doors were last tried (None: never)."""

    state: State
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The last time that a hospital was restored beside itself, and whether all of it was there."""

    at: datetime
    passed: bool


@dataclass(frozen=True, slots=True)
class Hospital:
    """One hospital. served: this build knows its schema. answered: whether its cell did; without, lag and unsealed are
    None. requests: of the last quarter of an hour. backup_at: of its cell, the last that did not fail. way: to going
    live.
    """

    tenant: Tenant
    served: bool
    answered: bool
    requests: Requests
    lag: Lag | None
    unsealed: float | None
    anchored_at: datetime | None
    storage: Storage | None
    users: Users
    light: Light
    backup_at: datetime | None
    rehearsal: Rehearsal | None
    way: Progress


@dataclass(frozen=True, slots=True)
class Fleet:
    """All hospitals at one moment. revision: the newest of a hospital's schema that this build knows."""

    at: datetime
    revision: str
    hospitals: Sequence[Hospital]
    cells: Sequence[Cell]
