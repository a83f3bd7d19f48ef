"""A Subscription as it is understood here, or the refusal of what is not."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl

from emr.definitions.model import resource_types
from emr.kernel.errors import Invalid
from emr.subscriptions import terms
from emr.subscriptions.terms import Content
from emr.subscriptions.topics import PLAIN, TOPICS, Topic

_QUERY: Final = re.compile(r"([A-Z][A-Za-z]{1,63})(?:\?(.*))?", re.DOTALL)
_HEADER: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}):[ \t]*([\x20-\x7e]{0,2000})")
_OURS: Final = frozenset(
    {"host", "content-length", "content-type", "transfer-encoding", "connection", "keep-alive", "te", "trailer"}
    | {"upgrade", "expect", "proxy-authorization", "proxy-connection", "accept-encoding"}
    | {"x-notification-id", "x-event-number"}
)
_RESULT: Final = frozenset(
    {"_sort", "_count", "_include", "_revinclude", "_summary", "_elements", "_total", "_contained", "_containedType"}
    | {"_cursor", "_format", "_pretty", "_list", "_query", "_filter", "_id"}
)
"""Parameters that say how a search is answered, or that have no meaning for one version of one resource."""
_CRITERIA_MOST: Final = 20
_HEADERS_MOST: Final = 20
_EVENTS_MOST: Final = 100
_SECONDS_MOST: Final = 30
_HEARTBEAT_LEAST: Final = 5
MASK: Final = "********"
"""What stands for the value of a header wherever the Subscription is shown."""


class SubscriptionInvalid(Invalid):
    """A Subscription asks for something that is not done here."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """What the Subscription asks for.

    topical: whether it names the topic itself. content: None for a plain R4 one, where `payload` decides. seconds: of
    one call, None for the platform's own. heartbeat: seconds, None for none. headers: names and values, the values
    masked as they are kept in the record.
    """

    id: str
    status: str
    type: str
    topic: Topic
    topical: bool
    criteria: tuple[tuple[str, str], ...] = field(repr=False)
    endpoint: str = field(repr=False)
    payload: bool
    content: Content | None
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    end: datetime | None = None
    seconds: float | None = None
    heartbeat: int | None = None
    most: int = 1


def understood(resource: Mapping[str, Any]) -> Subscription:
    """From a resource that its definition allows. Raises `SubscriptionInvalid` naming the element."""
    channel: dict[str, Any] = resource["channel"]
    _refuse_other_channels(channel)
    topic, resource_type, criteria = _asked(resource)
    content, payload = _content(channel, topical=resource["criteria"] in TOPICS)
    heartbeat = _whole(channel, terms.HEARTBEAT_PERIOD)
    seconds = _whole(channel, terms.TIMEOUT)
    if heartbeat is not None and (content is None or heartbeat < _HEARTBEAT_LEAST):
        rule = f"A heartbeat needs a payload content, and a period of {_HEARTBEAT_LEAST} seconds or more."
        raise _invalid("heartbeat", rule, "channel.extension")
    return Subscription(
        id=resource.get("id", ""),
        status=resource["status"],
        type=resource_type,
        topic=topic,
        topical=resource["criteria"] in TOPICS,
        criteria=criteria,
        endpoint=channel["endpoint"],
        payload=payload,
        content=content,
        headers=tuple(headers_of(channel.get("header", ()))),
        end=datetime.fromisoformat(resource["end"]) if "end" in resource else None,
        seconds=min(seconds, _SECONDS_MOST) if seconds else None,
        heartbeat=heartbeat,
        most=min(_whole(channel, terms.MAX_COUNT) or 1, _EVENTS_MOST),
    )


def headers_of(lines: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Names and values of `channel.header`. Raises `SubscriptionInvalid` for what is no header, or is ours to set."""
    for number, line in enumerate(lines):
        found = _HEADER.fullmatch(line)
        if found is None or number >= _HEADERS_MOST:
            rule = f"A header is `Name: value` in ASCII, and there are at most {_HEADERS_MOST}."
            raise _invalid("header-form", rule, f"channel.header[{number}]")
        if found[1].lower() in _OURS:
            raise _invalid("header-reserved", f"{found[1]} is set by this server.", f"channel.header[{number}]")
        yield found[1], found[2].strip()


