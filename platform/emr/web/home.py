"""The page `/`: choose a hospital, sign in."""

from fastapi import APIRouter, Request, Response

from emr.web.answers import render_public
from emr.web.sign_in import choices

router = APIRouter(include_in_schema=False)


@router.get("/")
async def front(request: Request) -> Response:
    """The hospitals, one's own first."""
    return render_public(request, "web/choose.html", choices=await choices(request))
