"""The page that a director reads: is anybody able to look in from outside?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, cast
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request, Response

from emr.audit.signing import Signer
from emr.light.results import Result, Results, State, signer_of, state_of
from emr.web.answers import render
from emr.web.i18n import Said, mark
from emr.web.work import Work
from emr.work.runtime import Runtime
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

router = APIRouter(prefix="/h/{slug}", include_in_schema=False)

SHOWN: Final = 30
_OUTSIDERS: Final = {
    "nobody": mark("Người không đăng nhập"),
    "stranger": mark("Người có tài khoản nhưng không thuộc bệnh viện nào"),
    "department": mark("Người của Sở Y tế"),
    "neighbour-doctor": mark("Bác sĩ của bệnh viện khác"),
    "neighbour-admin": mark("Quản trị viên của bệnh viện khác"),
    "neighbour-his": mark("Phần mềm của bệnh viện khác"),
    "colleague": mark("Bác sĩ của chính bệnh viện, nhưng không điều trị người bệnh"),
    "own": mark("Đối chứng: người của chính bệnh viện vẫn mở được"),
}
_WHY: Final = {
    "canary-seen": mark("đã thấy dữ liệu của bệnh viện"),
    "not-shut": mark("cửa không đóng đúng cách"),
    "not-sent-away": mark("không bị yêu cầu đăng nhập"),
    "told-apart": mark("đoán được là có dữ liệu"),
    "failed": mark("hệ thống gặp lỗi khi bị thử"),
    "blind": mark("phép đối chứng không mở được, nên kết quả chưa chắc chắn"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of outsider: how often it tried, and how often a door was not shut."""

    who: str
    tries: int
    red: int


@dataclass(frozen=True, slots=True)
class Wrong:
    """A door that was not shut."""

    who: str
    why: str
    door: str


@dataclass(frozen=True, slots=True)
class LightView:
    """What the page shows. at: when it was last tried, in the hospital's time. proof: number, key and build."""

    state: State
    at: datetime | None
    tries: int
    rows: Sequence[Row]
    wrong: Sequence[Wrong]
    more_wrong: int
    proof: Mapping[str, str]
    past: Sequence[tuple[datetime, bool, int]]


def light_view(found: Sequence[Result], now: datetime, zone: ZoneInfo, key_id: str) -> LightView:
    """From results, newest first."""
    if not found:
        return LightView("never", None, 0, (), (), 0, {}, ())
    last = found[0]
    reds = {who: sum(each.outsider == who for each in last.red) for who in last.probes}
    shown = [who for who in _OUTSIDERS if who in last.probes]
    return LightView(
        state=state_of(last, now),
        at=last.ended_at.astimezone(zone),
        tries=sum(count for who, count in last.probes.items() if who != "own"),
        rows=[Row(_OUTSIDERS[who], last.probes[who], reds[who]) for who in shown],
        wrong=[Wrong(_OUTSIDERS[each.outsider], _WHY[each.why], each.door) for each in last.red[:20]],
        more_wrong=max(0, last.red_count - 20),
        proof={"number": str(last.number), "key": key_id, "build": last.build},
        past=[(each.ended_at.astimezone(zone), each.green, sum(each.probes.values())) for each in found],
    )


@use_case("border:read", "border.shown")
async def read_light(work: UnitOfWork, results: Results) -> Sequence[Result]:
    """The hospital's last results, newest first."""
    return await results.newest(work.tenant, SHOWN)


def _results(request: Request) -> tuple[Results, Signer]:
    parts = cast("Runtime", request.app.state.runtime)
    signer = signer_of(parts.signing_key)
    return Results(parts.databases.directory, signer), signer


@router.get("/border")
async def border(request: Request, work: Work, kept: Annotated[tuple[Results, Signer], Depends(_results)]) -> Response:
    """Green or red, when, and what was tried."""
    results, signer = kept
    found = await read_light(work, results)
    view = light_view(found, work.clock(), ZoneInfo(work.tenant.time_zone), signer.id)
    return render(request, work, "light/border.html", view=view, lead=LEAD[view.state])


LEAD: Final[dict[State, tuple[Said, Said]]] = {
    "green": (
        Said(mark("Không ai từ bên ngoài vào được.")),
        Said(
            mark("Mọi cánh cửa vào dữ liệu của bệnh viện đã được thử bằng tư cách người ngoài, và cửa nào cũng đóng.")
        ),
    ),
    "red": (
        Said(mark("Có cửa không đóng.")),
        Said(mark("Người trực của Sở Y tế đã được báo. Bệnh viện không cần làm gì; hãy giữ trang này để theo dõi.")),
    ),
    "old": (
        Said(mark("Lần thử gần nhất đã quá một ngày rưỡi.")),
        Said(mark("Lần đó mọi cửa đều đóng, nhưng đêm qua chưa được thử lại. Người trực của Sở Y tế đã được báo.")),
    ),
    "never": (
        Said(mark("Chưa được thử lần nào.")),
        Said(mark("Hệ thống sẽ tự thử trong đêm đầu tiên. Không cần làm gì.")),
    ),
    "false": (
        Said(mark("Kết quả không đáng tin.")),
        Said(mark("Chữ ký trên kết quả không đúng: nó có thể đã bị sửa. Hãy báo ngay cho Sở Y tế.")),
    ),
}
"""What the light says, and what follows from it."""
