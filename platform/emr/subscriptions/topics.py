"""The topics that a Subscription may name: what happened, and of which types.

A topic's canonical address is `urn:emr:topic:<name>`. The resource type and everything else that narrows it down come
from filter criteria (`Observation?code=…`), of which a topic about any type needs one.
"""

from dataclasses import dataclass
from typing import Final

from emr.subscriptions.terms import Verb

_PREFIX: Final = "urn:emr:topic:"


@dataclass(frozen=True, slots=True)
class Topic:
    """One kind of event.

    type: the only resource type, or None for any. verbs: what must have been done. becomes: criteria that must hold
    now and did not before, or None.
    """

    name: str
    title: str
    verbs: frozenset[Verb]
    type: str | None = None
    becomes: str | None = None

    @property
    def url(self) -> str:
        """The canonical address."""
        return _PREFIX + self.name


_WRITTEN: Final[frozenset[Verb]] = frozenset({"create", "update"})

PLAIN: Final = Topic("resource-changed", "A resource was created or updated", _WRITTEN)
"""What a Subscription with plain R4 criteria is about (subscription.html: "created or updated")."""

TOPICS: Final[dict[str, Topic]] = {
    topic.url: topic
    for topic in (
        PLAIN,
        Topic("resource-created", "A resource was created", frozenset({"create"})),
        Topic("resource-updated", "A resource was updated", frozenset({"update"})),
        Topic("resource-deleted", "A resource was deleted", frozenset({"delete"})),
        Topic("encounter-start", "An encounter began", _WRITTEN, "Encounter", "status=in-progress"),
        Topic("encounter-end", "An encounter ended", _WRITTEN, "Encounter", "status=finished"),
        Topic("report-final", "A report became final", _WRITTEN, "DiagnosticReport", "status=final,amended,corrected"),
    )
}
"""Canonical address to topic."""
