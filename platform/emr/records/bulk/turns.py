"""Batches of one import that are under way at the same time, and what they know of each other."""

import asyncio
from dataclasses import dataclass, field

from emr.kernel.errors import Conflict
from emr.records.bulk.brought import Name
from emr.records.bulk.names import Expected


@dataclass(slots=True)
class Turn:
    """Batches compute at the same time, lock in their order and commit in their order."""

    locked: asyncio.Event = field(default_factory=asyncio.Event)
    committed: asyncio.Event = field(default_factory=asyncio.Event)
    failed: bool = False

    def end(self, *, failed: bool) -> None:
        """Let the next batch go on, or stop it too."""
        self.failed = failed
        self.locked.set()
        self.committed.set()

    def demand(self) -> None:
        """Raise `Conflict` when the batch before has failed."""
        if self.failed:
            raise Conflict("batch-before", "The batch before was not stored.")


@dataclass(frozen=True, slots=True)
class Among:
    """What is known while a file is stored: names still to come, names that were refused, the turn before and own."""

    expected: Expected
    refused: set[Name]
    before: Turn | None
    own: Turn

    def pk(self, name: Name) -> int | None:
        """The pk that a name will have when its line comes."""
        return None if name in self.refused else self.expected.pk(name)
