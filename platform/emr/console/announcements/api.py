"""Announcements as JSON; changes by bearer token."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response

from emr.console.announcements import service
from emr.console.announcements.service import Wanted
from emr.console.answers import Office, parameters, read_json
from emr.kernel.errors import Invalid
from emr.tenancy.announcements import Announcement

router = APIRouter(prefix="/ops/api/announcements", tags=["department"])
_NAMES = ("kind", "vi", "en", "since", "until")
_TEXT = {"type": "string"}
_MOMENT = {"type": "string", "format": "date-time"}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": list(_NAMES),
                    "properties": {
                        "kind": {"enum": list(service.KINDS)}, "vi": _TEXT, "en": _TEXT, "since": _MOMENT,
                        "until": _MOMENT, "hospitals": _TEXT | {"description": "slugs with spaces between; none: all"},
                    },
                }
            }
        },
    }
}  # fmt: skip


@router.get("")
async def announcements(request: Request, work: Office) -> Sequence[Announcement]:
    """Those that stand or are to come, then the past. Hospitals are named by id."""
    parameters(request, ())
    return await service.announcements(work)


@router.post("", status_code=201, openapi_extra=_BODY)
async def announce(request: Request, work: Office) -> Announcement:
    """Say something on hospitals' pages."""
    parameters(request, ())
    body = await read_json(request, work, _NAMES, ("hospitals",))
    since, until = _moment(body, "since"), _moment(body, "until")
    hospitals = body.get("hospitals", "").split()
    return await service.announce(work, Wanted(body["kind"], body["vi"], body["en"], since, until, hospitals))


@router.post("/{announcement}/end", status_code=204)
async def end(request: Request, work: Office, announcement: str) -> Response:
    """Take it back at once."""
    parameters(request, ())
    await read_json(request, work, ())
    await service.end_announcement(work, announcement)
    return Response(status_code=204)


def _moment(body: dict[str, str], name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(body[name])
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Invalid("moment", f"{name} is a moment in ISO 8601 with its offset.", location=name)
    return moment
