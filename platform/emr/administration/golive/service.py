"""The verbs on a hospital's checklist of going live, each with a row in the hospital's journal."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from emr.administration.golive.evidence import LARGEST, Evidence, media_type_of
from emr.kernel.errors import NotFound
from emr.tenancy.golive import Change, Checklists, Group, Item, is_offices, point_of
from emr.work.office_files import open_office_file
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case


@use_case("golive:edit", "golive.shown")
async def show(work: UnitOfWork) -> list[tuple[Group, list[Item]]]:
    """The whole checklist."""
    async with _kept(work) as kept:
        return await kept.of(work.tenant.id)


@use_case("golive:edit", "golive.point-shown")
async def point(work: UnitOfWork, code: str) -> Item:
    """One point. Raises `NotFound`."""
    return await _item(work, code)


@use_case("golive:edit", "golive.changed")
async def write(work: UnitOfWork, change: Change) -> None:
    """Change a point. Raises `NotFound`, `Invalid` by field."""
    before = await _item(work, change.code)
    async with _kept(work) as kept:
        await kept.write(work.tenant.id, change)
    work.trail.note(point=change.code, before=before.state, after=change.state)


@use_case("golive:edit", "golive.evidence-kept")
async def keep(work: UnitOfWork, code: str, title: str, content: bytes) -> dict[str, Any]:
    """Store the bytes of a file, and give what `attach` writes down. Raises `NotFound`, `Invalid`, `StorageFull`."""
    point_of(code)
    media_type = media_type_of(title, content)
    blob = await work.blobs.put(_once(content), media_type=media_type, limit=LARGEST)
    digest = hashlib.sha256(content).hexdigest()
    work.trail.note(point=code, sha256=digest, size=blob.size)
    at = work.clock().isoformat()
    return {"key": blob.key, "title": title, "type": media_type, "size": blob.size, "at": at,
            "by": work.principal.name}  # fmt: skip


@use_case("golive:edit", "golive.evidence-added")
async def attach(work: UnitOfWork, code: str, file: dict[str, Any]) -> None:
    """Write a file that is kept down at its point. Raises `NotFound`, `Invalid` when there are too many."""
    async with _kept(work) as kept:
        await kept.attach(work.tenant.id, code, file, (work.principal.subject, work.principal.name))
    work.trail.note(point=code)


@use_case("golive:edit", "golive.evidence-read")
async def open_evidence(work: UnitOfWork, code: str, number: int) -> Evidence:
    """A file of a point, the hospital's own or the department's, by its place from 1. Raises `NotFound`."""
    files: Sequence[Any] = (await _item(work, code)).evidence
    if not 1 <= number <= len(files):
        raise NotFound("evidence-unknown", "There is no such file.")
    file = files[number - 1]
    work.trail.note(point=code, file=number)
    if is_offices(file):
        return Evidence(file["title"], file["type"], await open_office_file(work.runtime, file["key"], file["size"]))
    blob = await work.blobs.find(file["key"])
    content = b"".join([chunk async for chunk in work.blobs.open(blob)])
    return Evidence(file["title"], blob.media_type, content)


async def _item(work: UnitOfWork, code: str) -> Item:
    point_of(code)
    async with _kept(work) as kept:
        items = [item for _, each in await kept.of(work.tenant.id) for item in each]
    return next(item for item in items if item.point.code == code)


@asynccontextmanager
async def _kept(work: UnitOfWork) -> AsyncIterator[Checklists]:
    async with work.runtime.databases.directory.connection() as directory:
        yield Checklists(directory)


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
