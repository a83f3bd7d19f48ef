"""A hospital's file, as a strict model: the one description from which everything else about it is made."""

import ipaddress
import zoneinfo
from functools import cache
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from emr.tenancy.access_part import AccessPart
from emr.tenancy.pilot_part import PilotPart
from emr.tenancy.strict import Strict

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")]
RESERVED: Final = frozenset(
    {
        *("admin", "all", "api", "app", "apps", "assets", "auth", "cell", "city"),
        *("console", "default", "department", "directory", "emr", "fhir", "h", "health", "help", "home"),
        *("localhost", "login", "logout", "me", "new", "none", "null", "ops", "public"),
        *("root", "static", "status", "support", "system", "www"),
    }
)
"""Words that mean something else in addresses, logs and commands."""
AeTitle = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9_.-]{1,16}$")]
Domain = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]+\.[a-z]{2,}$")]
ResourceType = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z]{1,63}$")]
Canonical = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9+.-]*:[^\s|]{1,1000}(\|[^\s|]{1,64})?$")]
Feature = Literal["outpatient", "inpatient", "imaging", "documents", "laboratory", "pharmacy"]
Tier = Literal["shared", "dedicated"]
FirstState = Literal["trial", "live"]


def _unreserved(slug: str) -> str:
    if slug in RESERVED:
        raise ValueError(f"{slug} is a reserved word; name the hospital itself")
    return slug


def _network(text: str) -> str:
    return str(ipaddress.ip_network(text))


@cache
def _zones() -> frozenset[str]:
    """Looked up on the disk once: that takes 10 ms, and each of a thousand files names a zone."""
    return frozenset(zoneinfo.available_timezones())


def _zone(name: str) -> str:
    if name not in _zones():
        raise ValueError("is not a time zone of the IANA database")
    return name


class Peer(Strict):
    """A device that may send images."""

    ae_title: AeTitle
    cidr: Annotated[str, AfterValidator(_network)] = Field(description="network that it sends from, e.g. 10.20.0.0/24")


class DicomPart(Strict):
    """The hospital's own AE title and the devices that are let in."""

    ae_title: AeTitle
    peers: tuple[Peer, ...] = Field((), strict=False)


class Receiver(Strict):
    """A place to which a Subscription may send although its address is not public, or not encrypted."""

    host: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")] | None = Field(
        None, description="name of a host, which may then have an address of a private network"
    )
    cidr: Annotated[str, AfterValidator(_network)] | None = Field(
        None, description="network, e.g. 10.20.0.0/24; the only way to loopback and link-local addresses"
    )
    http: bool = Field(False, description="whether plain http is allowed there")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.host is None) == (self.cidr is None):
            raise ValueError("says either host or cidr")
        return self


class SubscriptionPart(Strict):
    """Where notifications may go besides public https addresses."""

    receivers: tuple[Receiver, ...] = Field((), strict=False, max_length=50)


class QuotaPart(Strict):
    """Limits; 0 means none."""

    storage_gib: int = Field(200, ge=0)
    users: int = Field(150, ge=0)
    requests_per_second: int = Field(0, ge=0)
    concurrent_requests: int = Field(0, ge=0)


class AdministratorPart(Strict):
    """Who administers the hospital first; whoever comes later is invited by them."""

    name: Annotated[str, StringConstraints(min_length=2, max_length=200)]
    email: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[a-z0-9.-]+\.[a-z]{2,}$", max_length=255)]


class IdentityPart(Strict):
    """The hospital's organization at the identity provider, and the first person in it."""

    organization: Slug
    domains: tuple[Domain, ...] = Field((), strict=False)
    administrator: AdministratorPart | None = Field(
        None, description="invited once, when the hospital has no administrator yet"
    )


class RetentionPart(Strict):
    """How long records are kept (Law on medical examination and treatment 2023: at least 10 years)."""

    default_years: int = Field(10, ge=10, le=100)


class SessionPart(Strict):
    """How long people stay signed in at the hospital's PCs."""

    lock_minutes: int = Field(15, ge=1, le=120, description="minutes without use after which a session is locked")
    session_hours: int = Field(12, ge=1, le=24, description="hours after which one signs in again in any case")


class GoLivePart(Strict):
    """The first state; later ones are set by command or console and kept in the directory."""

    state: FirstState = "trial"


class HospitalFile(Strict):
    """Everything that a hospital's file may say."""

    slug: Annotated[Slug, AfterValidator(_unreserved)]
    name: Annotated[str, StringConstraints(min_length=3, max_length=200)]
    facility_code: Annotated[str, StringConstraints(pattern=r"^\d{5}$")] = Field(description="five digits, QĐ 384/2019")
    province: Annotated[str, StringConstraints(pattern=r"^\d{2}$")]
    sandbox: bool = Field(
        False,
        description="for training: made-up patients, said on every page, reset with a button, never sent to the city",
    )
    tier: Tier = "shared"
    cell: Slug = "default"
    locale: Literal["vi-VN", "en-GB"] = "vi-VN"
    time_zone: Annotated[str, AfterValidator(_zone)] = "Asia/Ho_Chi_Minh"
    features: tuple[Feature, ...] = Field(("outpatient",), strict=False)
    pilot: PilotPart | None = Field(None, description="for a beginning in some departments; unless said, all are in")
    quotas: QuotaPart = QuotaPart()
    dicom: DicomPart | None = None
    subscriptions: SubscriptionPart = SubscriptionPart()
    identity: IdentityPart
    retention: RetentionPart = RetentionPart()
    access: AccessPart = AccessPart()
    sessions: SessionPart = SessionPart()
    profiles: dict[ResourceType, Annotated[tuple[Canonical, ...], Field(strict=False, max_length=10)]] = Field(
        default_factory=dict, description="profiles that every resource of a type keeps, e.g. {Patient: [https://…]}"
    )
    go_live: GoLivePart = GoLivePart()
    managed_by: Literal["file", "console"] = "file"

    def as_json(self) -> dict[str, Any]:
        """The definition as the directory keeps it."""
        return self.model_dump(mode="json")


def json_schema() -> dict[str, Any]:
    """`tenants/schema.json`: what an editor can check a hospital's file against."""
    schema = HospitalFile.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A hospital's file"} | schema
