"""Profiles, tags and security labels: of one version, of all that is here, added and taken away.

Source: https://hl7.org/fhir/R4/resource-operation-meta.html and its two neighbours.
"""

from collections.abc import Callable
from json import JSONDecoder
from typing import Any, Final

from emr.access.permissions import demand_change, demand_sight, sight
from emr.definitions.search import number_of
from emr.kernel import json
from emr.records.codec import unpack
from emr.records.current import refuse_deleted
from emr.records.draft import checked, checked_id, draft_after
from emr.records.errors import ResourceNotFound
from emr.records.read import read, vread
from emr.records.references import local_references, refuse_missing
from emr.records.store import lock, prepare, store
from emr.records.stored import Stored
from emr.records.update import refuse_moved
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

Meta = dict[str, Any]
Labels = dict[str, dict[tuple[str, str], Any]]
"""`profile`, `security` and `tag`, each by what makes one of them the same as another: system and code, or the URL."""

_LISTS: Final = ("profile", "security", "tag")
_MARKED: Final = [number_of(f"_{name}") for name in _LISTS]
_BATCH: Final = 500
_SCAN: Final = """
SELECT pk, body FROM resources
 WHERE pk > $1 AND NOT deleted AND present && $2::int[] AND ($3::text IS NULL OR type = $3)
   AND ($4::text[] IS NULL OR type = ANY ($4))
 ORDER BY pk LIMIT $5
"""
_META: Final = '"meta":'
_DECODER: Final = JSONDecoder()


@use_case("record:read", "record.labels-read")
async def meta_of(work: UnitOfWork, resource_type: str, resource_id: str, version: str | None = None) -> Meta:
    """The meta of the current or of a named version. Raises what a read raises."""
    if version is None:
        return _meta(await read(work, resource_type, resource_id))
    return _meta(await vread(work, resource_type, resource_id, version))


@use_case("record:search", "record.labels-listed")
async def labels_in_use(work: UnitOfWork, resource_type: str | None) -> Meta:
    """Every profile, label and tag of a current resource of one type, or of all types that the caller may see.

    The index holds them as hashes; hence the resources that have any are read, a few hundred at a time. Raises
    `Forbidden`.
    """
    if resource_type is not None:
        demand_sight(work.principal, resource_type, "s")
    found: Labels = {name: {} for name in _LISTS}
    after, looked, more = 0, 0, True
    while more:
        rows = await work.db.fetch(
            _SCAN, after, _MARKED, resource_type, sight(work.principal, "s"), _BATCH, name="labels"
        )
        for row in rows:
            for name, known in labels(_head(unpack(row["body"]))).items():
                found[name] = known | found[name]
        looked += len(rows)
        more = len(rows) == _BATCH
        after = rows[-1]["pk"] if more else after
    work.trail.note(type=resource_type, looked=looked)
    return {name: [known[key] for key in sorted(known)] for name, known in found.items() if known}


@use_case("record:update", "record.labels-added")
async def add_labels(
    work: UnitOfWork, resource_type: str, resource_id: str, meta: Meta, *, if_match: int | None = None
) -> Stored:
    """The version whose meta has these profiles, labels and tags too; the current one when it has them all already.

    Raises `ResourceNotFound`, `ResourceGone`, `VersionMoved`, `Forbidden`, `Invalid`.
    """
    more = labels(meta)
    return await _change(work, (resource_type, resource_id), if_match, lambda known, name: more[name] | known)


@use_case("record:update", "record.labels-removed")
async def remove_labels(
    work: UnitOfWork, resource_type: str, resource_id: str, meta: Meta, *, if_match: int | None = None
) -> Stored:
    """The version whose meta has them no more; the current one when it has none of them. Raises the same."""
    less = labels(meta)

    def without(known: dict[tuple[str, str], Any], name: str) -> dict[tuple[str, str], Any]:
        return {key: value for key, value in known.items() if key not in less[name]}

    return await _change(work, (resource_type, resource_id), if_match, without)


def labels(meta: Meta) -> Labels:
    """What is in a meta, each once: version and display of a tag or label do not make it another one."""
    profiles = {(text, ""): text for text in reversed(meta.get("profile", ())) if type(text) is str}
    found: Labels = {"profile": dict(reversed(profiles.items()))}
    for name in ("security", "tag"):
        every: dict[tuple[str, str], Any] = {}
        for coding in meta.get(name, ()):
            every.setdefault((coding.get("system", ""), coding.get("code", "")), coding)
        found[name] = every
    return found


async def _change(
    work: UnitOfWork,
    name: tuple[str, str],
    if_match: int | None,
    changed: Callable[[dict[tuple[str, str], Any], str], dict[tuple[str, str], Any]],
) -> Stored:
    """A new version: versions are never changed, and caches, history and the city's copy go by their numbers."""
    demand_sight(work.principal, name[0], "r")
    demand_change(work.principal, name[0], "u")
    before = await lock(work, name[0], checked_id(name[1]))
    if before is None:
        raise ResourceNotFound(*name)
    refuse_deleted(before)
    refuse_moved(before, if_match)
    document = json.parse(before.body)
    own = labels(document.value["meta"])
    after = {each: changed(own[each], each) for each in _LISTS}
    if all(after[each].keys() == own[each].keys() for each in _LISTS):
        work.trail.read(before.type, before.id, before.version)
        work.trail.concerns(*before.patients)
        return before
    document.value["meta"] = _with(document.value["meta"], after)
    targets = local_references(work.request.base_url, checked(document, before.type))
    targets.pop(name, None)
    known = await prepare(work, new=0, references=targets)
    refuse_missing(targets, known)
    draft = draft_after(work.clock(), document, before)
    await store(work, [draft], known.found, last=True)
    return draft.stored()


def _with(meta: Meta, after: Labels) -> Meta:
    rest = {name: value for name, value in meta.items() if name not in _LISTS}
    return rest | {name: list(known.values()) for name, known in after.items() if known}


def _meta(stored: Stored) -> Meta:
    return _head(stored.body)


def _head(body: bytes) -> Meta:
    """The meta of a stored body, which stands behind type and id: neither can hold its name."""
    text = body.decode()
    meta: Meta = _DECODER.raw_decode(text, text.index(_META) + len(_META))[0]
    return meta
