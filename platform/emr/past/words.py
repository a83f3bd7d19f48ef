"""A resource in a few words that a person knows it by: a name, a title, a day. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

from emr.web.moments import shown
from emr.web.patient import full_name

_CODED: Final = ("code", "vaccineCode", "medicationCodeableConcept", "type", "class")
_DATED: Final = (
    *("date", "effectiveDateTime", "issued", "onsetDateTime", "recordedDate", "authoredOn", "performedDateTime"),
    *("started", "occurrenceDateTime", "created", "whenHandedOver", "start"),
)
_LONGEST: Final = 120


def said_of(resource: Mapping[str, Any], zone: ZoneInfo) -> str:
    """What it says of itself, with its day; "" where it says nothing of either."""
    if resource["resourceType"] in ("Patient", "RelatedPerson", "Practitioner", "Person") and resource.get("name"):
        parts = [full_name(resource).upper(), shown(resource.get("birthDate"), zone)]
    else:
        parts = [_title(resource), _day(resource, zone)]
    return " · ".join(part for part in parts if part)


def _title(resource: Mapping[str, Any]) -> str:
    for name in ("description", "title", "name"):
        if isinstance(resource.get(name), str):
            return str(resource[name])[:_LONGEST]
    return next((text for name in _CODED for text in _texts(resource.get(name))), "")[:_LONGEST]


def _texts(value: Any) -> Iterable[str]:
    """Of a CodeableConcept, a Coding, or the first of several."""
    if isinstance(value, list):
        value = next(iter(value), None)
    if isinstance(value, dict):
        codings = value.get("coding") or [value]
        found = (value.get("text"), *(each.get("display") for each in codings), *(each.get("code") for each in codings))
        yield from (text for text in found if isinstance(text, str) and text)


def _day(resource: Mapping[str, Any], zone: ZoneInfo) -> str:
    for name in _DATED:
        if day := shown(resource.get(name), zone):
            return day
    period = resource.get("period")
    return shown(period.get("start"), zone) if isinstance(period, dict) else ""
