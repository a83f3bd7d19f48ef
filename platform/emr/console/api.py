"""The console as JSON, at `/ops/api`: for machines of the department with a bearer token, and for operators."""

from typing import Final

from fastapi import APIRouter, Request

from emr.console import service
from emr.console.answers import Office, parameters
from emr.console.asking import PARAMETERS, asked_of, listed
from emr.console.told import CourseTold, FleetTold, course_told, fleet_told

router = APIRouter(prefix="/ops/api", tags=["department"])
_FILTERS: Final = tuple(name for name in PARAMETERS if name != "page")
_LISTED: Final = [{"name": name, "in": "query", "required": False, "schema": {"type": "string"}} for name in _FILTERS]


@router.get("/hospitals", openapi_extra={"parameters": _LISTED})
async def hospitals(request: Request, work: Office) -> FleetTold:
    """Every hospital that the filters leave, with its figures; parameters that are not known are refused."""
    asked = asked_of(parameters(request, _FILTERS))
    fleet = await service.look(work)
    return fleet_told(fleet, listed(fleet, asked))


@router.get("/hospitals/{slug}")
async def hospital(request: Request, work: Office, slug: str) -> CourseTold:
    """One hospital with its last 24 hours by five minutes, its last 90 days, and its history."""
    parameters(request, ())
    return course_told(await service.look_at(work, slug))
