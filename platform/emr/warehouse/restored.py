"""After a database was set back to an earlier time: what the table has already is not sent a second time.

The table then knows batches that the database does not. Pointers from before that time may have been delivered in the
time that was lost; and a version that was written again since may have the number of a lost one with other content.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from emr.telemetry.logs import get_logger
from emr.warehouse.bodies import Bodies
from emr.warehouse.outbox import Outbox, Pointer
from emr.warehouse.table import Key, Table
from emr.work.leases import Lease

_PIECE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Settlement:
    """Goes through everything that waits, once, before the first claim after a restore."""

    outbox: Outbox
    bodies: Bodies
    table: Table

    async def settle(self, lease: Lease, delivered: int) -> None:
        """Receipt what the table holds, set aside what it holds otherwise, leave the rest to be sent."""
        known: dict[str, dict[Key, datetime]] = {}
        waiting = await self.outbox.free()
        get_logger().warning("the table is ahead of the database", batch=delivered, rows=len(waiting))
        for start in range(0, len(waiting), _PIECE):
            there: list[Pointer] = []
            differs: list[tuple[Pointer, str]] = []
            for pointer, moment, tenant_id in await self.bodies.moments(waiting[start : start + _PIECE]):
                if tenant_id not in known:
                    known[tenant_id] = await asyncio.to_thread(self.table.moments, tenant_id)
                held = known[tenant_id].get((pointer.type, pointer.id, pointer.version))
                if held == moment:
                    there.append(pointer)
                elif held is not None:
                    differs.append((pointer, "version-differs"))
            await self.outbox.settled(lease, delivered, there, differs)
