"""The pages of bringing back: what would change, the order, its approval by a second person, and what came of it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final, cast
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from emr.identity.errors import RecentSignInNeeded
from emr.identity.principal import Principal
from emr.kernel.errors import Conflict, Invalid, Malformed, NotFound, Refusal
from emr.past.looking import past_of
from emr.past.orders import service
from emr.past.orders.service import Choice, Foreseen
from emr.past.pages import PAGES
from emr.past.words import said_of
from emr.records.comparing import Name
from emr.records.stored import is_id
from emr.tenancy.requests import Outcome
from emr.tenancy.requests import Request as Ordered
from emr.web.answers import identity_of, read_form, render, saved
from emr.web.forms import Form
from emr.web.i18n import mark
from emr.web.paths import today_of
from emr.web.things import THINGS
from emr.web.work import Visiting, refuse_closed
from emr.work.unit import UnitOfWork
from emr.work.visit import Visit

router = APIRouter(prefix="/h/{slug}/past", include_in_schema=False)

_MOST_ITEMS: Final = 50
_SAID: Final[Mapping[str, str]] = {
    "reason-length": mark("Ghi lý do bằng lời, từ 10 đến 500 ký tự"),
    "shown-is-old": mark("Hồ sơ vừa được thay đổi; hãy xem lại danh sách dưới đây rồi xác nhận lại"),
    "request-open": mark("Đã có một yêu cầu khôi phục đang chờ hoặc đang làm; hãy xem yêu cầu đó trước"),
    "request-decided": mark("Yêu cầu này đã được quyết định hoặc đã quá hạn"),
}
_FIELDS: Final = {"reason-length": "reason"}
FAILED: Final[Mapping[str, str]] = {
    "past-not-open": mark("Mốc thời gian đã đóng trước khi khôi phục. Hãy đề nghị mở lại."),
    "hospital-read-only": mark("Hồ sơ của bệnh viện đang ở chế độ chỉ đọc."),
    "second-declined": mark("Người thứ hai đã từ chối."),
    "second-withdrawn": mark("Người yêu cầu đã rút lại."),
    "second-lapsed": mark("Không có người thứ hai xác nhận trong 4 giờ."),
}
REFUSED: Final[Mapping[str, str]] = {
    "changed-since-shown": mark("đã được thay đổi sau khi bạn xem, nên giữ nguyên"),
    "reference-broken": mark("nhắc tới dữ liệu không còn nữa"),
}


@router.get("/{past}/return")
async def plan(request: Request, visit: Visiting, past: str) -> Response:
    """What would change, and the form that orders it; without a choice, the comparison to choose from."""
    async with visit.begin() as work:
        await past_of(work, past)
        choice = _asked(request)
    if choice is None:
        return RedirectResponse(f"{today_of(visit.tenant)}/past/{past}/changes", status_code=303)
    async with _both(visit, past) as (work, then):
        try:
            foreseen = await service.foresee(work, then, choice)
        except Conflict:
            foreseen = None
    return _plan(request, visit, (then, choice, foreseen), Form())


@router.post("/{past}/return")
async def order(request: Request, visit: Visiting, past: str) -> Response:
    """Order it."""
    form = await read_form(request, visit)
    foreseen: Foreseen | None = None
    async with visit.begin() as work:
        await past_of(work, past)
        choice = _choice(form.values.get("patient", ""), form.values.get("items", "").split(), form.values.get("all"))
    if form.values.get("sure") != "yes":
        form.refuse("sure", mark("Đánh dấu ô xác nhận trước khi thực hiện"))
    try:
        if form.ok:
            wish = choice, form.values.get("reason", ""), form.values.get("digest", "")
            async with _both(visit, past) as (work, then):
                key = await service.order(work, then, identity_of(request), wish)
            return saved(request, visit, f"/past/orders/{key}", "return-ordered")
    except (Conflict, Invalid) as refusal:
        _explain(form, refusal)
    async with _both(visit, past) as (work, then):
        foreseen = await service.foresee(work, then, choice)
    return _plan(request, visit, (then, choice, foreseen), form, status=422)


@router.get("/orders/{order}")
async def shown(request: Request, visit: Visiting, order: str) -> Response:
    """An order: what waits, what runs, what was done."""
    return await _shown(request, visit, order, Form())


@router.post("/orders/{order}/decision")
async def decision(request: Request, visit: Visiting, order: str) -> Response:
    """Approve or decline what somebody else ordered, withdraw one's own."""
    form = await read_form(request, visit)
    outcome = form.choice(
        "outcome", dict.fromkeys(("approved", "declined", "withdrawn")), required=_SAID["request-decided"]
    )
    if outcome == "approved" and form.values.get("sure") != "yes":
        form.refuse("sure", mark("Đánh dấu ô xác nhận trước khi thực hiện"))
    if form.ok:
        try:
            async with visit.begin() as work:
                await service.decide(work, identity_of(request), order, cast("Outcome", outcome))
            return saved(request, visit, f"/past/orders/{order}", "return-decided")
        except Conflict as refusal:
            _explain(form, refusal)
    return await _shown(request, visit, order, form, status=422)


