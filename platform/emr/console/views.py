"""How the pages say figures: in the unit that helps, with the language's own signs. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode

from emr.console.asking import PAGE, Asked, Line
from emr.console.figures import GIB, Fleet, Requests
from emr.web.i18n import Said, mark

STATES: Final = {
    "trial": (mark("dùng thử"), "info"),
    "live": (mark("chính thức"), "good"),
    "read-only": (mark("chỉ đọc"), "warn"),
    "suspended": (mark("tạm ngừng"), "bad"),
    "leaving": (mark("đang rời"), "warn"),
}
"""What a state is called, and its tone."""
LIGHTS: Final = {
    "green": (mark("xanh"), "good", "✓"),
    "red": (mark("đỏ"), "bad", "✕"),
    "false": (mark("bị sửa"), "bad", "✕"),
    "old": (mark("quá hạn"), "warn", "!"),
    "never": (mark("chưa thử"), "warn", "!"),
}
TIERS: Final = {"shared": mark("dùng chung"), "dedicated": mark("dành riêng")}
NEEDS: Final = {"any": mark("cần chú ý"), "bad": mark("hỏng"), "none": mark("bình thường")}
COLUMNS: Final = (
    ("name", mark("Bệnh viện"), ""),
    ("state", mark("Trạng thái"), ""),
    ("version", mark("Phiên bản"), ""),
    ("p95", mark("p95"), "n"),
    ("errors", mark("Lỗi"), "n"),
    ("sync", mark("Trễ đồng bộ"), "n"),
    ("storage", mark("Dung lượng"), ""),
    ("users", mark("Người dùng"), "n"),
    ("seal", mark("Nhật ký"), ""),
    ("light", mark("Ranh giới"), ""),
)
"""Key to sort by, heading, class of the cells. Columns that nothing can be sorted by follow in the template."""
EVENTS: Final = {
    "hospital.created": mark("Mở bệnh viện"),
    "hospital.changed": mark("Đổi tệp khai báo"),
    "hospital.imported": mark("Nạp từ gói xuất"),
    "hospital.state-changed": mark("Đổi trạng thái"),
    "membership.granted": mark("Thêm hoặc đổi thành viên"),
    "membership.revoked": mark("Thôi thành viên"),
}


def lasting(seconds: float | None) -> Said:
    """How long, in the coarsest unit that still tells."""
    if seconds is None:
        return Said(mark("không rõ"))
    if seconds < 1:
        return Said("{n} ms", {"n": round(seconds * 1000)})
    if seconds < 90:
        return Said("{n} s", {"n": _short(seconds)})
    for size, text, most in (
        (60, mark("{n} phút"), 5400),
        (3600, mark("{n} giờ"), 172_800),
        (86_400, mark("{n} ngày"), float("inf")),
    ):
        if seconds < most:
            return Said(text, {"n": round(seconds / size)})
    raise AssertionError


def waiting(seconds: float | None) -> Said:
    """The same for what waits: nothing waits is `0 s`."""
    return Said("0 s") if seconds is not None and seconds < 0.05 else lasting(seconds)


def percent(share: float | None) -> Said:
    """Of all, with as many digits as it takes to tell it from nothing."""
    if share is None:
        return Said("–")
    value = Decimal(str(share * 100))
    places = Decimal("0.01") if 0 < value < 1 else Decimal("0.1")
    return Said("{n} %", {"n": _plain(value.quantize(places))})


def gib(size: float) -> Decimal:
    """Bytes as GiB: one digit below ten, none above."""
    value = Decimal(str(size / GIB))
    return _plain(value.quantize(Decimal("0.1") if value < 10 else Decimal(1)))


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure of all hospitals: what, how much, and what to know besides."""

    name: str
    value: Said
    beside: Said
    tone: str = ""


def tiles(fleet: Fleet, lines: Sequence[Line]) -> list[Tile]:
    """The first look."""
    bad = sum(any(sign.grade == "bad" for sign in line.signs) for line in lines)
    need = sum(bool(line.signs) for line in lines)
    states, every = Counter(each.tenant.state for each in fleet.hospitals), len(fleet.hospitals)
    shut = every - states["live"] - states["trial"]
    behind = sum(not each.served for each in fleet.hospitals)
    number = fleet.revision.removeprefix("tenant_").lstrip("0")
    return [
        Tile(mark("Cần chú ý"), _said(need), Said(mark("{n} hỏng"), {"n": bad}), "bad" if bad else ""),
        Tile(
            mark("Đang chính thức"),
            Said("{n} / {all}", {"n": states["live"], "all": every}),
            Said(mark("{n} dùng thử · {m} dừng hoặc chỉ đọc"), {"n": states["trial"], "m": shut}),
        ),
        *_of_requests(fleet),
        _of_sync(fleet),
        _of_lights(fleet),
        Tile(
            mark("Phiên bản"), _said(number), Said(mark("{n} bệnh viện chậm"), {"n": behind}), "bad" if behind else ""
        ),
    ]


