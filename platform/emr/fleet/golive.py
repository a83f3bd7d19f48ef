"""How far all hospitals of the city are on their way to going live."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from emr.db.pools import RolePool
from emr.kernel.tenant import Tenant
from emr.tenancy.golive import Checklists, Item, Progress, progress_of, template


@dataclass(frozen=True, slots=True)
class OnItsWay:
    """One hospital: its state and how far its checklist is."""

    slug: str
    name: str
    state: str
    progress: Progress


async def overview(directory: RolePool, tenants: Sequence[Tenant], today: date) -> list[OnItsWay]:
    """Every hospital with patients of its own: those that are overdue first, then those that are the least far."""
    touched = await Checklists(directory).progress(today)
    untouched = progress_of([Item(point) for group in template() for point in group.points], today)
    found = [
        OnItsWay(each.slug, each.name, each.state, touched.get(each.id, untouched))
        for each in tenants
        if not each.sandbox
    ]
    return sorted(found, key=lambda each: (-each.progress.overdue, each.progress.settled, each.slug))
