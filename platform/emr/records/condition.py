"""Conditional verbs by identifier: who comes first wins, and nobody makes a second one.

Each takes an advisory transaction lock on its criteria before it looks, so that writers who race for the same
identifier stand in line instead of failing.
"""

from hashlib import blake2b
from typing import Final
from urllib.parse import parse_qsl

from emr.records.errors import ManyMatches, SearchRefused
from emr.records.keys import held_text
from emr.records.stored import Stored
from emr.work.unit import UnitOfWork

_LOCK: Final = "SELECT pg_advisory_xact_lock(k) FROM unnest($1::bigint[]) AS k ORDER BY k"
_MATCH: Final = """
SELECT r.pk, r.id, r.version, r.updated, r.deleted, r.patients, r.body FROM resources r
 WHERE r.pk = ANY (ARRAY(
   SELECT i.pk FROM identifiers i WHERE i.type = $1 AND i.value = $3 AND ($2::text IS NULL OR i.system = $2)))
   AND NOT r.deleted
 ORDER BY r.pk LIMIT 2
"""


class Condition:
    """`identifier=system|value`, the one criterion by which a conditional verb may look."""

    def __init__(self, resource_type: str, text: str, location: str = "If-None-Exist") -> None:
        """Raises `SearchRefused` for anything but one identifier."""
        pairs = parse_qsl(text.removeprefix("?"), keep_blank_values=True)
        if len(pairs) != 1 or pairs[0][0] != "identifier" or not pairs[0][1]:
            raise SearchRefused("condition-unsupported", "A condition is identifier=system|value.", location)
        system, bar, value = pairs[0][1].rpartition("|")
        if not value or "\0" in system + value:
            raise SearchRefused("condition-unsupported", "A condition names the identifier's value.", location)
        self.type = resource_type
        self.text = text
        self.value = held_text(value)
        self.system = held_text(system) if bar else None

    @property
    def lock_key(self) -> int:
        """The advisory lock of this identifier: the value alone, so that every form of it meets the same lock."""
        digest = blake2b(f"{self.type}|{self.value}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big", signed=True)


async def hold(work: UnitOfWork, conditions: list[Condition]) -> None:
    """Take the locks of all conditions, in one order for everybody. Hospitals do not meet: the name is part of it."""
    salt = int.from_bytes(blake2b(work.tenant.schema.encode(), digest_size=8).digest(), "big", signed=True)
    await work.db.execute(_LOCK, sorted({condition.lock_key ^ salt for condition in conditions}), name="hold")


async def match(work: UnitOfWork, condition: Condition) -> Stored | None:
    """The one resource that fits, or None; `ManyMatches` when several do. Call `hold` first."""
    rows = await work.db.fetch(_MATCH, condition.type, condition.system, condition.value, name="match")
    if len(rows) > 1:
        raise ManyMatches(condition.text)
    return Stored.of(condition.type, rows[0]) if rows else None
