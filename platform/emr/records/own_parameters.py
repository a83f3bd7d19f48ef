"""Search parameters of a hospital's own: which it has, and what changes when a SearchParameter is stored.

They stand in the hospital's table `indexing`, in the row `parameters`, under a mark that no other state has had. Every
statement that stores versions gives the mark back, so a process that knew others indexes what it stored again before it
commits. A search looks the row up only when R4's parameters alone do not say what it means.
"""

import json
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from threading import Lock
from typing import Any, Final

from emr.definitions.own import NONE, Own, compiled, faults
from emr.definitions.search import SearchParameter
from emr.kernel.errors import Issue, Unavailable
from emr.kernel.ids import uuid7
from emr.records.errors import ResourceInvalid
from emr.work.unit import UnitOfWork

Json = dict[str, Any]

TYPE: Final = "SearchParameter"
MOST: Final = 100
"""Of one hospital: each makes every write and every pass of its types dearer."""
MARK: Final = "SELECT state ->> 'mark' FROM indexing WHERE name = 'parameters'"
"""The end of a statement that stores versions."""

_READ: Final = """
SELECT state ->> 'mark' AS mark, CASE WHEN state ->> 'mark' IS DISTINCT FROM $1 THEN state::text END AS state
  FROM indexing WHERE name = 'parameters'
"""
_HOLD: Final = "INSERT INTO indexing (name, state) VALUES ('own-pass', '{}') ON CONFLICT (name) DO NOTHING"
_HELD: Final = "SELECT state::text FROM indexing WHERE name = 'own-pass' FOR UPDATE"
_STATE: Final = "SELECT state::text FROM indexing WHERE name = 'parameters'"
_KEEP: Final = """
INSERT INTO indexing (name, state) SELECT * FROM unnest($1::text[], $2::text[]::jsonb[])
ON CONFLICT (name) DO UPDATE SET state = excluded.state, updated = now()
"""
_KEPT_OF: Final = ("base", "code", "type", "expression", "target", "xpathUsage")
"""The elements that say what a parameter finds."""
_HOSPITALS_KEPT: Final = 300


