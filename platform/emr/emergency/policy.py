"""The rules of broken glass: reasons, how long, how fresh a proof of identity, until when it must be reviewed."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo

from emr.identity.principal import Principal
from emr.web.i18n import mark

LONGEST: Final = timedelta(minutes=60)
_FRESH: Final = timedelta(minutes=10)
_SATURDAY: Final = 5
WORDS_LEAST: Final = 10
WORDS_MOST: Final = 500
VERDICTS: Final[Mapping[str, str]] = {"justified": mark("Chính đáng"), "not-justified": mark("Không chính đáng")}
PURPOSE: Final = "BTG"
"""Purpose of use: break the glass (HL7 v3-ActReason)."""


@cache
def reasons() -> dict[str, str]:
    """Codes of reasons, and what they are called."""
    found: dict[str, str] = json.loads(files("emr.emergency").joinpath("reasons.json").read_text("utf-8"))
    return found


def proved(principal: Principal, now: datetime) -> bool:
    """Whether the person has just proved who they are: with a second factor, or by signing in minutes ago."""
    at = principal.authenticated_at
    return principal.strong or (at is not None and now - at <= _FRESH)


def due(since: datetime, zone: ZoneInfo) -> datetime:
    """Until when a glass that was broken then has to be reviewed: the same hour of the next working day."""
    day = since.astimezone(zone) + timedelta(days=1)
    while day.weekday() >= _SATURDAY:
        day += timedelta(days=1)
    return day
