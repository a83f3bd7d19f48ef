"""How far all hospitals of the city are on their way to going live."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from emr.db.connection import Connection
from emr.kernel.tenant import Tenant
from emr.tenancy.golive import Checklists, Item, Progress, progress_of, untouched


@dataclass(frozen=True, slots=True)
class OnItsWay:
    """One hospital: its state, how far its checklist is, and what is late, the longest first."""

    slug: str
    name: str
    state: str
    progress: Progress
    late: Sequence[Item]


async def overview(directory: Connection, tenants: Sequence[Tenant], today: date) -> list[OnItsWay]:
    """Every hospital with patients of its own: those that are overdue first, then those that are the least far."""
    touched, none = await Checklists(directory).of_each(), untouched()
    found = [_way(each, touched.get(each.id, none), today) for each in tenants if not each.sandbox]
    return sorted(found, key=lambda each: (-each.progress.overdue, each.progress.settled, each.slug))


def _way(tenant: Tenant, items: Sequence[Item], today: date) -> OnItsWay:
    late = sorted((item for item in items if item.overdue(today)), key=lambda item: item.due or today)
    return OnItsWay(tenant.slug, tenant.name, tenant.state, progress_of(items, today), late)
