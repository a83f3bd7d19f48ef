"""Looking at a hospital's own identity provider before anybody is sent there (OpenID Connect Discovery 1.0, 4).

The address is judged as a Subscription's endpoint is: public and https, or listed in the hospital's file.
"""

import json
from typing import Any, Final
from urllib.parse import urlsplit

from emr.identity.brokers import Endpoints
from emr.kernel.errors import Invalid
from emr.subscriptions.addresses import Fence
from emr.subscriptions.outgoing import Outgoing, Resolver, resolve

_PATH: Final = "/.well-known/openid-configuration"
_LONGEST: Final = 256 * 1024
_NEEDED: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")


async def discover(issuer: str, fence: Fence, resolver: Resolver = resolve) -> Endpoints:
    """What the provider says of itself. Raises EndpointRefused, and Invalid with a code that says what is wrong."""
    wanted = issuer.rstrip("/")
    said = await _document(f"{wanted}{_PATH}", fence, resolver)
    if str(said.get("issuer", "")).rstrip("/") != wanted:
        raise Invalid("discovery-issuer", "The discovery document names another issuer.", location="issuer")
    found = {name: str(said.get(name) or "") for name in (*_NEEDED, "userinfo_endpoint", "end_session_endpoint")}
    scheme = urlsplit(wanted).scheme
    if any(not found[name] for name in _NEEDED) or any(
        address and urlsplit(address).scheme != scheme for address in found.values()
    ):
        raise Invalid(
            "discovery-incomplete", "An endpoint is missing or is not served like the issuer.", location="issuer"
        )
    return Endpoints(str(said["issuer"]), *found.values())


async def _document(url: str, fence: Fence, resolver: Resolver) -> dict[str, Any]:
    endpoint = fence.demand(url)
    body = await Outgoing(fence, resolver).fetch(url, endpoint, most=_LONGEST)
    try:
        said = json.loads(body or b"")
    except ValueError as error:
        raise _unreadable() from error
    if not isinstance(said, dict):
        raise _unreadable()
    return said


def _unreadable() -> Invalid:
    return Invalid("discovery-failed", "There is no discovery document at this address.", location="issuer")
