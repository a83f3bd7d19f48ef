"""Resources that go with the matches: what they refer to, and what refers to them (search.html#include)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from emr.access.permissions import sight
from emr.records.keys import path_key
from emr.records.search.question import Include
from emr.records.stored import Stored
from emr.work.unit import UnitOfWork

INCLUDED_MOST: Final = 1_000
"""Resources that a page carries beside its matches."""
ROUNDS_MOST: Final = 8
"""How often `:iterate` goes on from what it found."""

_FORWARD: Final = """
SELECT r.pk, r.type, r.id, r.version, r.updated, r.deleted, r.patients, r.body
  FROM (SELECT DISTINCT l.target, asked.type FROM links l
          JOIN unnest($2::bigint[], $3::text[]) AS asked (path, type) ON asked.path = l.path
         WHERE l.pk = ANY ($1) AND NOT l.target = ANY ($4)) AS found
  JOIN resources r ON r.pk = found.target AND (found.type = '' OR r.type = found.type)
 WHERE NOT r.deleted AND ($5::text[] IS NULL OR r.type = ANY ($5))
 ORDER BY r.type, r.id LIMIT $6
"""
_BACK: Final = """
SELECT r.pk, r.type, r.id, r.version, r.updated, r.deleted, r.patients, r.body
  FROM (SELECT DISTINCT l.pk FROM resources t
          JOIN unnest($2::bigint[], $3::text[]) AS asked (path, type) ON asked.type = '' OR asked.type = t.type
          JOIN links l ON l.path = asked.path AND l.target = t.pk
         WHERE t.pk = ANY ($1) AND NOT l.pk = ANY ($4) LIMIT $6) AS found
  JOIN resources r ON r.pk = found.pk
 WHERE NOT r.deleted AND ($5::text[] IS NULL OR r.type = ANY ($5))
 ORDER BY r.type, r.id
"""
"""What refers here by one include is of one type, so that the access filter takes all of it or nothing."""


@dataclass(slots=True)
class Included:
    """What was found, each once, and whether there was more than a page carries."""

    resources: list[Stored] = field(default_factory=list)
    cut: bool = False
    _here: set[int] = field(default_factory=set)

    def add(self, found: Sequence[Stored]) -> list[Stored]:
        """Those that are new."""
        new = [each for each in found if each.pk not in self._here]
        room = INCLUDED_MOST - len(self.resources)
        self.cut = self.cut or len(new) > room
        taken = new[:room]
        self._here.update(each.pk for each in taken)
        self.resources += taken
        return taken


async def included(work: UnitOfWork, includes: Sequence[Include], matches: Sequence[Stored]) -> Included:
    """Follow the includes of a page; those that iterate, also from what was found."""
    found = Included(_here={each.pk for each in matches})
    frontier = list(matches)
    for number in range(ROUNDS_MOST):
        asked = [each for each in includes if each.iterate or number == 0]
        if not asked or not frontier or found.cut:
            break
        new: list[Stored] = []
        for each in asked:
            new += found.add(await _follow(work, each, frontier, found))
        frontier = new
    else:
        found.cut = found.cut or bool(frontier)
    return found


async def _follow(work: UnitOfWork, include: Include, frontier: Sequence[Stored], found: Included) -> list[Stored]:
    begin = [each.pk for each in frontier if include.back or each.type == include.source]
    if not begin:
        return []
    pairs = [(path, kind) for path, kinds in include.paths for kind in (kinds or ("",))]
    rows = await work.db.fetch(
        _BACK if include.back else _FORWARD,
        begin,
        [path_key(work.tenant.index_key, path) for path, _ in pairs],
        [kind for _, kind in pairs],
        [each.pk for each in found.resources],
        sight(work.principal),
        INCLUDED_MOST + 1,
        name="included",
    )
    return [Stored.of(row["type"], row) for row in rows]
