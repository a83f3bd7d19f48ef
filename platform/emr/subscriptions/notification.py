"""A notification as bytes: Bundles of the Subscriptions R5 Backport guide for R4, and what plain R4 asks for.

Backport (STU 1.1, notifications.html): a `history` Bundle whose first entry is a Parameters resource with the status;
`empty` names nothing, `id-only` names the focus, `full-resource` brings it. Plain R4 (subscription.html, code system
subscription-channel-type): without a payload an empty POST, with one a PUT of the resource below the endpoint.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from emr.kernel import json
from emr.kernel.json import instant
from emr.subscriptions import terms
from emr.subscriptions.definition import Subscription
from emr.subscriptions.repository import Event
from emr.subscriptions.terms import Content, Kind

_DONE: Final = {"create": ("POST", "201"), "update": ("PUT", "200"), "delete": ("DELETE", "204")}


@dataclass(frozen=True, slots=True)
class Told:
    """What a Bundle is about. `number`: events since the Subscription began; `base`: the hospital's FHIR address."""

    base: str
    subscription: str
    topic: str | None
    state: str
    kind: Kind
    number: int
    id: str
    at: datetime
    content: Content = "empty"


@dataclass(frozen=True, slots=True)
class Focus:
    """One event, and the JSON text of its version: None when it is not shown or not there."""

    event: Event
    body: bytes | None = None


def told_of(asked: Subscription, base: str, at: datetime, **said: Any) -> Told:
    """What is told of a Subscription."""
    content = said.pop("content", None) or asked.content or "id-only"
    topic = asked.topic.url if asked.topical and content != "empty" else None
    return Told(base, asked.id, topic, at=at, content=content, **said)


def bundle(told: Told, events: Sequence[Focus] = ()) -> bytes:
    """A notification, or the answer of `$events`."""
    head = {
        "resourceType": "Bundle",
        "id": told.id,
        "meta": {"profile": [terms.NOTIFICATION]},
        "type": "history",
        "timestamp": instant(told.at),
    }
    entries = [json.dumps(_status_entry(told, events))]
    if told.content == "full-resource":
        entries += [_entry(told, each) for each in events]
    return json.dumps(head)[:-1] + b',"entry":[' + b",".join(entries) + b"]}"


def status(told: Told, events: Iterable[Focus] = (), error: str | None = None) -> dict[str, Any]:
    """The status as a Parameters resource (profile backport-subscription-status-r4)."""
    said: list[dict[str, Any]] = [
        {"name": "subscription", "valueReference": {"reference": f"{told.base}/Subscription/{told.subscription}"}}
    ]
    if told.topic is not None:
        said.append({"name": "topic", "valueCanonical": told.topic})
    said += [
        {"name": "status", "valueCode": told.state},
        {"name": "type", "valueCode": told.kind},
        {"name": "events-since-subscription-start", "valueString": str(told.number)},
    ]
    said += [{"name": "notification-event", "part": _parts(told, each.event)} for each in events]
    if error is not None:
        said.append({"name": "error", "valueCodeableConcept": {"text": error}})
    return {"resourceType": "Parameters", "id": told.id, "meta": {"profile": [terms.STATUS]}, "parameter": said}


def address_below(endpoint: str, event: Event) -> str:
    """Where plain R4 puts a resource: the endpoint is the base of a FHIR service."""
    parts = urlsplit(endpoint)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{event.type}/{event.id}"))


def _status_entry(told: Told, events: Sequence[Focus]) -> dict[str, Any]:
    return {
        "fullUrl": f"urn:uuid:{told.id}",
        "resource": status(told, events),
        "request": {"method": "GET", "url": f"{told.base}/Subscription/{told.subscription}/$status"},
        "response": {"status": "200"},
    }


def _parts(told: Told, event: Event) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = [
        {"name": "event-number", "valueString": str(event.number)},
        {"name": "timestamp", "valueInstant": instant(event.at)},
    ]
    if told.content != "empty":
        said.append({"name": "focus", "valueReference": {"reference": f"{told.base}/{event.type}/{event.id}"}})
    return said


def _entry(told: Told, focus: Focus) -> bytes:
    """The focus itself. One that cannot be shown has an entry that says so."""
    event = focus.event
    method, done = _DONE[event.verb]
    address = f"{event.type}/{event.id}" if method != "POST" else event.type
    if focus.body is None and event.verb != "delete":
        method, address, done = "GET", f"{event.type}/{event.id}", "404"
    parts = {
        "fullUrl": f"{told.base}/{event.type}/{event.id}",
        "request": {"method": method, "url": address},
        "response": {"status": done, "etag": f'W/"{event.version}"', "lastModified": instant(event.at)},
    }
    opening = json.dumps(parts)
    return opening if focus.body is None else opening[:-1] + b',"resource":' + focus.body + b"}"
