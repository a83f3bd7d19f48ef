"""What goes in and out: JSON, conditions in headers, and how much of an answer the client wants."""

import re
from datetime import datetime
from typing import Final

from fastapi import Request, Response

from emr.definitions.model import resource_types
from emr.fhir.prefer import preferences_of
from emr.kernel.errors import Malformed, NotAcceptable, NotFound, UnsupportedMedia
from emr.records.stored import Stored
from emr.web.conditions import has_version

MEDIA_TYPE: Final = "application/fhir+json"
FORMATS: Final = frozenset({"_format", "_pretty"})
"""Parameters of every interaction (http.html#parameters)."""
_JSON: Final = frozenset({"application/fhir+json", "application/json", "text/json", "application/json+fhir", "json"})
_ANY: Final = frozenset({"*/*", "application/*", ""})
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FORMAT: Final = re.compile(r"[a-z]+(/[a-z0-9.+ -]+)?(;.*)?", re.ASCII)
_ETAG: Final = re.compile(r'(?:W/)?"(\d{1,9})"')


def resource_type_of(request: Request) -> str:
    """The resource type of the address; `NotFound` for a name that R4 does not have."""
    name: str = request.path_params["type"]
    if name not in resource_types():
        raise NotFound("type-unknown", "There is no resource type of this name in R4.")
    return name


def refuse_other_answers(request: Request) -> None:
    """Raise `NotAcceptable` when the client takes no JSON, `Malformed` when `_format` is the name of nothing."""
    named = request.query_params.get("_format") if request.scope["query_string"] else None
    if named and not _FORMAT.fullmatch(named):
        raise Malformed("format-unknown", "_format is json, or the name of a media type.", location="_format")
    wanted = named or request.headers.get("accept", "*/*")
    if wanted in _JSON:
        return
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
    """Whether the client has this version already (FHIR R4, http.html#cread)."""
    return has_version(request, stored.version, stored.last_updated)


def must_be_new(request: Request) -> bool:
    """Whether `If-None-Match: *` asks that there be no such resource yet. Raises `Malformed` for any other form."""
    stated = request.headers.get("if-none-match")
    if stated is not None and stated.strip() != "*":
        raise Malformed("etag-form", "With a change, If-None-Match is *.", location="If-None-Match")
    return stated is not None


def refuse_parameters(request: Request, known: frozenset[str] = FORMATS) -> None:
    """Raise `Malformed` for a parameter of the address that is not known here."""
    if not request.scope["query_string"]:
        return
    for name in request.query_params:
        if name not in known:
            raise Malformed("parameter-unknown", f"There is no parameter {name[:64]} here.", location=name[:64])


def criteria_of(request: Request) -> str:
    """The query of a conditional verb without what only says how to answer. Raises `Malformed` when nothing is left."""
    parts = [part for part in request.url.query.split("&") if part and part.partition("=")[0] not in FORMATS]
    if not parts:
        rule = "A change of resources of a type names one by its id or by criteria."
        raise Malformed("condition-missing", rule, location="url")
    return "&".join(parts)


def etag(stored: Stored) -> str:
    """The weak entity tag of a version."""
    return f'W/"{stored.version}"'


class Versioned(Response):
    """An answer about one version, which an entry of a Bundle tells in its own words."""

    def __init__(self, stored: Stored, status: int, body: bytes | None, headers: dict[str, str]) -> None:
        super().__init__(body, status, version_headers(stored) | headers, MEDIA_TYPE if body else None)
        self.stored = stored


def answer_read(stored: Stored, body: bytes) -> Response:
    """A version, or as much of it as was asked for."""
    return Versioned(stored, 200, body, {})


def answer_unchanged(stored: Stored) -> Response:
    """304: the client has this version."""
    return Versioned(stored, 304, None, {})


def answer_written(request: Request, stored: Stored, base: str) -> Response:
    """201 for what was made, 200 for what was changed or found; the body as `Prefer: return=` asks."""
    status = 201 if stored.created else 200
    headers = {"Location": f"{base}/{stored.type}/{stored.id}/_history/{stored.version}"}
    bodies = {"minimal": None, "OperationOutcome": ALL_OK}
    preferred = preferences_of(request).returns or "representation"
    return Versioned(stored, status, bodies.get(preferred, stored.body), headers)


def version_headers(stored: Stored) -> dict[str, str]:
    """`ETag` and `Last-Modified` of a version; nothing of a patient is kept by anyone on the way."""
    return {
        "ETag": etag(stored),
        "Last-Modified": http_date(stored.last_updated),
        "Cache-Control": "private, no-cache",
        "X-Content-Type-Options": "nosniff",
    }


def http_date(moment: datetime) -> str:
    """A moment in UTC as HTTP writes it (RFC 9110, section 5.6.7)."""
    return f"{_DAYS[moment.weekday()]}, {moment.day:02} {_MONTHS[moment.month - 1]} {moment:%Y %H:%M:%S} GMT"


ALL_OK: Final = (
    b'{"resourceType":"OperationOutcome","issue":[{"severity":"information","code":"informational",'
    b'"diagnostics":"All OK"}]}'
)
