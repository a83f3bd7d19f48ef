"""What goes in and out: JSON, conditions in headers, and how much of an answer the client wants."""

import re
from datetime import datetime
from email.utils import format_datetime
from typing import Final

from fastapi import Request, Response

from emr.definitions.model import resource_types
from emr.kernel.errors import Malformed, NotAcceptable, NotFound, UnsupportedMedia
from emr.records.stored import Stored

MEDIA_TYPE: Final = "application/fhir+json"
_JSON: Final = frozenset({"application/fhir+json", "application/json", "text/json", "application/json+fhir", "json"})
_ANY: Final = frozenset({"*/*", "application/*", ""})
_FORMAT: Final = re.compile(r"[a-z]+(/[a-z0-9.+ -]+)?(;.*)?", re.ASCII)
_ETAG: Final = re.compile(r'(?:W/)?"(\d{1,9})"')
_PREFERENCES: Final = frozenset({"minimal", "representation", "OperationOutcome"})


def resource_type_of(request: Request) -> str:
    """The resource type of the address; `NotFound` for a name that R4 does not have."""
    name: str = request.path_params["type"]
    if name not in resource_types():
        raise NotFound("type-unknown", "There is no resource type of this name in R4.")
    return name


def refuse_other_answers(request: Request) -> None:
    """Raise `NotAcceptable` when the client takes no JSON, `Malformed` when `_format` is the name of nothing."""
    named = request.query_params.get("_format")
    if named and not _FORMAT.fullmatch(named):
        raise Malformed("format-unknown", "_format is json, or the name of a media type.", location="_format")
    wanted = named or request.headers.get("accept", "*/*")
    kinds = {part.split(";")[0].strip().replace(" ", "+") for part in wanted.split(",")}
    if not kinds & (_JSON | _ANY):
        raise NotAcceptable("format-unknown", "Answers are application/fhir+json.", location="Accept")


def refuse_other_bodies(request: Request) -> None:
    """Raise `UnsupportedMedia` unless the body says that it is JSON in UTF-8."""
    kind, *parameters = request.headers.get("content-type", "").split(";")
    charset = [each.split("=", 1)[1].strip(' "').lower() for each in parameters if each.strip().startswith("charset=")]
    if kind.strip().lower() not in _JSON or (charset and charset[0] not in ("utf-8", "utf8")):
        raise UnsupportedMedia("media-type", "A body is application/fhir+json in UTF-8.", location="Content-Type")


def if_match_of(request: Request) -> int | None:
    """The version that `If-Match` names. Raises `Malformed` for any other form."""
    text = request.headers.get("if-match")
    if text is None:
        return None
    found = _ETAG.fullmatch(text.strip())
    if found is None:
        raise Malformed("etag-form", 'If-Match is W/"version".', location="If-Match")
    return int(found[1])


def names_current(request: Request, stored: Stored) -> bool:
    """Whether `If-None-Match` says that the client has this version already (RFC 9110, section 13.1.2)."""
    tags = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    return "*" in tags or f'"{stored.version}"' in tags


def etag(stored: Stored) -> str:
    """The weak entity tag of a version."""
    return f'W/"{stored.version}"'


def answer_stored(stored: Stored, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A version as it is kept, without being rebuilt."""
    return Response(stored.body, status, version_headers(stored) | (headers or {}), MEDIA_TYPE)


def answer_written(request: Request, stored: Stored, base: str) -> Response:
    """201 for what was made, 200 for what was changed or found; the body as `Prefer: return=` asks."""
    status = 201 if stored.created else 200
    headers = {"Location": f"{base}/{stored.type}/{stored.id}/_history/{stored.version}"}
    preferred = _preferred(request)
    if preferred == "minimal":
        return Response(None, status, version_headers(stored) | headers)
    if preferred == "OperationOutcome":
        return Response(ALL_OK, status, version_headers(stored) | headers, MEDIA_TYPE)
    return answer_stored(stored, status, headers)


def version_headers(stored: Stored) -> dict[str, str]:
    """`ETag` and `Last-Modified` of a version; nothing of a patient is kept by anyone on the way."""
    return {
        "ETag": etag(stored),
        "Last-Modified": http_date(stored.last_updated),
        "Cache-Control": "private, no-cache",
        "X-Content-Type-Options": "nosniff",
    }


def http_date(moment: datetime) -> str:
    """A moment as HTTP writes it (RFC 9110, section 5.6.7)."""
    return format_datetime(moment, usegmt=True)


def _preferred(request: Request) -> str:
    for part in re.split(r"[;,]\s*", request.headers.get("prefer", "")):
        name, _, value = part.strip().partition("=")
        if name == "return" and value in _PREFERENCES:
            return value
    return "representation"


ALL_OK: Final = (
    b'{"resourceType":"OperationOutcome","issue":[{"severity":"information","code":"informational",'
    b'"diagnostics":"All OK"}]}'
)