@asynccontextmanager
async def _both(visit: Visit, past_id: str) -> AsyncIterator[tuple[UnitOfWork, UnitOfWork]]:
    """Work of today, and of the moment beside it. Raises `Forbidden`, `NotFound`."""
    async with visit.begin() as work:
        then = await past_of(work, past_id)
        refuse_closed(then, work.runtime)
        async with visit.beside(then) as past:
            yield work, past


def _plan(
    request: Request, visit: Visit, found: tuple[UnitOfWork, Choice, Foreseen | None], form: Form, *, status: int = 200
) -> Response:
    then, choice, foreseen = found
    past = then.tenant.past
    assert past is not None
    zone = ZoneInfo(visit.tenant.time_zone)
    said = {name: said_of(resource, zone) for name, resource in foreseen.resources.items()} if foreseen else {}
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return render(
        request, visit, "past/return.html", status=status, form=form, past=past, choice=choice, foreseen=foreseen,
        moment=past.moment.astimezone(zone), said=said, things=THINGS,
        items=" ".join(sorted("/".join(name) for name in choice.names)),
        fresh=_fresh(request, visit.principal), step=f"/auth/step-up?ask=again&to={quote(here, safe='/')}",
    )  # fmt: skip


async def _shown(request: Request, visit: Visit, key: str, form: Form, *, status: int = 200) -> Response:
    async with visit.begin() as work:
        ordered, resources = await service.show_order(work, key)
        now = work.clock()
    counts = await _counts_now(visit, ordered) if ordered.undecided(now) else ordered.detail["counts"]
    zone = ZoneInfo(visit.tenant.time_zone)
    said = {name: said_of(resource, zone) for name, resource in resources.items()}
    pages = {name: PAGES[name[0]].format(id=name[1]) for name in said if name[0] in PAGES}
    here = request.url.path.removesuffix("/decision")
    return render(
        request, visit, "past/order.html", status=status, form=form, order=ordered, said=said, pages=pages, now=now,
        counts=counts, things=THINGS, failed=FAILED, refused=REFUSED, zone=zone, moment=_moment(ordered, zone),
        own=ordered.asked_by == visit.principal.subject, fresh=_fresh(request, visit.principal),
        step=f"/auth/step-up?ask=again&to={quote(here, safe='/')}",
    )  # fmt: skip


async def _counts_now(visit: Visit, ordered: Ordered) -> Mapping[str, Mapping[str, int]]:
    """What approving it would write now; nothing where its past is closed, or nothing is left to be done."""
    try:
        async with _both(visit, str(ordered.detail["past"])) as (work, then):
            return (await service.foresee(work, then, Choice())).counts
    except (Conflict, NotFound):
        return {}


def _asked(request: Request) -> Choice | None:
    """What the address chooses; None where it chooses nothing. Raises `Malformed`."""
    given = request.query_params
    for name in given:
        if name not in ("patient", "item", "all"):
            raise Malformed(
                "parameter-refused", f"The parameter {name} is not one of patient, item, all.", location=name
            )
    if not given:
        return None
    return _choice(given.get("patient", ""), given.getlist("item"), given.get("all"))


def _choice(patient: str, items: list[str], everything: str | None) -> Choice:
    """Raises `Malformed` unless exactly one kind of thing is chosen, and well written."""
    names = frozenset(map(_name, items))
    if [bool(patient), bool(names), everything == "yes"].count(True) != 1 or (patient and not is_id(patient)):
        raise Malformed("parameter-refused", "Choose one patient, or up to 50 items, or everything.")
    if len(names) > _MOST_ITEMS:
        raise Malformed("parameter-refused", f"At most {_MOST_ITEMS} items are chosen at once.", location="item")
    return Choice(patient, names)


def _name(text: str) -> Name:
    resource_type, slash, resource_id = text.partition("/")
    if not (slash and resource_type.isascii() and resource_type.isalpha() and is_id(resource_id)):
        raise Malformed("parameter-refused", "An item is written as Patient/0199….", location="item")
    return resource_type, resource_id


def _explain(form: Form, refusal: Refusal) -> None:
    said = _SAID.get(refusal.code)
    if said is None:
        raise refusal
    form.refuse(_FIELDS.get(refusal.code, "sure"), said)


def _fresh(request: Request, principal: Principal) -> bool:
    """Whether the person has just shown who they are."""
    try:
        identity_of(request).demand_recent(principal)
    except RecentSignInNeeded:
        return False
    return True


def _moment(ordered: Ordered, zone: ZoneInfo) -> datetime:
    return datetime.fromisoformat(str(ordered.detail["moment"])).astimezone(zone)
