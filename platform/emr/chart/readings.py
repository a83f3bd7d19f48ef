"""Observation → Reading: one figure or word with its unit, its moment, its reference range and how it stands to it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

from emr.chart.lexicon import lexicon
from emr.web.i18n import mark
from emr.web.moments import local
from emr.web.patient import concept

Resource = Mapping[str, Any]
Flag = Literal["", "high", "low", "odd"]

LOINC = "http://loinc.org"
_HIGH = {"H", "HH", "HU", ">"}
_LOW = {"L", "LL", "LU", "<"}
_ODD = {"A", "AA", "POS", "DET", "R"}
_WORDS = {
    "POS": mark("dương tính"),
    "NEG": mark("âm tính"),
    "10828004": mark("dương tính"),
    "260385009": mark("âm tính"),
    "LA6576-8": mark("dương tính"),
    "LA6577-6": mark("âm tính"),
}


@dataclass(frozen=True)
class Reading:
    """One measured value.

    value: the figure as recorded, None for a word or for nothing. text: the word, or why there is nothing. unit: as a
    ward writes it. low, high: the reference range that the laboratory gave. flag: how it stands to it; `odd` is a word
    that worries. critical: the laboratory said so.
    """

    id: str
    code: str
    name: str
    when: datetime
    value: Decimal | None
    text: str
    unit: str
    low: Decimal | None = None
    high: Decimal | None = None
    flag: Flag = ""
    critical: bool = False
    encounter: str = ""

    @property
    def shown(self) -> Decimal | None:
        """The figure for a table: machine-made tails of digits are cut, what a person or an analyser wrote is kept."""
        return None if self.value is None else neat(self.value)

    @property
    def sign(self) -> str:
        """The sign beside an abnormal value: never colour alone."""
        return {"high": "▲", "low": "▼", "odd": "◆", "": ""}[self.flag]

    @property
    def tone(self) -> str:
        """The class that colours it."""
        return {"high": "hi", "low": "lo", "odd": "hi", "": ""}[self.flag]


def readings(observations: Iterable[Resource], zone: ZoneInfo) -> list[Reading]:
    """Every value of the observations, panels taken apart, newest first; what was entered in error is left out."""
    found = [
        reading
        for item in observations
        if item.get("status") not in ("entered-in-error", "cancelled")
        for reading in _of(item, zone)
    ]
    return sorted(found, key=lambda reading: reading.when, reverse=True)


def _of(item: Resource, zone: ZoneInfo) -> list[Reading]:
    effective = item.get("effectiveDateTime") or item.get("effectivePeriod", {}).get("start") or item.get("issued")
    when = local(effective or item.get("effectiveInstant"), zone)
    if when is None:
        return []
    parts = [part for part in (item, *item.get("component", ())) if _has_value(part)]
    return [_reading(part, item, when) for part in parts]


def _has_value(part: Resource) -> bool:
    return any(name.startswith("value") for name in part) or "dataAbsentReason" in part


def _reading(part: Resource, item: Resource, when: datetime) -> Reading:
    code = loinc(part.get("code"))
    term = lexicon().terms.get(code)
    quantity = part.get("valueQuantity") or {}
    value = decimal(quantity.get("value"))
    low, high = _range(part)
    flag, critical = _flag(part, value, low, high)
    return Reading(
        id=str(item.get("id", "")),
        code=code or concept(part.get("code")),
        name=term.name if term else concept(part.get("code")),
        when=when,
        value=value,
        text="" if value is not None else _words(part),
        unit=unit_of(quantity),
        low=low,
        high=high,
        flag=flag,
        critical=critical,
        encounter=str((item.get("encounter") or {}).get("reference", "")),
    )


def loinc(value: Mapping[str, Any] | None) -> str:
    """The first LOINC code of a CodeableConcept, or any first code."""
    codings = (value or {}).get("coding", ())
    own = [str(item["code"]) for item in codings if item.get("system") == LOINC and item.get("code")]
    return next(iter([*own, *(str(item["code"]) for item in codings if item.get("code"))]), "")


def decimal(value: object) -> Decimal | None:
    """A JSON number without a float in between."""
    if value is None or isinstance(value, bool):
        return None
    return value if isinstance(value, Decimal) else Decimal(str(value))


def neat(value: Decimal) -> Decimal:
    """The value as recorded up to three decimals, else rounded to one (from 10 on) or two."""
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or exponent >= -3:
        return value
    return value.quantize(Decimal("0.1") if abs(value) >= 10 else Decimal("0.01"))


def unit_of(quantity: Mapping[str, Any]) -> str:
    """The unit as a ward writes it."""
    units = lexicon().units
    for known in (str(quantity.get("code")), str(quantity.get("unit"))):
        if known in units:
            return units[known]
    return str(quantity.get("unit") or quantity.get("code") or "")


def _range(part: Resource) -> tuple[Decimal | None, Decimal | None]:
    for item in part.get("referenceRange", ()):
        low, high = decimal(item.get("low", {}).get("value")), decimal(item.get("high", {}).get("value"))
        if low is not None or high is not None:
            return low, high
    return None, None


def _flag(part: Resource, value: Decimal | None, low: Decimal | None, high: Decimal | None) -> tuple[Flag, bool]:
    codes = {coding.get("code") for said in part.get("interpretation", ()) for coding in said.get("coding", ())}
    critical = bool(codes & {"HH", "LL", "AA"})
    if codes & _HIGH or (value is not None and high is not None and value > high):
        return "high", critical
    if codes & _LOW or (value is not None and low is not None and value < low):
        return "low", critical
    return ("odd" if codes & _ODD else ""), critical


def _words(part: Resource) -> str:
    if coded := part.get("valueCodeableConcept"):
        codes = [str(item.get("code")) for item in coded.get("coding", ())]
        return next((_WORDS[code] for code in codes if code in _WORDS), concept(coded))
    for name in ("valueString", "valueInteger", "valueBoolean", "valueDateTime", "valueTime"):
        if name in part:
            return str(part[name])
    return mark("không có kết quả")
