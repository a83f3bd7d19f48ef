"""The verbs of a hospital for training: asking for its reset, and how far that is."""

from emr.kernel.errors import Conflict
from emr.tenancy.requests import Request, Requests, Wanted
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case


@use_case("sandbox:reset", "sandbox.reset-looked-at")
async def latest_reset(work: UnitOfWork) -> Request | None:
    """The newest reset that was asked for. Raises `Conflict` where patients are real."""
    _demand_sandbox(work)
    async with work.runtime.databases.directory.connection() as directory:
        return await Requests(directory).latest(work.tenant.slug, "reset-sandbox")


@use_case("sandbox:reset", "sandbox.reset-asked")
async def ask_reset(work: UnitOfWork) -> None:
    """Ask for it. Raises `Conflict` where patients are real, and while one is asked for already."""
    _demand_sandbox(work)
    by = work.principal.subject, work.principal.name
    async with work.runtime.databases.directory.connection() as directory:
        key = await Requests(directory).ask(Wanted("reset-sandbox", work.tenant.slug, by, {}))
    work.trail.note(request=key)


def _demand_sandbox(work: UnitOfWork) -> None:
    if not work.tenant.sandbox:
        raise Conflict("not-a-sandbox", "This hospital is not for training; nothing of it is taken away.")
