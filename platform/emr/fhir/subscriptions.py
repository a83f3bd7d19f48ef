"""`Subscription/$status` and `Subscription/id/$events` (Subscriptions R5 Backport STU 1.1, operations), and what the
CapabilityStatement says of Subscription.
"""

from typing import Any, Final

from fastapi import Request, Response

from emr.fhir.bundles import bundle
from emr.fhir.negotiate import MEDIA_TYPE, refuse_other_answers
from emr.fhir.operation import Operation
from emr.fhir.parameters import Input, Inputs, inputs_of
from emr.kernel import json
from emr.kernel.errors import Malformed
from emr.subscriptions.asking import Stretch, events_of, status_of, statuses
from emr.subscriptions.terms import CONTENTS, SUBSCRIPTION, TOPIC_CANONICAL
from emr.subscriptions.topics import TOPICS
from emr.work.unit import UnitOfWork

_DEFINITIONS: Final = "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-"
_STATUS_INPUTS: Final = (Input("id", "id", most=None), Input("status", "code", most=None))
_EVENT_INPUTS: Final = (
    Input("eventsSinceNumber", "string"),
    Input("eventsUntilNumber", "string"),
    Input("content", "code"),
)
_HEADERS: Final = {"Cache-Control": "private, no-store"}
_DIGITS_MOST: Final = 15


async def status(request: Request, work: UnitOfWork) -> Response:
    """At an instance its own, at the type those that are asked for: a searchset of Parameters."""
    refuse_other_answers(request)
    given = inputs_of(request, _STATUS_INPUTS)
    subscription: str | None = request.path_params.get("id")
    if subscription is not None:
        found = [await status_of(work, subscription)]
    else:
        found = await statuses(work, given.all("id"), given.all("status"))
    entries = [
        json.dumps({"fullUrl": f"urn:uuid:{each['id']}", "resource": each, "search": {"mode": "match"}})
        for each in found
    ]
    return Response(bundle("searchset", (), entries, len(found)), 200, _HEADERS, MEDIA_TYPE)


async def events(request: Request, work: UnitOfWork) -> Response:
    """What a Subscription was told, or is owed, from one number to another."""
    refuse_other_answers(request)
    given = inputs_of(request, _EVENT_INPUTS)
    content = given.one("content")
    if content is not None and content not in CONTENTS:
        raise Malformed("content-unknown", "content is one of " + ", ".join(CONTENTS) + ".", location="content")
    stretch = Stretch(_number(given, "eventsSinceNumber"), _number(given, "eventsUntilNumber"), content)
    body = await events_of(work, request.path_params["id"], stretch)
    return Response(body, 200, _HEADERS, MEDIA_TYPE)


def _number(given: Inputs, name: str) -> int | None:
    text = given.one(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MOST):
        raise Malformed("number-form", f"{name} is a whole number.", location=name)
    return int(text)


EVENTS: Final = Operation(
    name="events",
    definition=_DEFINITIONS + "events",
    endpoint=events,
    levels=frozenset({"instance"}),
    types=frozenset({"Subscription"}),
)
STATUS: Final = Operation(
    name="status",
    definition=_DEFINITIONS + "status",
    endpoint=status,
    levels=frozenset({"type", "instance"}),
    types=frozenset({"Subscription"}),
)

SUPPORTED: Final[dict[str, Any]] = {
    "extension": [{"url": TOPIC_CANONICAL, "valueCanonical": url} for url in TOPICS],
    "supportedProfile": [SUBSCRIPTION],
}
"""What the CapabilityStatement says at Subscription besides its interactions."""
