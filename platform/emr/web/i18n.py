"""Two languages: Vietnamese stands in the source, English in one catalogue a room (`emr/<room>/locale/en.json`)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Literal

Language = Literal["vi", "en"]
LANGUAGES: tuple[Language, ...] = ("vi", "en")
LANGUAGE_NAMES: Mapping[Language, str] = {"vi": "Tiếng Việt", "en": "English"}


def mark(text: str) -> str:
    """Mark a text of Python code for translation; it is translated where it is shown."""
    return text


def read_catalogues(rooms: Path) -> dict[str, str]:
    """Vietnamese → English of every room below `rooms`."""
    merged: dict[str, str] = {}
    for file in sorted(rooms.glob("*/locale/en.json")):
        merged |= json.loads(file.read_text(encoding="utf-8"))
    return merged


@dataclass(frozen=True)
class Said:
    """A marked text with the values for its places: how view models hand words to a template."""

    text: str
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Speech:
    """How one language says texts, figures and dates."""

    language: Language
    catalogue: Mapping[str, str]

    def say(self, text: str, /, **values: object) -> str:
        """The text in this language, with `{name}` places filled; an unknown text stays Vietnamese."""
        said = self._word(text)
        return said.format(**{name: self._value(value) for name, value in values.items()}) if values else said

    def _word(self, text: str) -> str:
        return text if self.language == "vi" else self.catalogue.get(text, text)

    def _value(self, value: object) -> object:
        if isinstance(value, Decimal):
            return self.number(value)
        return self._word(value) if isinstance(value, str) else value

    def number(self, value: Decimal | float | str | None) -> str:
        """A figure as it was recorded (no rounding), with the language's decimal sign."""
        if value is None:
            return ""
        plain = format(value, "f") if isinstance(value, Decimal) else str(value)
        return plain.replace(".", ",") if self.language == "vi" else plain


def as_date(value: date | datetime | None) -> str:
    """dd/mm/yyyy, in both languages: a hospital must never guess which of two numbers is the month."""
    return value.strftime("%d/%m/%Y") if value else ""


def as_datetime(value: datetime | None) -> str:
    """dd/mm/yyyy hh:mm of a moment that is already in the hospital's time zone."""
    return value.strftime("%d/%m/%Y %H:%M") if value else ""


def as_day(value: date | datetime | None) -> str:
    """dd/mm, for columns whose year is said elsewhere."""
    return value.strftime("%d/%m") if value else ""


def as_month(value: date | datetime | None) -> str:
    """mm/yyyy."""
    return value.strftime("%m/%Y") if value else ""


def as_time(value: datetime | None) -> str:
    """hh:mm."""
    return value.strftime("%H:%M") if value else ""
