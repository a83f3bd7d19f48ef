"""Every version of the record that the moment shows, and beside them the newest of each resource.

In the order of the resources' short names (`pk`), so that whoever loads the files in their order and writes them again
gets the same files. Each step is a short transaction; how far it came is kept every few seconds.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol

from emr.db.connection import Row
from emr.fleet.leaving.layout import CURRENT, HISTORY
from emr.fleet.leaving.progress import Progress
from emr.fleet.leaving.shelf import Shelf
from emr.kernel import json
from emr.records.codec import unpack
from emr.work.unit import UnitOfWork

PHASE: Final = "record"
KEPT_EVERY: Final = 64 << 20
"""Bytes after which the place is kept, at the latest."""
RESOURCES: Final = 500
"""Resources of one step."""
_SECONDS: Final = 5.0
_PACKED: Final = 2 << 20
"""The most that the packed bodies of one exchange weigh; one body alone may weigh more."""

_STRETCH: Final = "SELECT max(pk) FROM (SELECT pk FROM resources WHERE pk > $1 ORDER BY pk LIMIT $2) AS next"
_VERSIONS: Final = """
SELECT v.pk, v.version, v.size, v.updated, v.deleted, r.type, r.id FROM (
  SELECT pk, version, octet_length(body) AS size, updated, deleted, xid FROM resources WHERE pk > $1 AND pk <= $2
  UNION ALL
  SELECT pk, version, octet_length(body), updated, deleted, xid FROM resource_versions WHERE pk > $1 AND pk <= $2) v
  JOIN resources r ON r.pk = v.pk
 WHERE pg_visible_in_snapshot(v.xid, $3::text::pg_snapshot) ORDER BY v.pk, v.version
"""
_BODIES: Final = """
SELECT p.place, v.body FROM unnest($1::bigint[], $2::int[]) WITH ORDINALITY AS p (pk, version, place)
  JOIN LATERAL (
    SELECT r.body FROM resources r WHERE r.pk = p.pk AND r.version = p.version
    UNION ALL
    SELECT o.body FROM resource_versions o WHERE o.pk = p.pk AND o.version = p.version
  ) v ON true ORDER BY p.place
"""


class Opened(Protocol):
    """Opens a short transaction of the hospital that only reads."""

    def __call__(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """Open one."""
        ...


class Watch(Protocol):
    """Hears how many lines or files more are done."""

    def __call__(self, phase: str, more: int, /) -> None:
        """Called after each step."""
        ...


async def write_record(opened: Opened, progress: Progress, watch: Watch) -> None:
    """The phase, from where it stands to its end."""
    place = progress.place
    counts = {name: Counter(place.get(name, {})) for name in ("resources", "versions", "deleted")}
    after, kept_at = place.get("after", 0), time.monotonic()
    with Shelf(progress.root, progress.shelf) as shelf:
        while True:
            async with opened() as work:
                last = await work.db.fetchval(_STRETCH, after, RESOURCES, name="leaving.stretch")
                if last is None:
                    break
                await _stretch(work, (after, last, progress.facts["snapshot"]), shelf, counts)
            watch(PHASE, last - after)
            after = last
            if shelf.written > KEPT_EVERY or time.monotonic() - kept_at > _SECONDS:
                progress.shelf = shelf.checkpoint()
                progress.place = {"after": after} | {name: dict(each) for name, each in counts.items()}
                progress.keep()
                kept_at = time.monotonic()
        progress.counts |= {name: dict(sorted(each.items())) for name, each in counts.items()}
        progress.over(PHASE, shelf.close())


async def _stretch(work: UnitOfWork, span: tuple[int, int, str], shelf: Shelf, counts: dict[str, Counter[str]]) -> None:
    versions = await work.db.fetch(_VERSIONS, *span, name="leaving.versions")
    newest = {row["pk"]: row["version"] for row in versions}
    for run in _affordable(versions):
        columns = [row["pk"] for row in run], [row["version"] for row in run]
        bodies = await work.db.fetch(_BODIES, *columns, name="leaving.bodies")
        for row, found in zip(run, bodies, strict=True):
            body = unpack(found["body"])
            shelf.add(f"{HISTORY}/{row['type']}", *entry(row, body))
            counts["versions"][row["type"]] += 1
            if newest[row["pk"]] == row["version"]:
                counts["deleted" if row["deleted"] else "resources"][row["type"]] += 1
                if not row["deleted"]:
                    shelf.add(f"{CURRENT}/{row['type']}", body)


def entry(row: Row | dict[str, Any], body: bytes) -> Iterator[bytes]:
    """A version as an entry of a history Bundle (http.html#history), its resource byte for byte as it is stored."""
    name, verb = f"{row['type']}/{row['id']}", "DELETE" if row["deleted"] else "PUT"
    status = "204" if row["deleted"] else "201" if row["version"] == 1 else "200"
    response = {"status": status, "etag": f'W/"{row["version"]}"', "lastModified": row["updated"].isoformat()}
    told = json.dumps({"request": {"method": verb, "url": name}, "response": response})
    yield told[:-1]
    if not row["deleted"]:
        yield b',"resource":'
        yield body
    yield b"}"


def _affordable(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    begin, weight = 0, 0
    for place, row in enumerate(rows):
        if weight + row["size"] > _PACKED and place > begin:
            yield rows[begin:place]
            begin, weight = place, 0
        weight += row["size"]
    if begin < len(rows):
        yield rows[begin:]
