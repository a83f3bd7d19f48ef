"""A submitted form: what was typed, what it means, and what is wrong with it, in words that name the field."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from emr.web.i18n import Said, mark

KEY_FIELD = "_key"
_NUMBER = re.compile(r"[0-9]{1,6}([.,][0-9]{1,3})?")
_KEY = re.compile(r"[0-9a-f-]{36}")
_DAY = re.compile(r"([0-9]{1,2})[/.-]([0-9]{1,2})[/.-]([0-9]{4})")
_LINES = {"\n", "\t"}


@dataclass(frozen=True)
class Range:
    """Plausible values of a figure. Outside `possible`: refused. Outside `usual`: asked again, kept if confirmed.

    places: how many decimals the figure may have.
    """

    possible: tuple[Decimal, Decimal]
    usual: tuple[Decimal, Decimal]
    places: int = 0


@dataclass
class Form:
    """The values as they were typed; `refusals` and `doubts` fill while the fields are read."""

    values: Mapping[str, str] = field(default_factory=dict)
    key: str = ""
    refusals: dict[str, Said] = field(default_factory=dict)
    doubts: dict[str, Said] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Mapping[str, str]) -> "Form":
        """A form from its fields, in NFC, without control characters."""
        key = values.get(KEY_FIELD, "")
        return cls(values={name: _clean(text) for name, text in values.items()}, key=key if _KEY.fullmatch(key) else "")

    @property
    def ok(self) -> bool:
        """Whether it may be stored: nothing is wrong, and what is odd was confirmed."""
        return not self.refusals and (not self.doubts or self.values.get("confirmed") == "yes")

    def refuse(self, name: str, text: str, **values: object) -> None:
        """Say what is wrong with a field; the first word on a field counts."""
        self.refusals.setdefault(name, Said(text, values))

    def text(self, name: str, *, required: str = "", limit: int = 200) -> str:
        """The text of a field, without white space around it. `required`: what to say when it is empty."""
        value = self.values.get(name, "").strip()
        if not value and required:
            self.refuse(name, required)
        if len(value) > limit:
            self.refuse(name, mark("Nội dung dài quá {limit} ký tự"), limit=limit)
        return value

    def choice(self, name: str, options: Mapping[str, object], *, required: str = "") -> str:
        """One of the options, or "" when nothing was chosen."""
        value = self.text(name, required=required)
        if value and value not in options:
            self.refuse(name, mark("Hãy chọn một mục trong danh sách"))
            return ""
        return value

    def figure(self, name: str, label: str, allowed: Range) -> Decimal | None:
        """A figure with comma or point, or None when the field is empty."""
        typed = self.values.get(name, "").strip()
        if not typed:
            return None
        if not _NUMBER.fullmatch(typed):
            self.refuse(name, mark("{label}: «{typed}» không phải là số"), label=label, typed=typed[:12])
            return None
        value = _decimal(typed)
        low, high = allowed.possible
        if value is None or not low <= value <= high:
            self.refuse(name, mark("{label}: phải từ {low} đến {high}"), label=label, low=low, high=high)
            return None
        exponent = value.as_tuple().exponent
        if isinstance(exponent, int) and -exponent > allowed.places:
            text = mark("{label}: nhiều nhất {places} số lẻ") if allowed.places else mark("{label}: phải là số nguyên")
            self.refuse(name, text, label=label, places=allowed.places)
            return None
        low, high = allowed.usual
        if not low <= value <= high:
            self.doubts[name] = Said(
                mark("{label}: {typed} nằm ngoài khoảng thường gặp {low} đến {high}"),
                {"label": label, "typed": typed, "low": low, "high": high},
            )
        return value

    def moment(self, name: str, *, zone: ZoneInfo, now: datetime) -> datetime:
        """dd/mm/yyyy hh:mm, or hh:mm of today, in the hospital's zone; empty is now, the future is refused."""
        typed = self.values.get(name, "").strip()
        if not typed:
            return now
        text = typed if "/" in typed else f"{now.astimezone(zone):%d/%m/%Y} {typed}"
        try:
            moment = datetime.strptime(text, "%d/%m/%Y %H:%M").replace(tzinfo=zone)
        except ValueError:
            self.refuse(name, mark("Viết ngày/tháng/năm giờ:phút, ví dụ 22/11/2026 09:30"))
            return now
        if moment.timestamp() > now.timestamp() + 60:
            self.refuse(name, mark("Thời điểm ở tương lai"))
        return moment

    def day(self, name: str, *, today: date) -> str:
        """A FHIR date (yyyy, yyyy-mm or yyyy-mm-dd) from yyyy, mm/yyyy or dd/mm/yyyy; "" when empty."""
        typed = self.values.get(name, "").strip()
        value = fhir_date(typed)
        if typed and value is None:
            self.refuse(name, mark("Ngày viết dạng ngày/tháng/năm, tháng/năm hoặc năm"))
        elif value and value > today.isoformat()[: len(value)]:
            self.refuse(name, mark("Ngày ở tương lai"))
        return value or ""


def fhir_date(typed: str) -> str | None:
    """`5/3/2024` as 2024-03-05, `3/2024` as 2024-03, `2024` as itself; None when it is no date."""
    if re.fullmatch(r"(19|20)[0-9]{2}", typed):
        return typed
    if found := re.fullmatch(r"([0-9]{1,2})[/.-]([0-9]{4})", typed):
        month, year = int(found[1]), int(found[2])
        return f"{year:04}-{month:02}" if 1 <= month <= 12 else None
    if found := _DAY.fullmatch(typed):
        try:
            return date(int(found[3]), int(found[2]), int(found[1])).isoformat()
        except ValueError:
            return None
    return None


def _decimal(typed: str) -> Decimal | None:
    try:
        return Decimal(typed.replace(",", "."))
    except InvalidOperation:
        return None


def _clean(text: str) -> str:
    kept = (letter for letter in text.replace("\r\n", "\n") if letter in _LINES or unicodedata.category(letter) != "Cc")
    return unicodedata.normalize("NFC", "".join(kept))
