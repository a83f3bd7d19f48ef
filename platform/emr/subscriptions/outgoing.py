"""The call to an endpoint: to an address that has just been judged, with nothing followed and nothing believed.

The name is resolved once, every address that it has is judged, and the connection goes to one of these addresses: a
name that resolves differently a moment later cannot lead elsewhere. TLS still proves the name. Redirects, cookies and
proxies of the environment do not exist here, and of an answer only its head is read.
"""

import asyncio
import functools
import ipaddress
import socket
import ssl
import typing
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpcore

from emr.subscriptions.addresses import Address, Endpoint, Fence

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port to every address that the host has now."""

_OK: Final = 200
_LONGEST_PAUSE: Final = 3600.0
_FAILURES: Final = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, ssl.SSLError, OSError)


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request. `headers` and `body` hold secrets and patients' data: never shown."""

    url: str
    method: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)
    seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a call: `reason` is a stable code, None when it was taken; `pause` what the endpoint asks, in s."""

    reason: str | None = None
    pause: float = 0.0


async def resolve(host: str, port: int) -> Sequence[str]:
    """The system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class _NotAllowed(OSError):
    """An address of the host is not one that the hospital allows."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Makes calls for one hospital."""

    fence: Fence
    resolver: Resolver = resolve

    async def send(self, call: Call, endpoint: Endpoint) -> Answer:
        """Never raises for what the other side does or does not do."""
        backend = _Judged(self.fence, endpoint, self.resolver)
        try:
            async with (
                asyncio.timeout(call.seconds),
                httpcore.AsyncConnectionPool(ssl_context=_trusted(), network_backend=backend, retries=0) as pool,
                pool.stream(call.method, call.url, headers=list(_encoded(call)), content=call.body) as response,
            ):
                return _answer(response.status, response.headers)
        except _NotAllowed:
            return Answer("address-not-allowed")
        except TimeoutError:
            return Answer("timeout")
        except socket.gaierror:
            return Answer("name-unknown")
        except _FAILURES as error:
            return Answer(_reason(error))

    async def fetch(self, url: str, endpoint: Endpoint, *, most: int, seconds: float = 5.0) -> bytes | None:
        """What lies there, at most so many bytes; None for everything but a plain answer with all of it."""
        backend = _Judged(self.fence, endpoint, self.resolver)
        try:
            async with (
                asyncio.timeout(seconds),
                httpcore.AsyncConnectionPool(ssl_context=_trusted(), network_backend=backend, retries=0) as pool,
                pool.stream("GET", url, headers=[(b"Accept", b"application/json")]) as response,
            ):
                found = b""
                async for chunk in response.aiter_stream():
                    found += chunk
                    if len(found) > most:
                        return None
                return found if response.status == _OK else None
        except (TimeoutError, *_FAILURES):
            return None


@functools.cache
def _trusted() -> ssl.SSLContext:
    """Whom the machine trusts, read once: it takes 30 ms, in which nothing else would go on."""
    return ssl.create_default_context()


class _Judged(httpcore.AsyncNetworkBackend):
    """Connects to addresses that the fence lets through, whatever name is asked for."""

    def __init__(self, fence: Fence, endpoint: Endpoint, resolver: Resolver) -> None:
        self._fence, self._endpoint, self._resolver = fence, endpoint, resolver
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface of the library
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to the first of the judged addresses that answers."""
        addresses = await self._addresses(host, port)
        for last, address in zip([*[False] * (len(addresses) - 1), True], addresses, strict=True):
            try:
                return await self._network.connect_tcp(
                    str(address), port, timeout=timeout, local_address=local_address, socket_options=socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if last:
                    raise
        raise _NotAllowed

    async def connect_unix_socket(self, *_: typing.Any, **__: typing.Any) -> httpcore.AsyncNetworkStream:
        """There are none."""
        raise _NotAllowed

    async def sleep(self, seconds: float) -> None:
        """Wait between attempts of the library, of which there are none."""
        await asyncio.sleep(seconds)

    async def _addresses(self, host: str, port: int) -> list[Address]:
        """Every address of the host; `_NotAllowed` when one of them is not allowed, for then none is to be trusted."""
        written = self._endpoint.address
        found = [written] if written is not None else [_parsed(each) for each in await self._resolver(host, port)]
        if not found or not all(self._fence.permits(self._endpoint, each) for each in found):
            raise _NotAllowed
        return found


def _parsed(text: str) -> Address:
    return ipaddress.ip_address(text)


def _encoded(call: Call) -> Iterable[tuple[bytes, bytes]]:
    for name, value in call.headers:
        yield name.encode("ascii"), value.encode("latin-1")


def _answer(status: int, headers: Iterable[tuple[bytes, bytes]]) -> Answer:
    if 200 <= status < 300:
        return Answer()
    asked = next((value.decode("latin-1") for name, value in headers if name.lower() == b"retry-after"), "")
    return Answer("redirect" if 300 <= status < 400 else f"status-{status}", _pause(asked.strip()))


def _pause(text: str) -> float:
    """`Retry-After` in seconds (RFC 9110, section 10.2.3); 0 when it says nothing that can be read."""
    if text.isascii() and text.isdigit():
        return min(float(text[:6]), _LONGEST_PAUSE)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max((moment - datetime.now(UTC)).total_seconds(), 0.0), _LONGEST_PAUSE)


def _reason(error: Exception) -> str:
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and cause not in causes:
        causes.append(cause)
    if any(isinstance(each, ssl.SSLError) for each in causes):
        return "tls-failed"
    if isinstance(error, httpcore.TimeoutException):
        return "timeout"
    return "protocol-broken" if isinstance(error, httpcore.ProtocolError) else "no-connection"
