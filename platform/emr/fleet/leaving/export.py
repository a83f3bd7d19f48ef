"""`emr tenants export`: one hospital's exit package in a folder, begun or gone on with where it stopped."""

import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from emr.audit.anchors import signer_of
from emr.audit.rows import AuditRow
from emr.fleet.leaving import contents, derived, moment, record, trail
from emr.fleet.leaving.layout import MANIFEST, PROGRESS, WORKING
from emr.fleet.leaving.manifest import write_manifest
from emr.fleet.leaving.progress import Progress
from emr.fleet.leaving.record import Opened, Watch
from emr.identity.principal import Principal, system_principal
from emr.kernel.errors import Conflict
from emr.kernel.ids import uuid7
from emr.kernel.tenant import Tenant
from emr.work.runtime import Runtime
from emr.work.unit import UnitOfWork, unit_of_work
from emr.work.use_case import use_case

ACTOR: Final = "exit-package"
_NAME: Final = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Written:
    """A package that is whole: where it lies, and the digest of its manifest."""

    folder: Path
    digest: str


async def _quietly(step: str) -> None:
    del step


@dataclass(frozen=True, slots=True)
class Writing:
    """A package that is being written. `opened` begins transactions of the hospital; `fetched`: whether documents and
    images come into the folder too, or are left where they are for an archive. `begun` hears of each step.
    """

    parts: Runtime
    tenant: Tenant
    progress: Progress
    opened: Opened
    watch: Watch
    fetched: bool = True
    begun: Callable[[str], Awaitable[None]] = _quietly


async def export(parts: Runtime, slug: str, to: Path, watch: Watch) -> Written:
    """Write the package of a hospital into a new folder under `to`, or go on with one that was cut off there.

    Raises `NotFound`, `Conflict` when an object is not what its row says, `Unavailable`.
    """
    tenant = parts.registry.by_slug(slug)
    opened = partial(unit_of_work, parts, tenant, exporter_of(tenant), to_read=True)
    progress = Progress.of(_folder(parts, slug, to))
    digest = await write_package(Writing(parts, tenant, progress, opened, watch))
    await tell_finished(parts, tenant, digest)
    (progress.root / PROGRESS).unlink()
    return Written(progress.root, digest)


async def write_package(writing: Writing) -> str:
    """Everything up to manifest and signature, gone on with from where the folder stands; the manifest's digest."""
    parts, tenant, progress, watch = writing.parts, writing.tenant, writing.progress, writing.watch
    # A snapshot names transactions of one server: a hospital that has moved since has no such moment any more.
    if moment.PHASE not in progress.done or progress.facts.get("cell") != tenant.cell:
        progress.forget()
        await _begin(writing)
    else:
        async with writing.opened() as work:
            await go_on(work)
    for phase, write in _phases(writing):
        if phase not in progress.done:
            await writing.begun(phase)
            await write(progress, watch)
    if trail.PHASE_ANCHORS not in progress.done:
        await trail.write_anchors(parts.settings, tenant, progress)
    return write_manifest(progress, signer_of(parts.settings))


def _phases(writing: Writing) -> list[tuple[str, Callable[[Progress, Watch], Awaitable[None]]]]:
    fetching = [(contents.PHASE, partial(contents.write_contents, writing.opened))] if writing.fetched else []
    return [
        (record.PHASE, partial(record.write_record, writing.opened)),
        (trail.PHASE, partial(trail.write_trail, writing.opened)),
        *fetching,
        (derived.PHASE, derived.write_derived),
    ]


async def tell_finished(parts: Runtime, tenant: Tenant, digest: str) -> None:
    """The package is whole, in the hospital's trail and in the directory's."""
    async with unit_of_work(parts, tenant, exporter_of(tenant), to_read=True) as work:
        await finish(work, digest)
    await record_act(parts, "hospital.exported", {"hospital": tenant.slug, "package": digest})


def exporter_of(tenant: Tenant) -> Principal:
    """As whom a hospital's package is written."""
    return system_principal(ACTOR, tenant_id=tenant.id)


async def _begin(writing: Writing) -> None:
    progress = writing.progress
    shutil.rmtree(progress.root, ignore_errors=True)
    progress.root.mkdir(parents=True, mode=0o700)
    progress.keep()
    await moment.seal_all(writing.parts, writing.tenant)
    await writing.begun(moment.PHASE)
    async with writing.opened() as work:
        await moment.settle(work, progress)


@use_case("hospital:export", "hospital.export-continued")
async def go_on(work: UnitOfWork) -> None:
    """An export that was cut off goes on."""


@use_case("hospital:export", "hospital.exported")
async def finish(work: UnitOfWork, digest: str) -> None:
    """The package is whole."""
    work.trail.note(package=digest)


async def record_act(parts: Runtime, action: str, detail: dict[str, str | int]) -> None:
    """What an operator did to a hospital, in the directory's own trail."""
    principal = system_principal(ACTOR)
    row = AuditRow(None, parts.clock(), action, "success", principal, uuid7(), detail=detail)
    await parts.audit.record_directory([row])


def _folder(parts: Runtime, slug: str, to: Path) -> Path:
    """The folder of an export that was cut off, else a new one named by hospital and time."""
    for found in sorted(to.glob(f"{slug}-*")) if to.is_dir() else ():
        if (found / PROGRESS).exists():
            (found / MANIFEST).unlink(missing_ok=True)
            (found / WORKING).unlink(missing_ok=True)
            return found
    folder = to / f"{slug}-{parts.clock().strftime(_NAME)}"
    if folder.exists():
        raise Conflict("package-exists", f"There is a folder {folder.name} already.")
    return folder
