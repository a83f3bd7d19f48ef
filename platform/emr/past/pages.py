"""The list of a hospital's opened pasts at `/h/{slug}/past`, and inside of one what is not as it was."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response

from emr.access.permissions import may
from emr.kernel.errors import NotFound
from emr.past.looking import PERMISSION, seen
from emr.past.orders.service import list_orders
from emr.past.words import said_of
from emr.records.comparing import Comparison, Difference, Name, Wanted, compare
from emr.tenancy.pasts import OpenPast, open_pasts
from emr.web.answers import render
from emr.web.i18n import mark
from emr.web.sign_in import runtime_of
from emr.web.things import THINGS
from emr.web.work import Visiting, Work
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

router = APIRouter(prefix="/h/{slug}", include_in_schema=False)

SHOWN: Final = 200
PAGES: Final = {"Patient": "/patients/{id}", "DocumentReference": "/documents/{id}"}
"""Types that have a page of their own, and its address."""
KINDS: Final = {
    "new": mark("mới có sau lúc đó"),
    "changed": mark("đã đổi từ lúc đó"),
    "gone": mark("nay không còn"),
}


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
    """A difference as the page shows it: what it is, in words; pages of it then and now, "" where there is none; and
    the name by which it may be brought back, "" for what is new.
    """

    kind: str
    thing: str
    said: str
    then: str
    now: str
    item: str


@dataclass(frozen=True, slots=True)
class Shown:
    """What a comparison shows: of the resources, and of the patients with how many of these resources are theirs."""

    lines: Sequence[Seen]
    patients: Sequence[tuple[str, str, int]]


@use_case("past:read", "past.listed")
async def list_pasts(work: UnitOfWork) -> Sequence[Line]:
    """The hospital's open pasts, the latest moment first."""
    zone = ZoneInfo(work.tenant.time_zone)
    found = await open_pasts(work.runtime.databases.directory, work.tenant, work.clock())
    return [_line(each, zone) for each in found]


@use_case("past:read", "past.compared")
async def compare_shown(work: UnitOfWork, past: UnitOfWork) -> tuple[Comparison, Shown]:
    """What is not as it was, the first of it in words."""
    found = await compare(work, past, Wanted(), SHOWN)
    zone = ZoneInfo(work.tenant.time_zone)
    persons = list(dict.fromkeys(patient for each in found.shown for patient in each.patients))
    then = [(each.type, each.id) for each in found.shown if each.kind != "new"]
    new = [(each.type, each.id) for each in found.shown if each.kind == "new"]
    names = [("Patient", person) for person in persons]
    known = {**await seen(work, [*new, *names]), **await seen(past, [*then, *names])}
    said = {name: said_of(resource, zone) for name, resource in known.items()}
    theirs = [each for each in found.shown if each.kind != "new"]
    patients = [
        (person, said["Patient", person], sum(person in each.patients for each in theirs))
        for person in persons
        if ("Patient", person) in said
    ]
    return found, Shown([_seen(each, said) for each in found.shown], [each for each in patients if each[2]])


@router.get("/past")
async def pasts(request: Request, work: Work) -> Response:
    """Which pasts can be looked into, and what was ordered from some."""
    lines = await list_pasts(work)
    orders = await list_orders(work) if may(work.principal, PERMISSION) else []
    zone = ZoneInfo(work.tenant.time_zone)
    return render(request, work, "past/pasts.html", lines=lines, orders=orders, zone=zone, now=work.clock())


@router.get("/changes")
async def changes(request: Request, visit: Visiting) -> Response:
    """Inside of a past: what of the record is not as it was. Elsewhere there is nothing at this address."""
    today = runtime_of(request).registry.by_slug(visit.tenant.slug)
    async with visit.begin() as past:
        if visit.tenant.past is None:
            raise NotFound("no-such-route", "There is nothing at this address.")
        async with visit.beside(today) as work:
            found, shown = await compare_shown(work, past)
    back = sum(kinds.get("changed", 0) + kinds.get("gone", 0) for kinds in found.counts.values())
    return render(
        request, visit, "past/changes.html", counts=_counts(found), shown=shown, things=THINGS,
        more=found.total - len(shown.lines), back=back, may_order=may(visit.principal, PERMISSION) and today.writable,
    )  # fmt: skip


def _line(each: OpenPast, zone: ZoneInfo) -> Line:
    past = each.past
    return Line(past.id, past.moment.astimezone(zone), past.closes_at.astimezone(zone), each.reason, each.opened_by)


def _counts(found: Comparison) -> Mapping[str, Sequence[int]]:
    """By type: new, changed, gone."""
    return {name: [kinds.get(kind, 0) for kind in ("new", "changed", "gone")] for name, kinds in found.counts.items()}


def _seen(each: Difference, said: Mapping[Name, Any]) -> Seen:
    page = PAGES.get(each.type, "").format(id=each.id)
    return Seen(
        kind=KINDS[each.kind],
        thing=THINGS.get(each.type, each.type),
        said=said.get((each.type, each.id), ""),
        then=page if each.kind != "new" else "",
        now=page if each.kind != "gone" else "",
        item=f"{each.type}/{each.id}" if each.kind != "new" else "",
    )
