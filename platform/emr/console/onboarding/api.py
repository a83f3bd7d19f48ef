"""The wizard as JSON: a definition is checked, asked for, followed; changes by bearer token."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from emr.console.answers import Office, parameters, read_json, read_object
from emr.console.onboarding import service
from emr.console.onboarding.pages import file_of
from emr.tenancy import requests
from emr.tenancy.definition import HospitalFile

router = APIRouter(prefix="/ops/api/onboarding", tags=["department"])
_LARGEST: Final = 64 << 10
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object", "description": "a hospital's file, as JSON"}}},
    }
}


@dataclass(frozen=True, slots=True)
class RequestTold:
    """A hospital that was asked for. state: waiting, running, done or failed; steps: each step's, by name; error and
    code: of the last failure; next: what somebody has to do beside.
    """

    id: str
    slug: str
    name: str
    state: str
    asked_by: str
    asked_at: datetime
    changed_at: datetime
    steps: Mapping[str, str]
    error: str | None
    code: str | None
    next: str | None
    definition: Mapping[str, Any]


@router.get("")
async def asked(request: Request, work: Office) -> Sequence[RequestTold]:
    """What was asked for, the newest first."""
    parameters(request, ())
    return [_told(each) for each in await service.newest(work)]


@router.post("/check", openapi_extra=_BODY)
async def check(request: Request, work: Office) -> HospitalFile:
    """The whole definition with its defaults, if a hospital could come about so; nothing is stored."""
    parameters(request, ())
    return await service.check(work, await read_object(request, work, _LARGEST))


@router.post("", status_code=202, openapi_extra=_BODY)
async def ask(request: Request, work: Office) -> RequestTold:
    """Ask for a hospital; the department's worker makes it."""
    parameters(request, ())
    found = await service.ask(work, await read_object(request, work, _LARGEST))
    return _told(found.request)


@router.get("/{slug}")
async def progress(request: Request, work: Office, slug: str) -> RequestTold:
    """How far one is."""
    parameters(request, ())
    return _told((await service.latest(work, slug)).request)


@router.post("/{slug}/again", status_code=202)
async def again(request: Request, work: Office, slug: str) -> RequestTold:
    """Go on with what did not come to its end."""
    parameters(request, ())
    await read_json(request, work, ())
    return _told((await service.ask_again(work, slug)).request)


@router.get("/{slug}/file", response_class=Response)
async def file(request: Request, work: Office, slug: str) -> Response:
    """The hospital's file (YAML), to be put beside the others."""
    parameters(request, ())
    return file_of(await service.latest(work, slug))


def _told(found: requests.Request) -> RequestTold:
    progress = found.progress
    return RequestTold(
        id=found.id, slug=found.slug, name=str(found.detail.get("name", "")), state=found.state,
        asked_by=found.asked_by_name, asked_at=found.asked_at, changed_at=found.changed_at,
        steps=progress.get("steps", {}), error=progress.get("error"), code=progress.get("code"),
        next=progress.get("next") or None, definition=found.detail,
    )  # fmt: skip
