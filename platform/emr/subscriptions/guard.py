"""What is added to the storing of a Subscription, however it comes: checked, masked, and wanted from that moment on.

A machine that holds `subscription:write` makes Subscriptions and alone changes its own. What it asks for becomes
`requested`; only the platform makes it `active`, once the endpoint has answered (see `delivery`). A Subscription that
an import brings is off until its owner asks for it.
"""

from typing import Any, Final

from emr.access.permissions import demand, demand_sight
from emr.kernel import json
from emr.kernel.errors import Forbidden
from emr.records.draft import Draft
from emr.records.search.find import search
from emr.subscriptions import repository
from emr.subscriptions.addresses import Fence
from emr.subscriptions.definition import Subscription, SubscriptionInvalid, headers_of, understood
from emr.subscriptions.secret_headers import mask, seal, unmasked, unseal
from emr.subscriptions.terms import WORKER
from emr.work.runtime import Runtime
from emr.work.unit import UnitOfWork

TYPE: Final = "Subscription"
_ASKED_FOR: Final = ("requested", "active")


def install(parts: Runtime) -> None:
    """From now on this process takes Subscriptions; one without this refuses them."""
    parts.guards[TYPE] = guard


async def guard(work: UnitOfWork, draft: Draft) -> None:
    """Called by the store before a version is stored; may change what is stored.

    Raises `SubscriptionInvalid`, `EndpointRefused`, `SearchRefused`, `Forbidden`.
    """
    if work.principal.subject == f"system:{WORKER}":
        return
    if work.principal.kind == "system":
        await _imported(work, draft)
        return
    demand(work.principal, "subscription:write")
    known = await repository.find_locked(work.db, draft.id)
    if known is not None and known.owner != work.principal.subject:
        raise Forbidden("subscription-not-own", "A Subscription is changed by its maker alone.")
    if draft.deleted:
        await repository.drop(work.db, draft.id)
        return
    _refuse_status(draft.value["status"])
    asked = understood(draft.value)
    headers = unmasked(asked.headers, _known_headers(work, known))
    wanted = asked.status in _ASKED_FOR
    _masked(draft, status="requested" if wanted else "off")
    if not wanted:
        await repository.drop(work.db, draft.id)
        return
    await _demand_possible(work, asked)
    sealed = seal(work.runtime.settings, work.tenant, draft.id, headers)
    await repository.put(work.db, draft.id, asked.type, work.principal.subject, sealed)


async def _imported(work: UnitOfWork, draft: Draft) -> None:
    await repository.drop(work.db, draft.id)
    if not draft.deleted:
        _masked(draft, status="off")


async def _demand_possible(work: UnitOfWork, asked: Subscription) -> None:
    """The endpoint may be called, the type may be seen, and a search with these criteria is understood."""
    Fence(work.tenant.receivers).demand(asked.endpoint)
    demand_sight(work.principal, asked.type)
    if asked.end is not None and asked.end <= work.clock():
        raise SubscriptionInvalid("subscription-end", "The end lies in the past.", location="Subscription.end")
    nothing = ("_id", "none-has-this-id")
    await search(work, asked.type, [nothing, *asked.criteria, ("_count", "1")])


def _refuse_status(status: str) -> None:
    if status not in (*_ASKED_FOR, "off"):
        rule = f"The status {status} is the server's to give; ask for requested, active or off."
        raise SubscriptionInvalid("subscription-status", rule, location="Subscription.status")


def _known_headers(work: UnitOfWork, known: repository.Subscriber | None) -> tuple[tuple[str, str], ...]:
    kept = known.headers if known is not None else None
    return unseal(work.runtime.settings, work.tenant, known.id if known else "", kept)


def _masked(draft: Draft, *, status: str) -> None:
    """What is kept in the record: no value of a header, no error of the past, the status that holds."""
    value: dict[str, Any] = {name: each for name, each in draft.value.items() if name != "error"}
    value["status"] = status
    mask(value, tuple(headers_of(value.get("channel", {}).get("header", ()))))
    draft.value, draft.body = value, json.dumps(value)
