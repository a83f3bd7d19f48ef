"""Names that the Subscriptions R5 Backport guide (STU 1.1) gives to what is said about a Subscription."""

from typing import Final, Literal

_GUIDE: Final = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"

PAYLOAD_CONTENT: Final = _GUIDE + "backport-payload-content"
FILTER_CRITERIA: Final = _GUIDE + "backport-filter-criteria"
HEARTBEAT_PERIOD: Final = _GUIDE + "backport-heartbeat-period"
TIMEOUT: Final = _GUIDE + "backport-timeout"
MAX_COUNT: Final = _GUIDE + "backport-max-count"
CHANNEL_TYPE: Final = _GUIDE + "backport-channel-type"
SUBSCRIPTION: Final = _GUIDE + "backport-subscription"
NOTIFICATION: Final = _GUIDE + "backport-subscription-notification-r4"
STATUS: Final = _GUIDE + "backport-subscription-status-r4"
TOPIC_CANONICAL: Final = _GUIDE + "capabilitystatement-subscriptiontopic-canonical"

MEDIA_TYPE: Final = "application/fhir+json"

Content = Literal["empty", "id-only", "full-resource"]
CONTENTS: Final[tuple[Content, ...]] = ("empty", "id-only", "full-resource")

Kind = Literal["handshake", "heartbeat", "event-notification", "query-status", "query-event"]
Verb = Literal["create", "update", "delete"]

WORKER: Final = "subscriptions"
"""The name under which the platform itself changes the status of a Subscription."""
