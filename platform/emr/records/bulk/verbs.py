"""What a client may do about bulk jobs: begin one, ask how far it is, fetch its files, cancel it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from emr.access.permissions import demand_sight, sight
from emr.access.scopes import demand_as_wide
from emr.definitions.dates import range_of
from emr.kernel.errors import Invalid, Malformed, NotFound
from emr.records.bulk import jobs
from emr.records.bulk.as_of import types_here
from emr.records.bulk.chosen import demand_searchable
from emr.records.bulk.jobs import File, Job, NewJob
from emr.records.bulk.rounds import wake
from emr.records.bulk.scope import EVERY, Scope, of_patients
from emr.records.bulk.worker import ROUND
from emr.records.history import LATE
from emr.records.read import read
from emr.storage.blobs import Blob
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

_DEPENDENCIES = (
    "Organization", "Location", "Practitioner", "PractitionerRole", "HealthcareService", "Medication", "Patient",
    "RelatedPerson", "Coverage", "EpisodeOfCare", "Encounter",
)  # fmt: skip
"""Files of these types come first: most others refer to them."""


@dataclass(frozen=True, slots=True)
class AskedExport:
    """A kick-off. `group`: id of a Group, whose members' records are wanted; `every_patient`: all patients' records.

    `patients` narrows either to some. `filters` are pairs of type and query.
    """

    request: str
    types: Sequence[str] | None = None
    since: str | None = None
    filters: Sequence[tuple[str, str]] = ()
    every_patient: bool = False
    group: str | None = None
    patients: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was streamed to the hospital's object store before its transaction."""

    blob: Blob
    name: str


@dataclass(frozen=True, slots=True)
class AskedImport:
    """A kick-off: files that were uploaded before, as pairs of the job that holds one and a name for reports."""

    request: str
    inputs: Sequence[tuple[str, str]] = ()
    upload: Upload | None = field(default=None)


@use_case("bulk:export", "bulk.export-begun")
async def begin_export(work: UnitOfWork, asked: AskedExport) -> str:
    """Write an export down for the workers, and give its name.

    It shows the record as it is now. Raises `Forbidden` for a type that the role does not see, `SearchRefused` for a
    filter that no search understands, `ResourceNotFound` for a Group that is not here, `TooManyRequests`.
    """
    whose = await _patients(work, asked)
    types = await _types(work, asked, only_patients=whose is not None)
    filters: dict[str, list[str]] = {}
    for resource_type, query in asked.filters:
        if asked.types is not None and resource_type not in asked.types:
            rule = f"_typeFilter speaks of {resource_type}, which _type leaves out."
            raise Malformed("type-filter", rule, location="_typeFilter")
        await demand_searchable(work, resource_type, query)
        filters.setdefault(resource_type, []).append(query)
    since = _moment(asked.since)
    before = None if since is None else await jobs.snapshot_at(work, since)
    if since is not None and before == "":
        # What was being written at that moment is brought again rather than missed.
        since, before = since - LATE, None
    scope = Scope(types, filters, whose, since.isoformat() if since else None, before)
    work.trail.take()
    name = await _begin(work, NewJob("export", "waiting", asked.request, scope.kept()))
    work.trail.note(job=name, types=len(types), filters=len(asked.filters), since=since is not None)
    _note_patients(work, whose)
    return name


@use_case("bulk:export", "bulk.asked-after")
async def ask_after_export(work: UnitOfWork, job_id: str) -> Job:
    """How far an export of one's own is. Raises `NotFound`, `TooManyRequests` when asked too often while it runs."""
    return await _asked_after(work, "export", job_id)


@use_case("record:import", "bulk.asked-after")
async def ask_after_import(work: UnitOfWork, job_id: str) -> Job:
    """The same for an import."""
    return await _asked_after(work, "import", job_id)


@use_case("bulk:export", "bulk.export-cancelled")
async def cancel_export(work: UnitOfWork, job_id: str) -> None:
    """End it and let its files go. Raises `NotFound`."""
    await _cancel(work, "export", job_id)


@use_case("record:import", "bulk.import-cancelled")
async def cancel_import(work: UnitOfWork, job_id: str) -> None:
    """End it; what it has stored stays. Raises `NotFound`."""
    await _cancel(work, "import", job_id)


@use_case("bulk:export", "bulk.file-downloaded")
async def open_export_file(work: UnitOfWork, job_id: str, number: int) -> Blob:
    """A file of an export of one's own. Raises `NotFound`."""
    return await _open_file(work, "export", job_id, number)


@use_case("record:import", "bulk.report-downloaded")
async def open_import_file(work: UnitOfWork, job_id: str, number: int) -> Blob:
    """A report of an import of one's own. Raises `NotFound`."""
    return await _open_file(work, "import", job_id, number)


@use_case("record:import", "bulk.file-uploaded")
async def keep_upload(work: UnitOfWork, upload: Upload, request: str) -> str:
    """Keep a file for an import that will name it; gives its name. Raises `Forbidden` in a read-only hospital."""
    work.tenant.demand_writable()
    file = File("input", "", upload.blob.key, 0, upload.blob.size)
    work.trail.note(bytes=upload.blob.size)
    new = NewJob("upload", "done", request, {"name": upload.name}, (file,))
    return await jobs.add(work, new, most_open=work.runtime.settings.bulk.open_jobs)


