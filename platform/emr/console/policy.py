"""From which figure on a hospital needs somebody's attention: the one page of thresholds. Pure.

The same limits stand in the alerts of Prometheus where it has the figure; the console says them to whoever looks.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from emr.console.figures import Cell, Fleet, Hospital
from emr.web.i18n import Said, mark

Grade = Literal["bad", "warn"]
FEWEST_REQUESTS: Final = 20
"""Below so many requests in a quarter of an hour a share or a p95 says nothing."""
_P95: Final = (1.0, 3.0)
_ERRORS: Final = (0.01, 0.05)
_LAG: Final = (600.0, 3600.0)
_UNSEALED: Final = (60.0, 300.0)
_UNANCHORED: Final = (timedelta(minutes=20), timedelta(hours=2))
_SILENT: Final = timedelta(minutes=3)
_NO_BACKUP: Final = (timedelta(hours=26), timedelta(hours=72))
_FULL_SOON: Final = timedelta(days=30)
_LIGHTS: Final[dict[str, tuple[Grade, str]]] = {
    "red": ("bad", mark("đèn ranh giới đỏ")),
    "false": ("bad", mark("kết quả đèn ranh giới bị sửa")),
    "old": ("warn", mark("đèn ranh giới quá hạn")),
    "never": ("warn", mark("chưa thử ranh giới")),
}


@dataclass(frozen=True, slots=True)
class Sign:
    """Something that needs attention. code: stable, for machines."""

    grade: Grade
    code: str
    said: Said


def signs(hospital: Hospital, now: datetime) -> list[Sign]:
    """What is wrong with a hospital, the worst first. Of one that is suspended nothing is expected."""
    found = [*_of_database(hospital), *_of_light(hospital)]
    if hospital.tenant.open:
        found += [*_of_requests(hospital), *_of_lag(hospital), *_of_trail(hospital, now)]
    found += [*_of_storage(hospital, now), *_of_users(hospital), *_of_backup(hospital, now)]
    return sorted(found, key=lambda each: each.grade)


def weight(found: list[Sign]) -> tuple[int, int]:
    """How much attention: more that is bad first, then more that is odd."""
    bad = sum(each.grade == "bad" for each in found)
    return bad, len(found) - bad


def cell_signs(cell: Cell, now: datetime) -> list[Sign]:
    """What is wrong with a cell as a whole."""
    if not cell.answered:
        return [Sign("bad", "cell-silent", Said(mark("cụm {cell} không trả lời"), {"cell": cell.name}))]
    if cell.told_at is None or now - cell.told_at > _SILENT:
        return [
            Sign("bad", "worker-silent", Said(mark("không có worker nào làm việc cho cụm {cell}"), {"cell": cell.name}))
        ]
    return []


def fleet_signs(fleet: Fleet) -> list[Sign]:
    """What is wrong with cells."""
    return [sign for cell in fleet.cells for sign in cell_signs(cell, fleet.at)]


def _of_database(hospital: Hospital) -> list[Sign]:
    found = []
    if not hospital.answered:
        found.append(Sign("bad", "cell-silent", Said(mark("cơ sở dữ liệu không trả lời"))))
    if not hospital.served:
        found.append(Sign("bad", "schema-behind", Said(mark("lược đồ chưa nâng cấp, đang không phục vụ"))))
    return found


def _of_light(hospital: Hospital) -> list[Sign]:
    told = _LIGHTS.get(hospital.light.state)
    return [Sign(told[0], f"light-{hospital.light.state}", Said(told[1]))] if told else []


def _of_requests(hospital: Hospital) -> list[Sign]:
    asked = hospital.requests
    if asked.requests < FEWEST_REQUESTS:
        return []
    found = []
    if grade := _grade(asked.error_share or 0.0, _ERRORS):
        found.append(Sign(grade, "errors", Said(mark("lỗi máy chủ nhiều"))))
    if grade := _grade(asked.p95 or 0.0, _P95):
        found.append(Sign(grade, "slow", Said(mark("trả lời chậm"))))
    return found


def _of_lag(hospital: Hospital) -> list[Sign]:
    if hospital.lag is None:
        return []
    found = []
    if grade := _grade(hospital.lag.seconds, _LAG):
        found.append(Sign(grade, "sync-late", Said(mark("đồng bộ thành phố trễ"))))
    if hospital.lag.broken:
        found.append(Sign("warn", "sync-set-aside", Said(mark("{n} bản ghi bị gác lại"), {"n": hospital.lag.broken})))
    return found


def _of_trail(hospital: Hospital, now: datetime) -> list[Sign]:
    found = []
    if grade := _grade(hospital.unsealed or 0.0, _UNSEALED):
        found.append(Sign(grade, "unsealed", Said(mark("nhật ký chưa niêm phong"))))
    if hospital.anchored_at is not None:
        age = now - hospital.anchored_at
        if grade := _aged(age, _UNANCHORED):
            found.append(Sign(grade, "unanchored", Said(mark("dấu neo nhật ký đã cũ"))))
    return found


def _of_storage(hospital: Hospital, now: datetime) -> list[Sign]:
    storage = hospital.storage
    if storage is None:
        return []
    if storage.level == "full":
        return [Sign("bad", "storage-full", Said(mark("hết dung lượng")))]
    full_on = storage.full_on(now.date())
    if full_on is not None and full_on - now.date() <= _FULL_SOON:
        days = (full_on - now.date()).days
        return [Sign("warn", "storage-soon", Said(mark("đầy sau {n} ngày"), {"n": days}))]
    return [Sign("warn", "storage-near", Said(mark("sắp hết dung lượng")))] if storage.level else []


def _of_users(hospital: Hospital) -> list[Sign]:
    if hospital.users.level == "full":
        return [Sign("warn", "users-full", Said(mark("hết số người dùng")))]
    return [Sign("warn", "users-near", Said(mark("sắp hết số người dùng")))] if hospital.users.level else []


def _of_backup(hospital: Hospital, now: datetime) -> list[Sign]:
    """Where backups are made at all; a hospital without one is told as such in its column."""
    found = []
    if hospital.backup_at is not None and (grade := _aged(now - hospital.backup_at, _NO_BACKUP)):
        found.append(Sign(grade, "backup-old", Said(mark("bản sao lưu đã cũ"))))
    if hospital.rehearsal is not None and not hospital.rehearsal.passed:
        found.append(Sign("bad", "rehearsal-failed", Said(mark("diễn tập khôi phục không đạt"))))
    return found


def _aged(age: timedelta, limits: tuple[timedelta, timedelta]) -> Grade | None:
    return _grade(age.total_seconds(), tuple(each.total_seconds() for each in limits))


def _grade(value: float, limits: tuple[float, ...]) -> Grade | None:
    warn, bad = limits
    return "bad" if value >= bad else "warn" if value >= warn else None
