"""Conditional verbs: who comes first wins, and nobody makes a second one (FHIR R4, http.html#ccreate, #cond-update).

Each takes advisory transaction locks on its criteria before it looks, so that writers who race for the same identifier
stand in line instead of failing.
"""

import re
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final
from urllib.parse import parse_qsl

from emr.access.permissions import demand_sight
from emr.kernel.errors import Conflict
from emr.records.errors import ManyMatches, SearchRefused
from emr.records.keys import held_text
from emr.records.search.find import matching
from emr.records.store import lock
from emr.records.stored import Stored
from emr.work.unit import UnitOfWork

_LOCK: Final = "SELECT pg_advisory_xact_lock(k) FROM unnest($1::bigint[]) AS k ORDER BY k"
_MATCH: Final = """
SELECT r.pk, r.id, r.version, r.updated, r.deleted, r.patients, r.body FROM resources r
 WHERE r.pk = ANY (ARRAY(
   SELECT i.pk FROM identifiers i WHERE i.type = $1 AND i.value = $3 AND ($2::text IS NULL OR i.system = $2)))
   AND NOT r.deleted
 ORDER BY r.pk LIMIT $4
"""
_NO_CRITERIA: Final = frozenset(
    {
        *("_count", "_sort", "_include", "_revinclude", "_summary", "_elements", "_total", "_totalMethod"),
        *("_contained", "_containedType", "_cursor", "_format", "_pretty", "_type"),
    }
)
"""Parameters that shape an answer and say nothing of what must fit."""
_TRIES: Final = 3
_TOKEN: Final = re.compile(r"(?:((?:[^\\,|]|\\.)*)\|)?((?:[^\\,|]|\\.)*)", re.DOTALL)
_COMMA: Final = re.compile(r"(?<!\\),")
_ESCAPED: Final = re.compile(r"\\([\\,|$])")


class Condition:
    """Search criteria that must fit at most one resource of a type."""

    def __init__(self, resource_type: str, text: str, location: str = "If-None-Exist") -> None:
        """`text` is a query, with or without its question mark. Raises `SearchRefused` when it is none."""
        try:
            text = text.removeprefix(f"{resource_type}?").removeprefix("?")
            pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict")
        except ValueError as error:
            raise SearchRefused("condition-form", "A condition is a query: name=value&name=value.", location) from error
        for name, value in pairs:
            if name in _NO_CRITERIA or not value or "\0" in name + value:
                raise SearchRefused("condition-unsupported", f"A condition cannot say {name[:64]} so.", location)
        self.type = resource_type
        self.text = text
        self.location = location
        self.pairs = tuple(sorted(pairs))
        self.identifier = _identifier(pairs)

    def lock_keys(self) -> Iterable[int]:
        """The advisory locks of these criteria: an identifier's value alone, where there is one, so that every form
        of it meets the same lock; else the sorted criteria.
        """
        values = [value for name, value in self.pairs if name == "identifier"]
        tokens = [_TOKEN.fullmatch(part) for value in values for part in _COMMA.split(value)]
        for text in [_plain(token[2]) for token in tokens if token] or [repr(self.pairs)]:
            digest = blake2b(f"{self.type}|{text}".encode(), digest_size=8).digest()
            yield int.from_bytes(digest, "big", signed=True)

    def same(self, other: "Condition") -> bool:
        """Whether both ask for the same thing, as far as their words tell."""
        if self.type != other.type:
            return False
        if self.identifier is None or other.identifier is None:
            return self.pairs == other.pairs
        (system, value), (others_system, others_value) = self.identifier, other.identifier
        return value == others_value and (None in (system, others_system) or system == others_system)


def _identifier(pairs: list[tuple[str, str]]) -> tuple[str | None, str] | None:
    """System (None: any) and value, when that is all that is asked."""
    if len(pairs) != 1 or pairs[0][0] != "identifier":
        return None
    token = _TOKEN.fullmatch(pairs[0][1])
    if token is None or not token[2]:
        return None
    return (_plain(token[1]) if token[1] is not None else None, _plain(token[2]))


def _plain(text: str) -> str:
    """A part of a search value without its escapes (search.html#escaping), as it stands in the index."""
    return held_text(_ESCAPED.sub(r"\1", text))


async def hold(work: UnitOfWork, conditions: Iterable[Condition]) -> None:
    """Take the locks of all conditions, in one order for everybody. Hospitals do not meet: the name is part of it."""
    salt = int.from_bytes(blake2b(work.tenant.schema.encode(), digest_size=8).digest(), "big", signed=True)
    keys = {key ^ salt for condition in conditions for key in condition.lock_keys()}
    if keys:
        await work.db.execute(_LOCK, sorted(keys), name="hold")


async def matches(work: UnitOfWork, condition: Condition, most: int) -> list[Stored]:
    """The resources that fit, at most so many. Call `hold` first. Raises `SearchRefused`, `Forbidden`."""
    demand_sight(work.principal, condition.type, "s")
    if condition.identifier is not None:
        rows = await work.db.fetch(_MATCH, condition.type, *condition.identifier, most, name="match")
        return [Stored.of(condition.type, row) for row in rows]
    return await matching(work, condition.type, condition.text, most=most, location=condition.location)


async def match(work: UnitOfWork, condition: Condition) -> Stored | None:
    """The one resource that fits, or None; `ManyMatches` when several do. Call `hold` first."""
    found = await matches(work, condition, 2)
    if len(found) > 1:
        raise ManyMatches(condition.location)
    return found[0] if found else None


async def claim(work: UnitOfWork, condition: Condition, *, to_delete: bool = False) -> Stored | None:
    """The one resource that fits, held until the transaction ends; None when nothing does.

    Others who write it without a condition may change it between the look and the hold; then it is looked for again.
    Raises `ManyMatches`, and `Conflict` when it does not come to rest.
    """
    await hold(work, [condition])
    for _ in range(_TRIES):
        found = await match(work, condition)
        if found is None:
            return None
        held = await lock(work, found.type, found.id, to_delete=to_delete)
        if held is not None and held.version == found.version:
            return held
    raise Conflict("lock-lost", "What the condition fits was being changed; try again.", location=condition.location)
