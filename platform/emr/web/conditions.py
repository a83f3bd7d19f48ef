"""What a client says that it has already (FHIR R4, http.html#cread; RFC 9110, section 13.1)."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from fastapi import Request


def has_version(request: Request, version: int, last_updated: datetime) -> bool:
    """Whether the client has this version of what it asks for, so that 304 is the answer.

    `If-Modified-Since` counts only without `If-None-Match`, and not at all when it is no HTTP date.
    """
    stated = request.headers.get("if-none-match")
    if stated is not None:
        tags = [tag.strip().removeprefix("W/") for tag in stated.split(",")]
        return "*" in tags or f'"{version}"' in tags
    since = _http_date_of(request.headers.get("if-modified-since"))
    return since is not None and last_updated.replace(microsecond=0) <= since


def _http_date_of(text: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
    # A date whose zone is "-0000" has none; an HTTP date is always GMT.
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