def _refuse_other_channels(channel: Mapping[str, Any]) -> None:
    if channel["type"] != "rest-hook":
        rule = f"The channel type {channel['type']} is not supported; rest-hook is."
        raise _invalid("channel-type", rule, "channel.type")
    if any(each.get("url") == terms.CHANNEL_TYPE for each in _extensions(channel, "_type")):
        raise _invalid("channel-type", "Further channel types are not supported; rest-hook is.", "channel.type")
    if "endpoint" not in channel:
        raise _invalid("endpoint-missing", "A rest-hook needs an endpoint.", "channel.endpoint")


def _asked(resource: Mapping[str, Any]) -> tuple[Topic, str, tuple[tuple[str, str], ...]]:
    """Topic, resource type and search criteria."""
    text: str = resource["criteria"]
    filters = [
        each.get("valueString", "")
        for each in _extensions(resource, "_criteria")
        if each.get("url") == terms.FILTER_CRITERIA
    ]
    topic = TOPICS.get(text)
    if topic is None:
        if filters:
            rule = f"Filter criteria narrow a topic; {text[:100]} is none of this server's topics."
            raise _invalid("topic-unknown", rule, "criteria")
        resource_type, criteria = _query(text, "criteria", needed="a search such as Observation?code=…, or a topic")
        return PLAIN, resource_type, criteria
    types, pairs = [topic.type] if topic.type else [], list[tuple[str, str]]()
    for each in filters:
        resource_type, criteria = _query(each, "criteria.extension", needed="a search such as Observation?code=…")
        types.append(resource_type)
        pairs += criteria
    if len(set(types)) != 1:
        rule = "A topic is about one resource type; its filter criteria name it, all the same one."
        raise _invalid("topic-type", rule, "criteria.extension")
    if len(pairs) > _CRITERIA_MOST:
        raise _invalid("criteria-too-many", f"There are at most {_CRITERIA_MOST} criteria.", "criteria.extension")
    assert types[0] is not None
    return topic, types[0], tuple(pairs)


def _query(text: str, place: str, *, needed: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    found = _QUERY.fullmatch(text)
    if found is None or found[1] not in resource_types():
        raise _invalid("criteria-unknown", f"Criteria are {needed}.", place)
    try:
        pairs = parse_qsl(found[2] or "", keep_blank_values=True, errors="strict", max_num_fields=_CRITERIA_MOST)
    except ValueError as error:
        rule = f"Criteria are name=value, at most {_CRITERIA_MOST} of them."
        raise _invalid("criteria-form", rule, place) from error
    for name, _ in pairs:
        base = name.split(":")[0]
        if base in _RESULT or base == "_has":
            raise _invalid("criteria-unsupported", f"{base} has no place in the criteria of a Subscription.", place)
    return found[1], tuple(pairs)


def _content(channel: Mapping[str, Any], *, topical: bool) -> tuple[Content | None, bool]:
    """Payload content, and whether anything is sent at all."""
    payload = channel.get("payload")
    if payload is not None and payload.split(";")[0].strip() not in (terms.MEDIA_TYPE, "application/json"):
        raise _invalid("payload-type", f"The payload is {terms.MEDIA_TYPE}, or there is none.", "channel.payload")
    asked = [
        each.get("valueCode") for each in _extensions(channel, "_payload") if each.get("url") == terms.PAYLOAD_CONTENT
    ]
    found = next((each for each in terms.CONTENTS if [each] == asked), None)
    if asked and found is None:
        rule = "The payload content is one of " + ", ".join(terms.CONTENTS) + "."
        raise _invalid("payload-content", rule, "channel.payload.extension")
    if topical and (found is None or payload is None):
        rule = "A Subscription to a topic says its payload type and its payload content."
        raise _invalid("payload-content", rule, "channel.payload")
    return found, payload is not None


def _whole(channel: Mapping[str, Any], url: str) -> int | None:
    for each in channel.get("extension", ()):
        if each.get("url") == url:
            number = each.get("valueUnsignedInt", each.get("valuePositiveInt"))
            if not isinstance(number, int) or number < 1:
                raise _invalid("extension-value", "The value is a whole number, 1 or more.", "channel.extension")
            return number
    return None


def _extensions(parent: Mapping[str, Any], name: str) -> Iterable[Mapping[str, Any]]:
    found: Iterable[Mapping[str, Any]] = parent.get(name, {}).get("extension", ())
    return found


def _invalid(code: str, message: str, place: str) -> SubscriptionInvalid:
    return SubscriptionInvalid(f"subscription-{code}", message, location=f"Subscription.{place}")