@use_case("record:import", "bulk.import-begun")
async def begin_import(work: UnitOfWork, asked: AskedImport) -> str:
    """Write an import down for the workers, and give its name.

    Raises `NotFound` for a file that nobody uploaded, `Forbidden` in a read-only hospital, `TooManyRequests`.
    """
    work.tenant.demand_writable()
    inputs, files = [], []
    if asked.upload is not None:
        inputs.append({"name": asked.upload.name, "blob": asked.upload.blob.key})
        files.append(File("input", "", asked.upload.blob.key, 0, asked.upload.blob.size))
    for upload, name in asked.inputs:
        held = await jobs.find(work, "upload", upload)
        inputs.append({"name": name, "blob": held.files[0].blob})
    if not inputs:
        raise Malformed("parameter-required", "An import has at least one file.", location="input")
    work.trail.note(files=len(inputs))
    return await _begin(work, NewJob("import", "waiting", asked.request, {"inputs": inputs}, files))


async def _begin(work: UnitOfWork, new: NewJob) -> str:
    name = await jobs.add(work, new, most_open=work.runtime.settings.bulk.open_jobs)
    await wake(work.runtime.databases.cell(work.tenant.cell).relay, ROUND, work.tenant)
    return name


async def _asked_after(work: UnitOfWork, kind: jobs.Kind, job_id: str) -> Job:
    job = await _own(work, kind, job_id)
    if job.state in jobs.OPEN:
        await jobs.demand_patience(work, job.id, work.runtime.settings.bulk.poll_seconds)
    return job


async def _cancel(work: UnitOfWork, kind: jobs.Kind, job_id: str) -> None:
    job = await _own(work, kind, job_id)
    await jobs.end(work, job)
    await wake(work.runtime.databases.cell(work.tenant.cell).relay, ROUND, work.tenant)


async def _open_file(work: UnitOfWork, kind: jobs.Kind, job_id: str, number: int) -> Blob:
    job = await _own(work, kind, job_id)
    if job.state != "done" or not 0 <= number < len(job.files) or job.files[number].role == "input":
        raise NotFound("bulk-file-unknown", "The job has no such file.")
    file = job.files[number]
    blob = await work.blobs.find(file.blob)
    work.trail.note(job=job.id, file=number, lines=file.lines, bytes=blob.size, type=file.type)
    if kind == "export":
        _note_patients(work, job.asked["patients"])
    return blob


async def _own(work: UnitOfWork, kind: jobs.Kind, job_id: str) -> Job:
    """A job of one's own, begun with no more sight than one has now: a token of narrower scopes gets no more by it."""
    job = await jobs.find(work, kind, job_id)
    if kind == "export":
        for resource_type in job.asked["types"]:
            demand_sight(work.principal, resource_type)
            demand_as_wide(work.principal, job.principal, resource_type)
    return job


def _note_patients(work: UnitOfWork, whose: Sequence[str] | None) -> None:
    """Those whose records were named; of a whole hospital the row says that it was the whole."""
    if whose is not None and EVERY not in whose and len(whose) <= 1_000:
        work.trail.concerns(*whose)


async def _types(work: UnitOfWork, asked: AskedExport, *, only_patients: bool) -> list[str]:
    """The types in the order of their files: those asked for, or all that are here and that the role sees."""
    if asked.types is not None:
        for resource_type in asked.types:
            demand_sight(work.principal, resource_type)
        found = list(dict.fromkeys(asked.types))
    else:
        seen = sight(work.principal)
        found = [name for name in await types_here(work.db) if seen is None or name in seen]
    order = {name: place for place, name in enumerate(_DEPENDENCIES)}
    chosen = [name for name in found if not only_patients or of_patients(name)]
    return sorted(chosen, key=lambda name: (order.get(name, len(order)), name))


async def _patients(work: UnitOfWork, asked: AskedExport) -> list[str] | None:
    if asked.group is None:
        if not asked.every_patient:
            return None
        return list(asked.patients) or [EVERY]
    members = _members((await read(work, "Group", asked.group)).resource())
    if not asked.patients:
        return members
    foreign = [patient for patient in asked.patients if patient not in set(members)]
    if foreign:
        raise Invalid(
            "patient-not-member", "A patient that is asked for is no member of the Group.", location="patient"
        )
    return list(asked.patients)


def _members(group: Mapping[str, Any]) -> list[str]:
    """Ids of the Patients in a Group, without inactive members (https://hl7.org/fhir/R4/group.html)."""
    if not group.get("member"):
        raise Invalid("group-without-members", "The Group names no members.", location="Group.member")
    names = [str(each["entity"].get("reference", "")) for each in group["member"] if not each.get("inactive")]
    return list(dict.fromkeys(name.removeprefix("Patient/") for name in names if name.startswith("Patient/")))


def _moment(since: str | None) -> datetime | None:
    if since is None:
        return None
    try:
        return range_of(since, UTC).low
    except ValueError as error:
        raise Malformed("since-form", "_since is an instant.", location="_since") from error
