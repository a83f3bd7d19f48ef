"""The list of a hospital's opened pasts at `/h/{slug}/past`, and inside of one what is not as it was."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response

from emr.kernel.errors import NotFound
from emr.records.comparing import Comparison, Difference, Wanted, compare
from emr.tenancy.pasts import OpenPast, open_pasts
from emr.web.answers import render
from emr.web.i18n import mark
from emr.web.sign_in import runtime_of
from emr.web.work import Visiting, Work
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

router = APIRouter(prefix="/h/{slug}", include_in_schema=False)

SHOWN: Final = 200
KINDS: Final = {
    "new": mark("mới có sau lúc đó"),
    "changed": mark("đã đổi từ lúc đó"),
    "gone": mark("nay không còn"),
}
_PAGES: Final = {"Patient": "/patients/{id}", "DocumentReference": "/documents/{id}"}
"""Types that have a page of their own, and its address."""


@dataclass(frozen=True, slots=True)
class Line:
    """An open past as the list shows it, in the hospital's time."""

    id: str
    moment: datetime
    closes: datetime
    reason: str
    opened_by: str


@dataclass(frozen=True, slots=True)
class Seen:
    """A difference as the page shows it: pages of it then and now, "" where there is none."""

    kind: str
    name: str
    then: str
    now: str


@use_case("past:read", "past.listed")
async def list_pasts(work: UnitOfWork) -> Sequence[Line]:
    """The hospital's open pasts, the latest moment first."""
    zone = ZoneInfo(work.tenant.time_zone)
    found = await open_pasts(work.runtime.databases.directory, work.tenant, work.clock())
    return [_line(each, zone) for each in found]


@router.get("/past")
async def pasts(request: Request, work: Work) -> Response:
    """Which pasts can be looked into."""
    return render(request, work, "past/pasts.html", lines=await list_pasts(work))


@router.get("/changes")
async def changes(request: Request, visit: Visiting) -> Response:
    """Inside of a past: what of the record is not as it was. Elsewhere there is nothing at this address."""
    today = runtime_of(request).registry.by_slug(visit.tenant.slug)
    async with visit.begin() as past:
        if visit.tenant.past is None:
            raise NotFound("no-such-route", "There is nothing at this address.")
        async with visit.beside(today) as work:
            found = await compare(work, past, Wanted(), SHOWN)
    seen = [_seen(each) for each in found.shown]
    return render(request, visit, "past/changes.html", counts=_counts(found), seen=seen, more=found.total - len(seen))


def _line(each: OpenPast, zone: ZoneInfo) -> Line:
    past = each.past
    return Line(past.id, past.moment.astimezone(zone), past.closes_at.astimezone(zone), each.reason, each.opened_by)


def _counts(found: Comparison) -> Mapping[str, Sequence[int]]:
    """By type: new, changed, gone."""
    return {name: [kinds.get(kind, 0) for kind in ("new", "changed", "gone")] for name, kinds in found.counts.items()}


def _seen(each: Difference) -> Seen:
    page = _PAGES.get(each.type, "").format(id=each.id)
    return Seen(
        kind=KINDS[each.kind],
        name=f"{each.type}/{each.id}",
        then=page if each.kind != "new" else "",
        now=page if each.kind != "gone" else "",
    )