class _Kept:
    """What was read last, by hospital."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Own] = OrderedDict()
        self._lock = Lock()

    def get(self, schema: str) -> Own:
        return self._known.get(schema, NONE)

    def put(self, schema: str, own: Own) -> None:
        with self._lock:
            self._known[schema] = own
            self._known.move_to_end(schema)
            while len(self._known) > _HOSPITALS_KEPT:
                self._known.popitem(last=False)


_KEPT: Final = _Kept()


def last_known(work: UnitOfWork) -> Own:
    """What this process has read last, which may be old: its mark says whether it is."""
    return _KEPT.get(work.tenant.tables)


async def own_of(work: UnitOfWork) -> Own:
    """What the hospital has at this moment, as this transaction sees it."""
    known = last_known(work)
    row = await work.db.fetchrow(_READ, known.mark, name="own-parameters")
    mark = row["mark"] if row is not None else None
    if mark == known.mark:
        return known
    own = _own(mark, json.loads(row["state"])) if row is not None and mark is not None else NONE
    _KEPT.put(work.tenant.tables, own)
    return own


async def demand_unchanged(work: UnitOfWork, own: Own) -> None:
    """Raise `Unavailable` when what a search was understood by is no longer so: writers may index otherwise by now."""
    if own.mark is not None and await work.db.fetchval(MARK, name="own-parameters-mark") != own.mark:
        raise Unavailable("index-changed", "The search parameters of this hospital changed meanwhile; search again.")


def refuse_unusable(resources: Sequence[tuple[str, Json]]) -> None:
    """Refuse active SearchParameters that cannot be indexed by; pairs of place and resource. Raises `ResourceInvalid`.

    What is not active is only kept.
    """
    issues: list[Issue] = []
    for place, resource in resources:
        for issue in unusable(resource):
            where = issue.location or TYPE
            issues.append(issue._replace(location=place + where.removeprefix(TYPE) if place else where))
    if issues:
        raise ResourceInvalid(issues)


def unusable(resource: Json) -> list[Issue]:
    """Why a resource cannot be stored as the search parameter that it wants to be."""
    active = resource["resourceType"] == TYPE and resource["status"] == "active"
    return faults(resource) if active else []


async def take_over(work: UnitOfWork, versions: Sequence[tuple[str, str, Json | None]]) -> None:
    """Put into force what stored SearchParameters say; triples of place, id and resource (None: deleted).

    Has to be in the transaction that stores them. From its commit on every write is indexed by them; searches are
    refused until a pass has indexed what was there before. Raises `ResourceInvalid` for what does not go together.
    """
    await work.db.execute(_HOLD, name="own-parameters-hold")
    started = await held_pass(work)
    text = await work.db.fetchval(_STATE, name="own-parameters")
    state = json.loads(text) if text else {}
    before: dict[str, Json] = state.get("own", {})
    after = dict(before)
    for _, key, resource in versions:
        after.pop(key, None)
        if resource is not None and resource["status"] == "active":
            after[key] = {name: resource[name] for name in _KEPT_OF if name in resource}
    if after == before:
        return
    _refuse_clashes(after, [(place, key) for place, key, _ in versions])
    changed = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    types = {base for key in changed for each in (before, after) for base in each.get(key, {}).get("base", ())}
    if "after" in started:
        types.update(started["types"])
    building = sorted({*state.get("building", ()), *changed}.intersection(after))
    begun = {"types": sorted(types), "after": 0, "resources": 0, "rows": {}, "behind": None}
    await keep(work, {"mark": uuid7(), "own": after, "building": building}, begun)


async def finish(work: UnitOfWork, reached: Json) -> None:
    """Every parameter can be searched by. The row of the pass is held; `reached`: what it says from now on."""
    state = json.loads(await work.db.fetchval(_STATE, name="own-parameters"))
    await keep(work, state | {"mark": uuid7(), "building": []}, reached)


async def keep(work: UnitOfWork, state: Json | None, reached: Json) -> None:
    """Write the rows: of the parameters, unless they stay as they are, and of the pass."""
    rows = ([] if state is None else [("parameters", state)]) + [("own-pass", reached)]
    names, texts = [name for name, _ in rows], [json.dumps(each) for _, each in rows]
    await work.db.execute(_KEEP, names, texts, name="own-parameters-keep")


async def held_pass(work: UnitOfWork) -> Json:
    """The state of the pass, held until the transaction ends; nobody changes parameters meanwhile."""
    text = await work.db.fetchval(_HELD, name="own-pass")
    state: Json = json.loads(text) if text else {}
    return state


def _refuse_clashes(after: dict[str, Json], stored: Sequence[tuple[str, str]]) -> None:
    names: dict[tuple[str, str], str] = {}
    for key, each in after.items():
        for base in each["base"]:
            other = names.setdefault((base, each["code"]), key)
            if other != key:
                place = next((where for where, changed in stored if changed in (key, other)), "")
                rule = f"{base} has a search parameter {each['code']} already, that of {TYPE}/{other}."
                raise ResourceInvalid([Issue("parameter-taken", rule, (place or TYPE) + ".code")])
    if len(after) > MOST:
        rule = f"A hospital has at most {MOST} search parameters of its own."
        raise ResourceInvalid([Issue("too-many-parameters", rule, (stored[-1][0] or TYPE) + ".status")])


def _own(mark: str, state: Json) -> Own:
    by_type: dict[str, dict[str, SearchParameter]] = {}
    building: set[tuple[str, str]] = set()
    for key, each in state["own"].items():
        for base, parameter in _compiled(json.dumps(each)).items():
            by_type.setdefault(base, {})[parameter.name] = parameter
            if key in state["building"]:
                building.add((base, parameter.name))
    return Own(mark, by_type, frozenset(building))


@lru_cache(maxsize=1_000)
def _compiled(text: str) -> dict[str, SearchParameter]:
    """When one of many changes, the others need not be read again."""
    return compiled(json.loads(text))
