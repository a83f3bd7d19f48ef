"""The FHIR shapes of a document: DocumentReference (its place in the record) and Binary (its bytes). Pure.

A Binary's id is the name of the object that holds its bytes, so that the bytes are found without a table of their own.
Its `data` is never stored; whoever asks for the Binary gets the bytes.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from emr.documents.papers import LOINC, Paper
from emr.identity.principal import Principal
from emr.storage.blobs import Blob
from emr.storage.ports import key_named, name_of

Resource = dict[str, Any]

PAGES: Final = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Attachment.pages"
"""R5's `Attachment.pages`, as R4 carries it (https://hl7.org/fhir/R5/versions.html#extensions)."""
_BINARY: Final = re.compile(r"Binary/([A-Za-z0-9.-]{1,64})")


@dataclass(frozen=True, slots=True)
class UploadDocument:
    """A request to file a paper.

    `day`: the paper's own date as a FHIR date, "" when unknown. `title`: what a person typed, may be empty.
    """

    patient: str
    paper: Paper
    title: str
    day: str
    file_name: str
    encounter: str = ""


@dataclass(frozen=True, slots=True)
class Filed:
    """What is known of the file when it has been stored: SHA-1 of its bytes, its pages."""

    blob: Blob
    sha1: bytes
    pages: int


@dataclass(frozen=True, slots=True)
class DocumentSummary:
    """A row of a list.

    `day`: FHIR date of the paper or of its filing. `pages` is 0 when unknown. `binary`: id of the Binary, "" when the
    bytes are inside the DocumentReference or elsewhere.
    """

    id: str
    patient: str
    title: str
    kind: str
    day: str
    filed: str
    author: str
    media_type: str
    size: int
    pages: int
    binary: str


def binary_id(key: str) -> str:
    """The id of the Binary whose bytes lie under this object key."""
    return name_of(key)


def object_key(binary: str) -> str | None:
    """The object key of a Binary's bytes, or None when its id is not one that we make."""
    return key_named(binary)


def binary_resource(blob: Blob, patient: str) -> Resource:
    """The Binary of stored bytes; access follows the patient's record (R4 Binary.securityContext)."""
    return {
        "resourceType": "Binary",
        "id": binary_id(blob.key),
        "contentType": blob.media_type,
        "securityContext": {"reference": f"Patient/{patient}"},
    }


def document_reference(request: UploadDocument, filed: Filed, author: Principal, now: datetime) -> Resource:
    """The DocumentReference of a paper (R4 documentreference.html)."""
    paper = request.paper
    attachment: Resource = {
        "extension": [{"url": PAGES, "valuePositiveInt": filed.pages}],
        "contentType": filed.blob.media_type,
        "url": f"Binary/{binary_id(filed.blob.key)}",
        "size": filed.blob.size,
        "hash": base64.b64encode(filed.sha1).decode("ascii"),
        "title": request.file_name,
    }
    if request.day:
        attachment["creation"] = request.day
    resource: Resource = {
        "resourceType": "DocumentReference",
        "status": "current",
        "docStatus": "final",
        "type": {
            "coding": [{"system": LOINC, "code": paper.code, "display": paper.display}],
            "text": paper.vi,
        },
        "subject": {"reference": f"Patient/{request.patient}"},
        "date": now.isoformat(timespec="milliseconds"),
        "author": [{"type": "Practitioner", "identifier": {"value": author.subject}, "display": author.name}],
        "description": request.title or paper.vi,
        "content": [{"attachment": attachment}],
    }
    if request.encounter:
        resource["context"] = {"encounter": [{"reference": f"Encounter/{request.encounter}"}]}
    return resource


def summary(resource: Mapping[str, Any]) -> DocumentSummary:
    """A row from any DocumentReference, also one that another system wrote."""
    attachment = attachment_of(resource)
    kind = _words(resource.get("type")) or _words(next(iter(resource.get("category", ())), None))
    author: Mapping[str, Any] = next(iter(resource.get("author", ())), {})
    filed = str(resource.get("date", ""))
    link = _BINARY.fullmatch(str(attachment.get("url", "")))
    return DocumentSummary(
        id=str(resource.get("id", "")),
        patient=str(resource.get("subject", {}).get("reference", "")).removeprefix("Patient/"),
        title=str(resource.get("description") or attachment.get("title") or kind),
        kind=kind,
        day=str(attachment.get("creation") or filed),
        filed=filed,
        author=str(author.get("display", "")),
        media_type=str(attachment.get("contentType", "")).partition(";")[0].strip().lower(),
        size=int(attachment.get("size", 0)),
        pages=_pages(attachment),
        binary=link[1] if link else "",
    )


def attachment_of(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    """The first attachment: what a person sees of a document."""
    content: Sequence[Mapping[str, Any]] = resource.get("content", ())
    first: Mapping[str, Any] = next(iter(content), {})
    attachment: Mapping[str, Any] = first.get("attachment", {})
    return attachment


def inline_bytes(attachment: Mapping[str, Any]) -> bytes | None:
    """The bytes that stand inside a resource, or None."""
    data = attachment.get("data")
    return base64.b64decode("".join(str(data).split())) if data else None


def _pages(attachment: Mapping[str, Any]) -> int:
    found = (item.get("valuePositiveInt", 0) for item in attachment.get("extension", ()) if item.get("url") == PAGES)
    return int(next(found, 0))


def _words(concept: Mapping[str, Any] | None) -> str:
    if not concept:
        return ""
    codings: Sequence[Mapping[str, Any]] = concept.get("coding", ())
    displays = (str(item["display"]) for item in codings if item.get("display"))
    return str(concept.get("text") or next(displays, ""))
