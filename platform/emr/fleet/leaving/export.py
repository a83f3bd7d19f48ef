"""`emr tenants export`: one hospital's exit package in a folder, begun or gone on with where it stopped."""

import shutil
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
from emr.fleet.leaving.record import Watch
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


async def export(parts: Runtime, slug: str, to: Path, watch: Watch) -> Written:
    """Write the package of a hospital into a new folder under `to`, or go on with one that was cut off there.

    Raises `NotFound`, `Conflict` when an object is not what its row says, `Unavailable`.
    """
    tenant = parts.registry.by_slug(slug)
    principal = system_principal(ACTOR, tenant_id=tenant.id)
    progress = Progress.of(_folder(parts, slug, to))
    opened = partial(unit_of_work, parts, tenant, principal, to_read=True)
    # A snapshot names transactions of one server: a hospital that has moved since has no such moment any more.
    if moment.PHASE not in progress.done or progress.facts.get("cell") != tenant.cell:
        progress = Progress(progress.root)
        await _begin(parts, tenant, principal, progress)
    else:
        async with opened() as work:
            await go_on(work)
    for phase, write in (
        (record.PHASE, partial(record.write_record, opened)),
        (trail.PHASE, partial(trail.write_trail, opened)),
        (contents.PHASE, partial(contents.write_contents, opened)),
        (derived.PHASE, derived.write_derived),
    ):
        if phase not in progress.done:
            await write(progress, watch)
    if trail.PHASE_ANCHORS not in progress.done:
        await trail.write_anchors(parts.settings, tenant, progress)
    digest = write_manifest(progress, signer_of(parts.settings))
    async with opened() as work:
        await finish(work, digest)
    await record_act(parts, "hospital.exported", {"hospital": slug, "package": digest})
    (progress.root / PROGRESS).unlink()
    return Written(progress.root, digest)


async def _begin(parts: Runtime, tenant: Tenant, principal: Principal, progress: Progress) -> None:
    shutil.rmtree(progress.root, ignore_errors=True)
    progress.root.mkdir(parents=True, mode=0o700)
    progress.keep()
    await moment.seal_all(parts, tenant)
    async with unit_of_work(parts, tenant, principal, to_read=True) as work:
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
