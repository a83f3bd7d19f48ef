"""The verbs: file a paper, list what is filed, open it, take back what was filed by mistake."""

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from emr.documents.errors import DocumentNotFound, EmptyFile
from emr.documents.intake import Received
from emr.documents.kinds import kind_of
from emr.documents.names import safe_name
from emr.documents.press import Press
from emr.documents.resources import (
    DocumentSummary,
    Filed,
    UploadDocument,
    attachment_of,
    binary_resource,
    document_reference,
    inline_bytes,
    object_key,
    summary,
)
from emr.records.create import create_resource
from emr.records.read import read
from emr.records.search.find import search
from emr.records.update import update_resource
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

PAGE_ROWS: Final = 40
RETRACTED: Final = "entered-in-error"


@dataclass(frozen=True, slots=True)
class Examined:
    """A file that was read to its end: its media type by content, the file ending, how many pages."""

    received: Received
    media_type: str
    ending: str
    pages: int


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes that may be shown: `key` names them within the hospital, `chunks` gives them, also after the commit."""

    key: str
    media_type: str
    size: int
    file_name: str
    chunks: Callable[[], AsyncGenerator[bytes, None]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class OpenDocument:
    """A document and, when its bytes are here, its content."""

    summary: DocumentSummary
    retracted: bool
    content: Content | None


@dataclass(frozen=True, slots=True)
class OpenBinary:
    """A FHIR Binary: its version and when it was made, its resource as it is kept, and its bytes."""

    version: int
    last_updated: datetime
    resource: dict[str, Any]
    content: Content


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """Some of a patient's documents, newest first, how many there are in all, and the cursor of the next page."""

    documents: tuple[DocumentSummary, ...]
    total: int
    cursor: str | None


async def examine(press: Press, received: Received, declared: str) -> Examined:
    """Find out what came in, before anything is stored.

    Raises `EmptyFile`, `DocumentUnsupported`, `DocumentDamaged`, `DocumentProtected`, `PictureTooLarge`, `PressBusy`.
    """
    if received.size == 0:
        raise EmptyFile
    kind = kind_of(received.head, received.tail, declared)
    return Examined(received, kind.media_type, kind.ending, await press.examine(received.path, kind.media_type))


@use_case("document:write", "document.uploaded")
async def upload_document(work: UnitOfWork, request: UploadDocument, file: Examined) -> DocumentSummary:
    """File a paper in a patient's record.

    Raises `ResourceNotFound` for a patient or visit that is not here, `StorageFull`, `StoreUnavailable`.
    """
    await read(work, "Patient", request.patient)
    blob = await work.blobs.put(
        file.received.chunks(), media_type=file.media_type, limit=file.received.size, retention_class="record"
    )
    filed = Filed(blob, file.received.sha1, file.pages)
    await update_resource(work, binary_resource(blob, request.patient))
    reference = document_reference(request, filed, work.principal, work.clock())
    stored = await create_resource(work, reference)
    work.trail.note(bytes=blob.size, pages=file.pages, media_type=blob.media_type)
    return summary(stored.resource())


@use_case("document:read", "document.listed")
async def list_documents(work: UnitOfWork, patient: str, cursor: str = "") -> DocumentPage:
    """A patient's documents, newest first; those taken back are left out.

    Raises `Malformed` for a cursor that is not ours, `DocumentNotFound` for one of another patient's list.
    """
    asked = [
        ("patient", patient),
        ("status", "current,superseded"),
        ("_sort", "-date"),
        ("_count", str(PAGE_ROWS)),
        ("_total", "accurate"),
    ]
    page = await search(work, "DocumentReference", [("_cursor", cursor)] if cursor else asked)
    if ("patient", patient) not in page.question.echo:
        raise DocumentNotFound
    rows = tuple(summary(stored.resource()) for stored in page.matches)
    return DocumentPage(rows, page.total or 0, page.cursor)


