"""Where a notification may go: public addresses over https, and what the hospital's file lists besides.

A name is judged by every address that it has at the moment of connecting; see `outgoing`. An address inside another one
(IPv4-mapped, 6to4, Teredo, NAT64) is judged as what it leads to.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from emr.kernel.errors import Invalid
from emr.kernel.tenant import Receiver

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

PLACE: Final = "Subscription.channel.endpoint"
_PRINTABLE: Final = re.compile(r"[!-\[\]-~]{1,2000}")
_NAME: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_NUMBER: Final = re.compile(r"(0x[0-9a-f]*|[0-9]+)")
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_NAT64_LOCAL: Final = ipaddress.IPv6Network("64:ff9b:1::/48")
_NEARBY: Final = tuple(
    ipaddress.ip_network(each)
    for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)
"""Networks inside an organization: a host that the hospital's file names may have an address there."""


class EndpointRefused(Invalid):
    """The endpoint of a Subscription is no place where notifications may go."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message, location=PLACE)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint, taken apart. `address` when the host is written as one."""

    scheme: str
    host: str
    port: int
    address: Address | None


def endpoint_of(url: str) -> Endpoint:
    """The parts of an endpoint. Raises `EndpointRefused` for what browsers and resolvers read in different ways."""
    if not _PRINTABLE.fullmatch(url):
        raise EndpointRefused("endpoint-form", "The endpoint is an absolute https address in ASCII.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise EndpointRefused("endpoint-form", "The endpoint is no address.") from error
    if parts.scheme not in ("https", "http"):
        raise EndpointRefused("endpoint-scheme", "The endpoint is an https address.")
    if parts.username is not None or parts.password is not None or "#" in url:
        raise EndpointRefused("endpoint-form", "The endpoint holds neither a user nor a fragment.")
    host = (parts.hostname or "").removesuffix(".")
    address = _written(host, bracketed="[" in parts.netloc)
    return Endpoint(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), address)


def _written(host: str, *, bracketed: bool) -> Address | None:
    """The address that a host is written as; None for a name. Other spellings of numbers are refused."""
    try:
        return ipaddress.IPv6Address(host) if bracketed else ipaddress.IPv4Address(host)
    except ValueError as error:
        if bracketed or not _NAME.fullmatch(host) or _NUMBER.fullmatch(host.rpartition(".")[2]):
            raise EndpointRefused("endpoint-host", "The host is a name, or an address in its usual form.") from error
    return None


@dataclass(frozen=True, slots=True)
class Fence:
    """What one hospital allows."""

    receivers: Sequence[Receiver]

    def demand(self, url: str) -> Endpoint:
        """The endpoint, as far as it can be judged before its name is resolved. Raises `EndpointRefused`."""
        endpoint = endpoint_of(url)
        if endpoint.address is not None:
            if not self.permits(endpoint, endpoint.address):
                raise _refused(endpoint)
        elif endpoint.scheme == "http" and not any(
            each.http and each.host in (None, endpoint.host) for each in self.receivers
        ):
            raise _refused(endpoint)
        return endpoint

    def permits(self, endpoint: Endpoint, address: Address) -> bool:
        """Whether this endpoint may be spoken to at this address."""
        meant = leads_to(address)
        listed = [each for each in self.receivers if each.cidr and meant in ipaddress.ip_network(each.cidr)]
        if is_public(meant) or any(meant in network for network in _NEARBY if network.version == meant.version):
            listed += [each for each in self.receivers if each.host == endpoint.host]
        if endpoint.scheme == "http":
            return any(each.http for each in listed)
        return bool(listed) or is_public(meant)


def leads_to(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, or the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None) or address


def is_public(address: Address) -> bool:
    """Whether anybody on the internet may have this address."""
    if isinstance(address, ipaddress.IPv6Address) and (address in _NAT64_LOCAL or address.is_site_local):
        return False
    inside = address.is_loopback or address.is_link_local or address.is_private
    return address.is_global and not (inside or address.is_multicast or address.is_reserved or address.is_unspecified)


def _refused(endpoint: Endpoint) -> EndpointRefused:
    if endpoint.scheme == "http":
        return EndpointRefused("endpoint-http", "The endpoint is https; this hospital allows no http there.")
    return EndpointRefused("endpoint-private", "The endpoint lies in a network that this hospital has not allowed.")
