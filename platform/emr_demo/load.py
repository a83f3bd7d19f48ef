"""Takes the made-up patients into the hospitals, through the platform's own verbs.

May be cut short at any moment: each patient comes in one transaction and is known by their record number, each paper
by its kind and file name, each image by its UID, so that the next start goes on where this one ended.
"""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from emr.documents.intake import received
from emr.documents.papers import LOINC, papers
from emr.documents.press import Press
from emr.documents.resources import UploadDocument
from emr.documents.service import examine, upload_document
from emr.identity.principal import system_principal
from emr.imaging.actions.store import store_instances
from emr.imaging.parse import read_arrival
from emr.kernel import json
from emr.kernel.tenant import Tenant
from emr.records.entries import entries_of
from emr.records.search.find import search
from emr.records.transaction import transaction
from emr.settings import Settings
from emr.work.runtime import Runtime, runtime
from emr.work.unit import UnitOfWork, unit_of_work
from emr_demo.folder import DemoFolder
from emr_demo.people import PROFILES, HospitalProfile, generate
from emr_demo.people.care import ZONE
from emr_demo.people.fhir import RECORD_NUMBER, Resource, as_bytes
from emr_demo.people.files import MadeFile, files

_SEED = 1
_NAME = "Dữ liệu mẫu"


def main() -> None:
    """`python -m emr_demo.load FOLDER`: fill every hospital that has made-up patients and is not full yet.

    The settings come from the environment. Ends with 0 when every hospital is full.
    """
    folder = DemoFolder(Path(sys.argv[1]))
    asyncio.run(_load_all(Settings(), folder, folder.born(datetime.now(ZONE).date())))


@dataclass(frozen=True)
class Ward:
    """Where one hospital's patients go: the running parts, the hospital, and the bar that moves."""

    parts: Runtime
    press: Press
    tenant: Tenant
    bar: Progress
    task: TaskID

    def unit(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """A transaction of the loader in this hospital."""
        loader = replace(system_principal("demo", tenant_id=self.tenant.id), name=_NAME)
        return unit_of_work(self.parts, self.tenant, loader)


async def _load_all(settings: Settings, folder: DemoFolder, day: date) -> None:
    parts, press = runtime(settings), Press()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    await parts.open()
    try:
        here = {tenant.slug for tenant in parts.registry.all()} - set(folder.loaded())
        profiles = [profile for slug, profile in PROFILES.items() if slug in here]
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            wards = [
                Ward(parts, press, parts.registry.by_slug(one.slug), bar, bar.add_task(one.name)) for one in profiles
            ]
            await asyncio.gather(*(fill(ward, one, day) for ward, one in zip(wards, profiles, strict=True)))
        folder.remember(loaded=sorted({*folder.loaded(), *here}))
    finally:
        press.close()
        await parts.close()


async def fill(ward: Ward, profile: HospitalProfile, day: date) -> None:
    """One hospital: its own resources first, then the patients, then what they bring along."""
    bundles = await asyncio.to_thread(lambda: list(generate(profile, seed=_SEED, today=day)))
    made = await asyncio.to_thread(lambda: list(files(profile, seed=_SEED, today=day)))
    ward.bar.update(ward.task, total=len(bundles) + len(made))
    for bundle in bundles:
        await _admit(ward, bundle)
    for paper in (one for one in made if one.kind == "paper"):
        await _file(ward, paper)
    images = [one for one in made if one.kind == "image"]
    for _, study in groupby(images, key=lambda image: (image.record_number, image.title, image.day)):
        await _keep(ward, list(study))


async def _admit(ward: Ward, bundle: Resource) -> None:
    """One transaction: a patient with everything, or the hospital's own resources."""
    kind, criterion = _known_by(bundle)
    async with ward.unit() as work:
        if not (await search(work, kind, [criterion])).matches:
            await transaction(work, entries_of(json.parse(as_bytes(bundle)).value))
    ward.bar.advance(ward.task)


async def _file(ward: Ward, paper: MadeFile) -> None:
    """A scanned paper, looked at by the same process apart that looks at uploads."""
    async with received(_once(paper.content), len(paper.content)) as file:
        examined = await examine(ward.press, file, paper.media_type)
        async with ward.unit() as work:
            patient = await _patient(work, paper.record_number)
            if patient is not None and not await _filed(work, patient, paper):
                request = UploadDocument(
                    patient=patient,
                    paper=papers()[paper.loinc],
                    title=paper.title,
                    day=paper.day.isoformat(),
                    file_name=paper.filename,
                )
                await upload_document(work, request, examined)
    ward.bar.advance(ward.task)


async def _keep(ward: Ward, images: Sequence[MadeFile]) -> None:
    """The instances of one study."""
    with tempfile.TemporaryDirectory(prefix="emr-demo-") as folder:
        paths = [Path(folder) / image.filename for image in images]
        for path, image in zip(paths, images, strict=True):
            path.write_bytes(image.content)
        arrivals = [await read_arrival(path) for path in paths]
        async with ward.unit() as work:
            for outcome in await store_instances(work, arrivals):
                if outcome.refusal is not None:
                    raise outcome.refusal
    ward.bar.advance(ward.task, len(images))


async def _patient(work: UnitOfWork, number: str) -> str | None:
    page = await search(work, "Patient", [("identifier", f"{RECORD_NUMBER}|{number}")])
    return page.matches[0].id if page.matches else None


async def _filed(work: UnitOfWork, patient: str, paper: MadeFile) -> bool:
    """Whether the patient has a document of this kind with the same file name."""
    page = await search(work, "DocumentReference", [("patient", patient), ("type", f"{LOINC}|{paper.loinc}")])
    attachments = [stored.resource()["content"][0]["attachment"] for stored in page.matches]
    return any(attachment.get("title") == paper.filename for attachment in attachments)


def _known_by(bundle: Resource) -> tuple[str, tuple[str, str]]:
    """The type of a Bundle's first resource, and the search that finds it once the Bundle has been taken in."""
    first = bundle["entry"][0]["resource"]
    if first["resourceType"] != "Patient":
        return first["resourceType"], ("_id", first["id"])
    number = next(one["value"] for one in first["identifier"] if one["system"] == RECORD_NUMBER)
    return "Patient", ("identifier", f"{RECORD_NUMBER}|{number}")


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


if __name__ == "__main__":
    main()
