"""A hospital as the machinery sees it: where its data lives and what it is called."""

import re
from dataclasses import dataclass, field
from typing import Final

SCHEMA: Final = re.compile(r"t_[a-z0-9]{12}")
STATES: Final = ("trial", "live", "read-only", "suspended", "leaving")


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
    profiles: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Resource type, and the canonical URLs of the profiles that every resource of the type keeps."""
    revision: str = ""
    """The migration that the hospital's schema stands at."""

    def __post_init__(self) -> None:
        if not SCHEMA.fullmatch(self.schema):
            raise ValueError(f"not a hospital schema name: {self.schema!r}")

    @property
    def open(self) -> bool:
        """Whether care goes on here at all."""
        return self.state in ("trial", "live", "read-only")

    @property
    def writable(self) -> bool:
        """Whether facts may be added."""
        return self.state in ("trial", "live")
