"""The hospital's audit trail up to the last seal of the moment: rows, seals, and what the anchors outside say of it.

A line of `audit/rows` is the text of a row, byte for byte as it was sealed; the first line of the first file is row 1
and no number is left out, so that whoever has the files can compute every seal again. Anchors name the streams of all
hospitals of a cell. Here stands what they say of this one, and the digest of each anchor, so that it can be compared
with the object that nobody can change.
"""

import time
from hashlib import sha256
from typing import Any, Final

from emr.audit.anchoring import thinned
from emr.audit.anchors import AnchorRefused, moment_of, read_anchor, trusted_of
from emr.audit.archives import following
from emr.db.cells import login_urls
from emr.fleet.leaving.layout import ANCHORS, ROWS, SEALS, FileFact
from emr.fleet.leaving.progress import Progress
from emr.fleet.leaving.record import KEPT_EVERY, Opened, Watch
from emr.fleet.leaving.shelf import Shelf, put_file
from emr.kernel import json
from emr.kernel.tenant import Tenant
from emr.settings import Settings
from emr.storage.locked import Locked, open_locked

PHASE: Final = "trail"
PHASE_ANCHORS: Final = "anchors"
_SECONDS: Final = 5.0
_SEALS_AFTER: Final = """
SELECT batch, first, last, encode(root, 'hex') AS root, encode(previous, 'hex') AS previous,
       encode(hash, 'hex') AS hash, sealed_at, format
  FROM audit_seals WHERE batch > $1 AND batch <= $2 ORDER BY batch LIMIT 2000
"""


async def write_trail(opened: Opened, progress: Progress, watch: Watch) -> None:
    """The phase, from where it stands to its end."""
    place, head = progress.place, progress.facts["audit"]
    row, batch, kept_at = place.get("row", 0), place.get("batch", 0), time.monotonic()
    with Shelf(progress.root, progress.shelf) as shelf:
        while row < head["last"] or batch < head["batch"]:
            async with opened() as work:
                rows = await following(work.db, work.blobs, work.tenant.schema, (row, head["last"]))
                seals = await work.db.fetch(_SEALS_AFTER, batch, head["batch"], name="leaving.seals")
            for _, text in rows:
                shelf.add(ROWS, text.encode())
            for each in seals:
                shelf.add(SEALS, json.dumps(dict(each) | {"sealed_at": each["sealed_at"].isoformat()}))
            row = rows[-1][0] if rows else head["last"]
            batch = seals[-1]["batch"] if seals else head["batch"]
            watch(PHASE, len(rows))
            if shelf.written > KEPT_EVERY or time.monotonic() - kept_at > _SECONDS:
                progress.shelf, progress.place = shelf.checkpoint(), {"row": row, "batch": batch}
                progress.keep()
                kept_at = time.monotonic()
        progress.counts["audit"] = {"rows": head["last"], "seals": head["batch"]}
        progress.over(PHASE, shelf.close())


async def write_anchors(settings: Settings, tenant: Tenant, progress: Progress) -> None:
    """What the anchors of all cells say of its stream, which may have moved: the first of each head that they name."""
    store, trusted = open_locked(settings), trusted_of(settings)
    lines: dict[tuple[int, str], bytes] = {}
    try:
        await store.open()
        names = [await store.find(f"{cell}/") for cell in login_urls(settings.database)]
        for found in sorted(
            (each for those in names for each in thinned(those)), key=lambda each: moment_of(each.name)
        ):
            line = _line(found, await store.get(found), trusted, tenant.schema)
            if line is not None and 0 < line["batch"] <= progress.facts["audit"]["batch"]:
                lines.setdefault((line["batch"], line["hash"]), json.dumps(line))
    finally:
        store.close()
    content = b"".join(line + b"\n" for line in lines.values())
    files: list[FileFact] = [put_file(progress.root, ANCHORS, content, len(lines))]
    progress.counts["audit"]["anchors"] = len(lines)
    progress.over(PHASE_ANCHORS, files)


def _line(found: Locked, body: bytes, trusted: Any, stream: str) -> dict[str, Any] | None:
    """None for an anchor that does not name the stream, or that nobody trusted has signed."""
    try:
        anchor = read_anchor(found.name, body, trusted)
    except AnchorRefused:
        return None
    head = anchor.heads.get(stream)
    if head is None:
        return None
    at = anchor.at.isoformat()
    seen = {"name": found.name, "at": at, "batch": head.batch, "last": head.last, "hash": head.hash.hex()}
    return seen | {"anchor_sha256": sha256(body).hexdigest()}
