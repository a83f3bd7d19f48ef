"""Documents and images as files: each is unsealed, compared with its digest, and given its name when it is whole."""

import asyncio
import json
import os
from contextlib import aclosing
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from emr.fleet.leaving.layout import CONTENTS
from emr.fleet.leaving.progress import Progress
from emr.fleet.leaving.record import Opened, Watch
from emr.kernel.errors import Conflict
from emr.storage.blobs import Blob, BlobStore

PHASE: Final = "contents"


async def write_contents(opened: Opened, progress: Progress, watch: Watch) -> None:
    """The phase. A file that stands was whole when it got its name, and is not fetched again.

    Raises `Conflict` when an object is not what its row says, `ObjectMissing`, `SealBroken`, `StoreUnavailable`.
    """
    with (progress.root / CONTENTS).open("rb") as index:
        for line in index:
            row = json.loads(line)
            place = progress.root / row["path"]
            if not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                async with opened() as work:
                    blobs = work.blobs
                await _fetch(blobs, row, place)
            watch(PHASE, 1)
    progress.over(PHASE, [])


async def _fetch(blobs: BlobStore, row: dict[str, Any], place: Path) -> None:
    key = row["key"]
    blob = Blob(key, row["sha256"], row["size"], row["media_type"], "")
    part, digest = place.with_name(f".{place.name}.part"), sha256()
    with part.open("wb") as file:
        async with aclosing(blobs.open(blob)) as chunks:
            async for chunk in chunks:
                digest.update(chunk)
                await asyncio.to_thread(file.write, chunk)
        file.flush()
        await asyncio.to_thread(os.fsync, file.fileno())
    if digest.hexdigest() != row["sha256"]:
        part.unlink()
        raise Conflict("content-differs", "An object does not have the digest that its row says.", location=key)
    part.rename(place)