def _of_requests(fleet: Fleet) -> list[Tile]:
    asked = sum((each.requests for each in fleet.hospitals), Requests())
    p95 = lasting(asked.p95) if asked.requests else Said("–")
    wrong = "bad" if (asked.error_share or 0) >= 0.01 else ""
    return [
        Tile(mark("p95, 15 phút qua"), p95, Said(mark("{n} lượt gọi"), {"n": asked.requests})),
        Tile(mark("Lỗi máy chủ"), percent(asked.error_share), Said(mark("{n} lượt"), {"n": asked.errors}), wrong),
    ]


def _of_sync(fleet: Fleet) -> Tile:
    lags = [each.lag for each in fleet.hospitals if each.lag]
    late = max((each.seconds for each in lags), default=0.0)
    broken = sum(each.broken for each in lags)
    beside = Said(mark("{n} bản ghi bị gác lại"), {"n": broken})
    return Tile(mark("Trễ đồng bộ"), waiting(late), beside, "bad" if late >= 3600 else "")


def _of_lights(fleet: Fleet) -> Tile:
    lights = Counter(each.light.state for each in fleet.hospitals)
    red, dark = lights["red"] + lights["false"], lights["old"] + lights["never"]
    tone = "bad" if red else "good" if lights["green"] == len(fleet.hospitals) else ""
    beside = Said(mark("{n} đỏ · {m} chưa thử hoặc quá hạn"), {"n": red, "m": dark})
    return Tile(mark("Đèn ranh giới"), Said(mark("{n} xanh"), {"n": lights["green"]}), beside, tone)


@dataclass(frozen=True, slots=True)
class Sheet:
    """One page of the list. earlier, later: addresses of its neighbours, "" for none."""

    lines: Sequence[Line]
    all: int
    first: int
    earlier: str
    later: str


def sheet(lines: Sequence[Line], asked: Asked, given: Mapping[str, str]) -> Sheet:
    """The page that was asked for; one past the end shows nothing."""
    begin = (asked.page - 1) * PAGE
    return Sheet(
        lines=lines[begin : begin + PAGE],
        all=len(lines),
        first=begin + 1,
        earlier=link(given, page=str(asked.page - 1)) if asked.page > 1 else "",
        later=link(given, page=str(asked.page + 1)) if begin + PAGE < len(lines) else "",
    )


def link(given: Mapping[str, str], **changed: str) -> str:
    """The list's address with some parameters changed; those that say nothing are left out."""
    merged = {
        name: value for name, value in (dict(given) | changed).items() if value and (name, value) != ("page", "1")
    }
    return "?" + urlencode(merged) if merged else "?"


def sorting(asked: Asked, given: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Of each column the address that sorts by it, and how it is sorted now, as `aria-sort` says it."""
    found = {}
    for key, _, _ in COLUMNS:
        up, down = asked.sort == key, asked.sort == f"-{key}"
        wanted = key if down or (not up and key in ("name", "state")) else f"-{key}"
        found[key] = link(given, sort=wanted, page=""), "ascending" if up else "descending" if down else "none"
    return found


def told(detail: Mapping[str, Any], names: Sequence[str] = ("from", "to", "reason", "role")) -> dict[str, str]:
    """Of an event what the department is told: states, the reason that stands on every page of the hospital, a role."""
    return {name: str(detail[name]) for name in names if isinstance(detail.get(name), str)}


def ages(now: datetime, then: datetime | None) -> Said:
    """How long ago."""
    return Said("–") if then is None else lasting(max(0.0, (now - then).total_seconds()))


def _said(value: object) -> Said:
    return Said("{n}", {"n": value})


def _short(seconds: float) -> Decimal:
    return _plain(Decimal(str(seconds)).quantize(Decimal("0.1") if seconds < 10 else Decimal(1)))


def _plain(value: Decimal) -> Decimal:
    """Without zeros at the end, and never as a power of ten."""
    return value.quantize(Decimal(1)) if value == value.to_integral_value() else value.normalize()