@use_case("document:read", "document.opened")
async def open_document(work: UnitOfWork, document: str) -> OpenDocument:
    """A document with its content. Raises `ResourceNotFound`, `ResourceGone`."""
    return await _open(work, document)


@use_case("document:read", "document.downloaded")
async def open_original(work: UnitOfWork, document: str) -> Content:
    """The bytes as they were filed. Raises `ResourceNotFound`, `DocumentNotFound` when the bytes are not here."""
    return _here(await _open(work, document))


@use_case("document:read", "document.page-shown")
async def open_page(work: UnitOfWork, document: str) -> Content:
    """The bytes of which a page is about to be drawn. Raises as `open_original`."""
    return _here(await _open(work, document))


@use_case("record:read", "binary.read")
async def open_binary(work: UnitOfWork, binary: str) -> OpenBinary:
    """A FHIR Binary (R4 binary.html#rest). Raises `ResourceNotFound`, `ResourceGone`, `DocumentNotFound`."""
    return await _binary(work, binary, "")


@use_case("document:write", "document.retracted")
async def retract_document(work: UnitOfWork, document: str) -> DocumentSummary:
    """Take back what was filed by mistake: it stays in the history and leaves the lists."""
    stored = await read(work, "DocumentReference", document)
    resource = stored.resource() | {"status": RETRACTED}
    changed = await update_resource(work, resource, if_match=stored.version)
    return summary(changed.resource())


async def _open(work: UnitOfWork, document: str) -> OpenDocument:
    stored = await read(work, "DocumentReference", document)
    resource = stored.resource()
    found = summary(resource)
    content = await _content(work, resource, found, stored.version)
    return OpenDocument(found, resource.get("status") == RETRACTED, content)


async def _content(
    work: UnitOfWork, resource: Mapping[str, Any], found: DocumentSummary, version: int
) -> Content | None:
    attachment = attachment_of(resource)
    title = str(attachment.get("title", "")) or found.title
    if found.binary:
        return (await _binary(work, found.binary, title)).content
    inside = inline_bytes(attachment)
    if inside is None:
        return None
    return _inside(f"DocumentReference/{found.id}/{version}", found.media_type, title, inside)


async def _binary(work: UnitOfWork, binary: str, title: str) -> OpenBinary:
    stored = await read(work, "Binary", binary)
    resource = stored.resource()
    _concerns(work, resource)
    inside = inline_bytes(resource)
    if inside is not None:
        media_type = str(resource.get("contentType", ""))
        content = _inside(f"Binary/{binary}/{stored.version}", media_type, title, inside)
        return OpenBinary(stored.version, stored.last_updated, resource, content)
    key = object_key(binary)
    if key is None:
        raise DocumentNotFound
    # What the bytes are is in our own row: a Binary that somebody has rewritten cannot make them something else.
    blob = await work.blobs.find(key)
    name = _name(title or binary, blob.media_type)
    content = Content(key, blob.media_type, blob.size, name, lambda: work.blobs.open(blob))
    return OpenBinary(stored.version, stored.last_updated, resource, content)


def _inside(key: str, media_type: str, title: str, content: bytes) -> Content:
    async def chunks() -> AsyncGenerator[bytes, None]:
        yield content

    kind = media_type.partition(";")[0].strip().lower()
    return Content(key, kind, len(content), _name(title, kind), chunks)


def _here(document: OpenDocument) -> Content:
    if document.content is None:
        raise DocumentNotFound
    return document.content


def _name(title: str, media_type: str) -> str:
    endings = {
        "application/pdf": "pdf",
        "image/jpeg": "jpg",
        "image/png": "png",
        "image/tiff": "tif",
        "text/plain": "txt",
    }
    return safe_name(title, endings.get(media_type, "bin"))


def _concerns(work: UnitOfWork, binary: Mapping[str, Any]) -> None:
    reference = str(binary.get("securityContext", {}).get("reference", ""))
    kind, _, patient = reference.partition("/")
    if kind == "Patient":
        work.trail.concerns(patient)
