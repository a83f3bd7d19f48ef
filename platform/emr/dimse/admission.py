"""Who may open an association: an AE title is a name and no password, so the address must fit too."""

import ipaddress
from dataclasses import dataclass

from emr.identity.principal import Principal
from emr.kernel.errors import NotFound
from emr.kernel.tenant import Tenant
from emr.tenancy.registry import Registry


@dataclass(frozen=True, slots=True)
class Caller:
    """Who knocks: AE titles as sent, without padding, and the peer's address."""

    called: str
    calling: str
    address: str


@dataclass(frozen=True, slots=True)
class Refused:
    """An association that is not accepted. result, source, diagnostic: of A-ASSOCIATE-RJ (PS3.8 table 9-21).

    tenant: None when no hospital has the called title.
    """

    code: str
    tenant: Tenant | None
    answer: tuple[int, int, int]


_UNKNOWN_CALLED = (1, 1, 7)
_UNKNOWN_CALLING = (1, 1, 3)
CONGESTED = (2, 3, 1)
_NOT_NOW = (2, 1, 1)


def admit(registry: Registry, caller: Caller) -> Tenant | Refused:
    """The hospital that lets this device in, or why none does.

    One that is read-only lets devices in and tells each image that it is refused, so that a device shows why.
    """
    try:
        tenant = registry.by_ae_title(caller.called)
    except NotFound:
        return Refused("called-title-unknown", None, _UNKNOWN_CALLED)
    if not tenant.open:
        return Refused("hospital-suspended", tenant, _NOT_NOW)
    if "imaging" not in tenant.features:
        return Refused("hospital-takes-no-images", tenant, _UNKNOWN_CALLED)
    titles = [peer for peer in tenant.peers if peer.ae_title == caller.calling]
    if not titles:
        return Refused("calling-title-unlisted", tenant, _UNKNOWN_CALLING)
    if not any(_within(caller.address, peer.cidr) for peer in titles):
        return Refused("address-unlisted", tenant, _UNKNOWN_CALLING)
    return tenant


def device(tenant: Tenant, title: str) -> Principal:
    """The device as a principal of the hospital that listed it."""
    return Principal(subject=f"dicom:{title}", name=title, role="pacs", kind="machine", tenant_id=tenant.id)


def _within(address: str, cidr: str) -> bool:
    """IPv4 addresses that arrive on an IPv6 socket count as what they are."""
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return found in ipaddress.ip_network(cidr)
