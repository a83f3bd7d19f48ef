"""The design page: every component in each of its states on one page, to look at and to test. Demo and test only."""

from fastapi import APIRouter, Request, Response

from emr.web.answers import render_public
from emr.web.forms import Form
from emr.web.i18n import mark

router = APIRouter(include_in_schema=False)


@router.get("/design")
async def design(request: Request) -> Response:
    """Tokens and components."""
    form = Form({"name": "Nguyễn Thị Hoa", "pulse": "220", "temperature": "abc"})
    form.refuse("temperature", mark("{label}: «{typed}» không phải là số"), label=mark("Nhiệt độ"), typed="abc")
    doubtful = Form({"pulse": "180"})
    doubtful.doubts["pulse"] = form.refusals["temperature"]
    return render_public(request, "web/design.html", form=form, doubtful=doubtful, plain=Form({}))
