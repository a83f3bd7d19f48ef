"""The pages of machine clients at `/h/{slug}/admin/machines`."""

from typing import Final

from fastapi import APIRouter, Request, Response

from emr.administration import policy
from emr.administration.answers import CONFIRM, administered_of, explain, zone_of
from emr.administration.machines import service
from emr.identity.machine_clients import MachineClient
from emr.kernel.errors import Conflict, Invalid
from emr.web.answers import read_form, render, saved
from emr.web.forms import Form
from emr.web.work import Visiting, Work
from emr.work.unit import UnitOfWork
from emr.work.visit import Visit

router = APIRouter(prefix="/h/{slug}/admin/machines", include_in_schema=False)
_HERE: Final = "/admin/machines"


@router.get("")
async def machines(request: Request, work: Work) -> Response:
    """The hospital's machine clients."""
    found = await service.list_machines(work)
    return render(
        request, work, "administration/machines.html",
        machines=found, names=policy, possible=administered_of(request).possible, zone=zone_of(work),
    )  # fmt: skip


@router.get("/new")
async def new_machine(request: Request, work: Work) -> Response:
    """The form for another one."""
    await service.begin_connection(work)
    return _form(request, work, Form({"proof": "secret"}))


@router.post("/new")
async def connect(request: Request, visit: Visiting) -> Response:
    """Another one; the page shows its secret once."""
    form = await read_form(request, visit)
    async with visit.begin() as work:
        await service.begin_connection(work)
    wanted = policy.machine_of(form)
    if form.ok:
        try:
            made = await service.connect(visit, administered_of(request), wanted)
        except (Conflict, Invalid) as refusal:
            explain(form, refusal, "jwks_url" if isinstance(refusal, Invalid) else "name")
        else:
            return _secret(request, visit, made)
    return _form(request, visit, form, status=422)


@router.get("/{subject}")
async def machine(request: Request, work: Work, subject: str) -> Response:
    """One of them."""
    found = await service.get_machine(work, subject)
    return _machine(request, work, (found, Form()))


@router.post("/{subject}/secret")
async def rotate(request: Request, visit: Visiting, subject: str) -> Response:
    """Another secret, shown once; the old one is over at once."""
    return await _sure(request, visit, subject, "rotate")


@router.post("/{subject}/remove")
async def remove(request: Request, visit: Visiting, subject: str) -> Response:
    """For good."""
    return await _sure(request, visit, subject, "remove")


async def _sure(request: Request, visit: Visit, subject: str, act: str) -> Response:
    form = await read_form(request, visit)
    at = administered_of(request)
    if form.values.get(f"sure-{act}") == "yes":
        try:
            if act == "rotate":
                return _secret(request, visit, await service.rotate(visit, at, subject))
            told = await service.remove(visit, at, subject)
            return saved(request, visit, _HERE, "machine-removed" if told else "machine-removed-untold")
        except Conflict as refusal:
            explain(form, refusal, f"sure-{act}")
    else:
        form.refuse(f"sure-{act}", CONFIRM)
    async with visit.begin() as work:
        found = await service.get_machine(work, subject)
    return _machine(request, visit, (found, form), status=422)


def _secret(request: Request, visit: Visit, made: service.Connected) -> Response:
    settings = visit.runtime.settings.identity
    return render(
        request, visit, "administration/connected.html",
        made=made, token_endpoint=f"{settings.issuer.rstrip('/')}/protocol/openid-connect/token",
        base_url=visit.request.base_url,
    )  # fmt: skip


def _form(request: Request, where: UnitOfWork | Visit, form: Form, *, status: int = 200) -> Response:
    return render(
        request, where, "administration/connect.html", status=status,
        form=form, policy=policy, possible=administered_of(request).possible,
    )  # fmt: skip


def _machine(
    request: Request, where: UnitOfWork | Visit, shown: tuple[MachineClient, Form], *, status: int = 200
) -> Response:
    found, form = shown
    return render(
        request, where, "administration/machine.html", status=status,
        machine=found, form=form, names=policy, possible=administered_of(request).possible, zone=zone_of(where),
    )  # fmt: skip
