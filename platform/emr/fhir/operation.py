"""What an operation says of itself: enough to route to it and to name it in the CapabilityStatement."""

from dataclasses import dataclass
from typing import Final, Literal

from emr.web.work import Endpoint

Level = Literal["system", "type", "instance", "version"]

EVERY_TYPE: Final[frozenset[str]] = frozenset({"*"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation (FHIR R4, operations.html).

    name: without the dollar. definition: canonical URL of its OperationDefinition. endpoint: finds `type`, `id` and
    `version` in `request.path_params`, as far as the level has them. types: those it stands at, below system level.
    methods: GET and POST, or POST alone for what changes something. whole_body: a POST's body has been read
    (`emr.web.body.body_of`); without it the endpoint reads the stream itself.
    """

    name: str
    definition: str
    endpoint: Endpoint
    levels: frozenset[Level]
    types: frozenset[str] = EVERY_TYPE
    methods: frozenset[str] = frozenset({"GET", "POST"})
    whole_body: bool = True

    def stands_at(self, level: Level, resource_type: str | None) -> bool:
        """Whether it can be called there."""
        return level in self.levels and (level == "system" or self.types is EVERY_TYPE or resource_type in self.types)
