"""The wizard at `/ops/onboarding`: what was asked for, a form, its confirmation, how far it is, the hospital's file."""

from collections.abc import Sequence
from typing import Final

from fastapi import APIRouter, Request, Response

from emr.console.answers import ZONE, Office, done, parameters, show
from emr.console.onboarding import service
from emr.console.onboarding.checks import Taken
from emr.console.onboarding.form import DEFAULTS, refuse, refuse_faults, said_by
from emr.console.onboarding.words import CATALOGUE, FEATURES, REQUEST_STATES, STEP_STATES, STEPS, TIERS
from emr.fleet.files import as_file
from emr.kernel.errors import Conflict, Invalid
from emr.tenancy.definition import HospitalFile
from emr.web.answers import read_form
from emr.web.forms import Form
from emr.web.i18n import mark
from emr.work.department import DepartmentWork

router = APIRouter(prefix="/ops/onboarding", include_in_schema=False)
_OURS: Final = ("sure", "back")


@router.get("")
async def requests(request: Request, work: Office) -> Response:
    """What was asked for."""
    parameters(request, ())
    found = await service.newest(work)
    return show(request, work, "console/onboarding.html", found=found, zone=ZONE, states=REQUEST_STATES)


@router.get("/new")
async def wizard(request: Request, work: Office) -> Response:
    """The form."""
    parameters(request, ())
    return _form(request, work, Form(dict(DEFAULTS)), await service.begin(work))


@router.post("/new")
async def ask(request: Request, work: Office) -> Response:
    """Check it as a file is checked; show what would come about; write it down when that is confirmed."""
    form = await read_form(request, work)
    cells = await service.begin(work)
    if form.values.get("back"):
        return _form(request, work, form, cells)
    said = said_by(form, cells)
    if form.ok:
        try:
            if form.values.get("sure") != "yes":
                return _confirm(request, work, form, await service.check(work, said))
            asked = await service.ask(work, said)
            return done(request, f"/onboarding/{asked.hospital.slug}", "hospital-asked-for")
        except Taken as taken:
            refuse_faults(form, taken.faults)
        except Invalid as refusal:
            refuse(form, refusal.issues)
        except Conflict:
            form.refuse("slug", mark("Bệnh viện này đã được yêu cầu và đang chờ hoặc đang làm"))
    refuse_faults(form, await service.clashes(work, said))
    return _form(request, work, form, cells, status=422)


@router.get("/{slug}")
async def progress(request: Request, work: Office, slug: str) -> Response:
    """One hospital on its way; the page asks again by itself while that is not over."""
    parameters(request, ())
    asked = await service.latest(work, slug)
    return show(
        request, work, "console/onboarding_one.html", asked=asked, zone=ZONE, steps=STEPS, states=REQUEST_STATES,
        step_states=STEP_STATES, file=as_file(asked.hospital),
    )  # fmt: skip


@router.post("/{slug}/again")
async def again(request: Request, work: Office, slug: str) -> Response:
    """Go on with what did not come to its end."""
    await read_form(request, work)
    await service.ask_again(work, slug)
    return done(request, f"/onboarding/{slug}", "hospital-asked-for")


@router.get("/{slug}/file")
async def file(request: Request, work: Office, slug: str) -> Response:
    """The hospital's file, to be put beside the others."""
    parameters(request, ())
    return file_of(await service.latest(work, slug))


def file_of(asked: service.Asked) -> Response:
    """A hospital's file, to be kept and never shown in place."""
    headers = {
        "Content-Disposition": f'attachment; filename="{asked.request.slug}.yaml"',
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
    }
    return Response(as_file(asked.hospital), media_type="application/yaml", headers=headers)


def _confirm(request: Request, work: DepartmentWork, form: Form, hospital: HospitalFile) -> Response:
    typed = {
        name: text for name, text in form.values.items() if text and not name.startswith("_") and name not in _OURS
    }
    taken = [words for name, words in STEPS.items() if name != "sandbox" or hospital.sandbox]
    return show(
        request, work, "console/onboarding_confirm.html", hospital=hospital, typed=typed, taken=taken,
        file=as_file(hospital), tiers=TIERS,
    )  # fmt: skip


def _form(request: Request, work: DepartmentWork, form: Form, cells: Sequence[str], *, status: int = 200) -> Response:
    return show(
        request, work, "console/onboarding_new.html", status=status, form=form, features=FEATURES, labels=CATALOGUE,
        tiers=TIERS, cells={each: each for each in cells},
    )  # fmt: skip
