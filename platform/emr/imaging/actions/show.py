"""Open what is kept: whole instances, single frames, bulk values, metadata, and pictures of frames."""

import json
import zlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from emr.imaging import repository
from emr.imaging.errors import InstanceNotFound, NoPicture
from emr.imaging.matching import Matching
from emr.imaging.picture import Picture, picture_from_json
from emr.imaging.renderer import Renderer
from emr.imaging.repository import KeptInstance
from emr.imaging.wishes import Wish, check_size
from emr.storage.blobs import Blob, BlobStore
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case


@dataclass(frozen=True, slots=True)
class Opened:
    """An instance that may be read now; reading needs no transaction any more."""

    kept: KeptInstance
    blob: Blob
    blobs: BlobStore

    def chunks(self, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        """The stored file, or its bytes from `start` up to but not including `end`."""
        return self.blobs.open(self.blob, start, end)

    @property
    def picture(self) -> Picture:
        """Raises NoPicture for reports and documents."""
        if self.kept.picture is None:
            raise NoPicture("dicom-no-picture", "the instance has no frames")
        return picture_from_json(self.kept.picture)


@use_case("imaging:read", "imaging.retrieved")
async def open_instances(work: UnitOfWork, matching: Matching) -> list[Opened]:
    """All that `matching` finds, at least one, in the order of their numbers. Raises InstanceNotFound."""
    found = await repository.instances_to_open(work.db, matching)
    if not found:
        raise InstanceNotFound("not-found", "There is no such study, series or instance here.")
    for kept in found:
        work.trail.read("ImagingStudy", kept.study_id)
        if kept.patient:
            work.trail.concerns(kept.patient)
    work.trail.note(instances=len(found))
    blobs = await work.blobs.find_many([kept.blob for kept in found])
    return [Opened(kept, blobs[kept.blob], work.blobs) for kept in found]


@use_case("imaging:read", "imaging.retrieved")
async def open_picture(work: UnitOfWork, matching: Matching, number: int | None = None) -> tuple[Opened, int]:
    """Picture `number` (from 1) of what `matching` finds, counting every frame of every instance, and its frame.

    None takes the one in the middle. Raises InstanceNotFound, and NoPicture when nothing there can be shown.
    """
    counts = await repository.frame_counts(work.db, matching)
    if not counts:
        raise InstanceNotFound("not-found", "There is no such study, series or instance here.")
    total = sum(frames for _, frames in counts)
    if not total:
        raise NoPicture("dicom-no-picture", "nothing here has frames")
    left = (total + 1) // 2 if number is None else number
    for instance, frames in counts if left > 0 else ():
        if left <= frames:
            [opened] = await open_instances(work, Matching(instances=(instance,)))
            return opened, left
        left -= frames
    raise InstanceNotFound("not-found", "There is no such picture here.")


@use_case("imaging:read", "imaging.metadata")
async def read_metadata(work: UnitOfWork, matching: Matching) -> list[tuple[KeptInstance, dict[str, Any]]]:
    """Each instance with its whole DICOM JSON model, without bulk data. Raises InstanceNotFound."""
    opened = await open_instances(work, matching)
    packed = await repository.metadata_of(work.db, [one.kept.instance for one in opened])
    return [(one.kept, json.loads(zlib.decompress(packed[one.kept.instance]))) for one in opened]


async def read_frame(opened: Opened, frame: int) -> list[bytes]:
    """The bytes of one frame's ranges, counted from 1. Raises InstanceNotFound, NoPicture, PictureTooLarge."""
    picture = opened.picture
    check_size(picture)
    return [await _joined(opened.chunks(start, start + length)) for start, length in picture.ranges(frame)]


async def picture_of_frame(renderer: Renderer, opened: Opened, frame: int, wish: Wish) -> bytes:
    """A JPEG or PNG of one frame. Raises as `read_frame`, and BadPicture, RenderingBusy."""
    return await renderer.render(opened.picture, await read_frame(opened, frame), wish)


async def _joined(chunks: AsyncGenerator[bytes, None]) -> bytes:
    return b"".join([chunk async for chunk in chunks])
