"""FHIR dates as a hospital reads them: its own time zone, dd/mm/yyyy, and no more precision than was recorded."""

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from emr.web.i18n import Said, mark

DAYS_OF_A_MONTH = 30.4375


@dataclass(frozen=True)
class Age:
    """How old, in the unit that the ward uses for this age."""

    text: str
    n: int | None = None


def local(value: object, zone: ZoneInfo) -> datetime | None:
    """A FHIR date, dateTime or instant as a moment in `zone`; None if it is not one. A bare date is its midnight."""
    if isinstance(value, datetime):
        return value.astimezone(zone)
    if not isinstance(value, str):
        return None
    padded = value + "-01" * (2 - value.count("-")) if len(value) <= 7 else value
    try:
        moment = datetime.fromisoformat(padded)
    except ValueError:
        return None
    return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment.astimezone(zone)


def shown(value: object, zone: ZoneInfo) -> str:
    """`2026-10-08T…` as 08/10/2026, `2026-10` as 10/2026, `2026` as 2026; anything else as nothing."""
    moment = local(value, zone)
    if moment is None:
        return ""
    precision = len(value) if isinstance(value, str) else 10
    return moment.strftime({4: "%Y", 7: "%m/%Y"}.get(precision, "%d/%m/%Y"))


def has_time(value: object) -> bool:
    """Whether a FHIR dateTime says the time of day."""
    return isinstance(value, str) and "T" in value


def months_between(earlier: date, later: date) -> int:
    """Whole months from one day to another."""
    return (later.year - earlier.year) * 12 + later.month - earlier.month - (later.day < earlier.day)


def age_at(birth: object, today: date) -> Age:
    """Days up to a month, months up to three years, years after that; a bare year of birth gives about how many."""
    if not isinstance(birth, str) or not birth[:4].isdigit():
        return Age(mark("chưa rõ tuổi"))
    if len(birth) < 10:
        return Age(mark("khoảng {n} tuổi"), max(0, today.year - int(birth[:4])))
    try:
        born = date.fromisoformat(birth[:10])
    except ValueError:
        return Age(mark("chưa rõ tuổi"))
    months = months_between(born, today)
    if months < 1:
        return Age(mark("{n} ngày tuổi"), max(0, (today - born).days))
    if months < 36:
        return Age(mark("{n} tháng tuổi"), months)
    return Age(mark("{n} tuổi"), months // 12)


def ago(then: datetime, now: datetime) -> Said:
    """How long ago, in the coarsest unit that helps."""
    days = (now.date() - then.date()).days
    if days <= 0:
        return Said(mark("hôm nay"))
    if days == 1:
        return Said(mark("hôm qua"))
    if days < 60:
        return Said(mark("{n} ngày trước"), {"n": days})
    if days < 730:
        return Said(mark("{n} tháng trước"), {"n": round(days / DAYS_OF_A_MONTH)})
    return Said(mark("{n} năm trước"), {"n": days // 365})
