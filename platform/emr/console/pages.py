"""The console's pages at `/ops/`: all hospitals, and one."""

from fastapi import APIRouter, Request, Response

from emr.administration.golive.pilot import departments_of
from emr.console import charts, service, views
from emr.console.answers import ZONE, Office, parameters, show
from emr.console.asking import PARAMETERS, Line, asked_of, listed
from emr.console.policy import cell_signs, fleet_signs, signs
from emr.web.answers import FEATURE_NAMES

router = APIRouter(prefix="/ops", include_in_schema=False)


@router.get("/")
async def overview(request: Request, work: Office) -> Response:
    """Every hospital that the filters leave, those that need attention first."""
    given = parameters(request, PARAMETERS)
    asked = asked_of(given)
    fleet = await service.look(work)
    every = listed(fleet, asked_of({}))
    return show(
        request, work, "console/overview.html", fleet=fleet, asked=asked, given=given, views=views, zone=ZONE,
        tiles=views.tiles(fleet, every), sheet=views.sheet(listed(fleet, asked), asked, given),
        sorting=views.sorting(asked, given), troubles=fleet_signs(fleet),
        cells=sorted({each.tenant.cell for each in fleet.hospitals}),
    )  # fmt: skip


@router.get("/hospitals/{slug}")
async def hospital(request: Request, work: Office, slug: str) -> Response:
    """One hospital: figures, charts, history."""
    parameters(request, ())
    course = await service.look_at(work, slug)
    now, found = course.fleet.at, course.hospital
    days = service.SEASON.days
    return show(
        request, work, "console/hospital.html", course=course, views=views, zone=ZONE, now=now,
        line=Line(found, signs(found, now)), troubles=cell_signs(course.cell, now),
        requests=charts.requests_chart(course.requests, now, ZONE),
        p95=charts.p95_chart(course.requests, now, ZONE),
        storage=charts.storage_chart(course.usage, found.storage, now.date(), days), box=charts,
        pilot=found.tenant.pilot and departments_of(found.tenant.pilot), features=FEATURE_NAMES,
    )  # fmt: skip
