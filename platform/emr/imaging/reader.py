"""Asks the process apart what the archive is to keep of a file."""

import json
from pathlib import Path
from typing import Final

from emr.imaging.apart import Apart, Broken, Late
from emr.imaging.errors import BrokenStructure, RenderingBusy
from emr.imaging.parsed import Arrival, parsed_from_json

SECONDS: Final = 120.0
"""The largest file is read to its end for its digest."""
WAITING: Final = 1_000


class Reader:
    """Owns one reading process; the first request starts it, `close` ends it. One file at a time."""

    def __init__(self) -> None:
        self._apart = Apart(seconds=SECONDS, waiting=WAITING)

    async def read(self, path: Path) -> Arrival:
        """Read a spooled file outside of any transaction. Raises the refusals of `parse`, RenderingBusy."""
        try:
            answer = await self._apart.ask({"path": str(path)})
        except Late as failure:
            raise RenderingBusy("reading-late", "the file took too long to read") from failure
        except Broken as failure:
            raise BrokenStructure("dicom-structure", "the header cannot be read") from failure
        return Arrival(path, parsed_from_json(json.loads(answer)))

    async def close(self) -> None:
        """End the reading process."""
        await self._apart.close()
