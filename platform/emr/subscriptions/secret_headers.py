"""The headers of an endpoint hold its secrets: they are sealed beside the record and masked inside it.

No reading, searching, exporting or auditing of a Subscription can show them, its owner's included. Who sends the mask
back keeps what is there.
"""

from collections.abc import Sequence
from typing import Any, Final

from emr.identity.sealing import Sealed
from emr.kernel import json
from emr.kernel.tenant import Tenant
from emr.settings import Settings
from emr.subscriptions.definition import MASK, SubscriptionInvalid

Header = tuple[str, str]
_PURPOSE: Final = "subscription headers"


def seal(settings: Settings, tenant: Tenant, subscription: str, headers: Sequence[Header]) -> bytes | None:
    """What is kept of headers; None when there are none."""
    if not headers:
        return None
    text = json.dumps({"headers": [list(each) for each in headers]}).decode("utf-8")
    return _sealed(settings).seal(text, context=_context(tenant, subscription))


def unseal(settings: Settings, tenant: Tenant, subscription: str, kept: bytes | None) -> tuple[Header, ...]:
    """The headers as they are sent; none when what is kept was sealed with another key or for another Subscription."""
    text = None if kept is None else _sealed(settings).open(kept, context=_context(tenant, subscription))
    return () if text is None else tuple((name, value) for name, value in json.loads(text.encode())["headers"])


def unmasked(sent: Sequence[Header], known: Sequence[Header]) -> tuple[Header, ...]:
    """Headers as they are meant: a masked value is the one that is known under its name.

    Raises `SubscriptionInvalid` for a mask behind which nothing is known.
    """
    values = {name.lower(): value for name, value in known}
    for number, (name, value) in enumerate(sent):
        if value == MASK and name.lower() not in values:
            raise SubscriptionInvalid(
                "subscription-header-masked",
                f"The value of {name} is not known here any more; send it again.",
                location=f"Subscription.channel.header[{number}]",
            )
    return tuple((name, values[name.lower()] if value == MASK else value) for name, value in sent)


def mask(resource: dict[str, Any], headers: Sequence[Header]) -> None:
    """Put masks in the place of the values."""
    if headers:
        resource["channel"] = resource["channel"] | {"header": [f"{name}: {MASK}" for name, _ in headers]}


def _sealed(settings: Settings) -> Sealed:
    return Sealed(settings.keys.sealing.get_secret_value(), _PURPOSE)


def _context(tenant: Tenant, subscription: str) -> str:
    return f"{tenant.schema}/{subscription}"
