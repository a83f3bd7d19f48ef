"""A hospital as the machinery sees it: where its data lives and what it is called."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from emr.kernel.errors import Forbidden, HospitalMoving
from emr.kernel.states import STATES

SCHEMA: Final = re.compile(r"t_[a-z0-9]{12}")


DEDICATED: Final = "dedicated"
"""The tier of hospitals with a login and a pool of their own."""
WEIGHTS: Final = {"shared": 1, DEDICATED: 2}
"""How many turns a hospital of a tier has where hospitals take turns."""


@dataclass(frozen=True, slots=True)
class DicomPeer:
    """A device that may send: its AE title (PS3.8, at most 16 characters) and the network it sends from."""

    ae_title: str
    cidr: str


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where notifications may go although it is no public place: a host or a network; over plain http if it says so."""

    host: str | None = None
    cidr: str | None = None
    http: bool = False


@dataclass(frozen=True, slots=True)
class Quotas:
    """Limits of one hospital; 0 means none."""

    storage_gib: int = 0
    users: int = 0
    requests_per_second: int = 0
    concurrent_requests: int = 0


NEAR: Final = 0.8
"""The part of a quota from which on it is told."""
Level = Literal["", "near", "full"]


def level_of(used: float, most: int) -> Level:
    """Whether a quota is nearly or quite used up; 0: nothing limits it."""
    if not most or used < most * NEAR:
        return ""
    return "near" if used < most else "full"


@dataclass(frozen=True, slots=True)
class Codes:
    """Codes of one system, each from `low` to `high` by what they begin with: B20 to B24 has B24.9 in it."""

    system: str
    spans: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class LabelRule:
    """Which resources bear a label: those with one of some codes, or that are marked so.

    types: that are looked at; empty: all. codes: in any Coding of the resource. marks: system and code of a security
    label or tag in its meta. identifiers: systems of identifiers. roles: that are cleared for the label. treating:
    whether who treats the patient in person is.
    """

    label: str
    types: frozenset[str] = frozenset()
    codes: tuple[Codes, ...] = ()
    marks: frozenset[tuple[str, str]] = frozenset()
    identifiers: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    treating: bool = True


@dataclass(frozen=True, slots=True)
class Window:
    """When roles may work: on these days (Monday is 0), from one minute of the day until before another, local time."""

    roles: frozenset[str]
    days: frozenset[int]
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Access:
    """How strict a hospital is beyond roles.

    care: `open`, or which care relationship the roles in `bound` need: `ward` (named, or on the ward), `encounter`
    (named). grace_days: how long a relationship outlasts its end. catalogue: labels whose rules are those of the
    platform's catalogue; labels: rules of the hospital's own.
    """

    care: str = "open"
    grace_days: int = 30
    bound: frozenset[str] = frozenset()
    windows: tuple[Window, ...] = ()
    catalogue: frozenset[str] = frozenset()
    labels: tuple[LabelRule, ...] = ()

    @property
    def kept(self) -> bool:
        """Whether relationships and labels are written down at all."""
        return self.care != "open" or bool(self.catalogue or self.labels)


@dataclass(frozen=True, slots=True)
class Pilot:
    """Where the record is written while a hospital begins with some departments.

    departments: id of a Location, and its name. features: which, and the departments in which it is on; one that is not
    named is on everywhere.
    """

    departments: tuple[tuple[str, str], ...]
    features: tuple[tuple[str, frozenset[str]], ...]


@dataclass(frozen=True, slots=True)
class Past:
    """A hospital as it was at a moment, opened to look at until `closes_at`. schema: where its tables of then lie."""

    id: str
    schema: str
    moment: datetime
    closes_at: datetime

    def __post_init__(self) -> None:
        if not SCHEMA.fullmatch(self.schema):
            raise ValueError(f"not a hospital schema name: {self.schema!r}")


READ_ONLY: Final = "This hospital's record is read-only at the moment."
OPEN: Final = Access()
"""Roles decide alone."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """One hospital.

    `schema` is at once its database schema, its database role, its object prefix and its audit stream.
    `index_key` keys the hashes of its search index (16 bytes).
    """

    id: str
    slug: str
    name: str
    schema: str
    cell: str
    state: str
    facility_code: str
    index_key: bytes = field(repr=False)
    organization: str = ""
    organization_id: str | None = None
    sandbox: bool = False
    """For training: nobody in it is real, and nothing of it goes to the city."""
    tier: str = "shared"
    province: str = ""
    locale: str = "vi-VN"
    time_zone: str = "Asia/Ho_Chi_Minh"
    features: frozenset[str] = frozenset()
    quotas: Quotas = Quotas()
    ae_title: str | None = None
    peers: tuple[DicomPeer, ...] = ()
    receivers: tuple[Receiver, ...] = ()
    retention_years: int = 10
    lock_minutes: int = 15
    """A session that nobody used for so long is locked."""
    session_hours: int = 12
    """The longest that a session may work here."""
    profiles: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Resource type, and the canonical URLs of the profiles that every resource of the type keeps."""
    access: Access = OPEN
    pilot: Pilot | None = None
    """None: every department works with all of it."""
    revision: str = ""
    """The migration that the hospital's schema stands at."""
    served_from: str = ""
    """The oldest build, by its newest migration, that serves the schema as it stands; "": the one of that migration."""
    state_reason: str = ""
    """Why it is in its state, for everybody to read; "" when nobody has said."""
    state_since: datetime | None = None
    past: Past | None = None
    """The moment that is looked at; None: the record as it is. Keys, objects and trail are those of today."""
    moving: bool = False
    """Whether it is on its way to another cell: it is read meanwhile, nothing is written, and no job of it runs."""

    def __post_init__(self) -> None:
        if not SCHEMA.fullmatch(self.schema):
            raise ValueError(f"not a hospital schema name: {self.schema!r}")

    @property
    def tables(self) -> str:
        """The schema in which what is looked at lies."""
        return self.schema if self.past is None else self.past.schema

    @property
    def weight(self) -> int:
        """Turns of this hospital where hospitals take turns."""
        return WEIGHTS[self.tier]

    @property
    def open(self) -> bool:
        """Whether care goes on here at all."""
        return STATES[self.state].served

    @property
    def writable(self) -> bool:
        """Whether facts may be added."""
        return STATES[self.state].takes and self.past is None and not self.moving

    def demand_writable(self) -> None:
        """Raise `Forbidden` while nothing may be added or changed here, `HospitalMoving` if that is for a moment."""
        if self.past is not None:
            raise Forbidden("past-read-only", "This is the record as it was; nothing of it can be changed.")
        if self.moving and STATES[self.state].takes:
            raise HospitalMoving
        if not self.writable:
            raise Forbidden("hospital-read-only", READ_ONLY)
