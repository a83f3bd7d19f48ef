"""From a file on disk to what the archive keeps about it, without loading the file.

First the structure is walked (`scan`), then the header alone, cut out by that walk, is given to pydicom.
"""

import asyncio
import hashlib
import io
import json
import mmap
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import pydicom
from pydicom import config as pydicom_config
from pydicom.dataset import Dataset

from emr.imaging.attributes import PARSER_FAILURES, facts_of, whole
from emr.imaging.errors import BadIdentifier, BrokenStructure, NotDicom
from emr.imaging.facts import Identity
from emr.imaging.layout import picture_of
from emr.imaging.parsed import INSTANCE_TAGS, SERIES_TAGS, STUDY_TAGS, Arrival, Bulk, Parsed
from emr.imaging.scan import Buffer, Structure, scan

_STEP = 1024 * 1024
_DOCUMENT = 0x00420011


async def read_arrival(path: Path) -> Arrival:
    """Read a spooled file outside of any transaction, in a thread of this process. Raises the refusals of `parse`."""
    return Arrival(path, await asyncio.to_thread(parse, path))


def parse(path: Path) -> Parsed:
    """Read one DICOM file (PS3.10). Memory is bounded by the header's limit; safe to run in a thread.

    Raises NotDicom, BrokenStructure, HeaderTooLarge, UnsupportedSyntax, BadIdentifier, BadPicture.
    """
    if not path.stat().st_size:
        raise NotDicom("not-dicom", "the file is empty")
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        memoryview(mapped) as data,
    ):
        return _parse(data, file)


def _parse(data: memoryview, file: BinaryIO) -> Parsed:
    structure = scan(data)
    header = read_header(data, structure)
    facts = facts_of(header)
    _check_meta(header, facts.identity)
    model = _model(header)
    return Parsed(
        facts=facts,
        syntax=structure.syntax,
        digest=_digest(file, structure),
        size=len(data),
        picture=picture_of(header, structure, data),
        bulk=tuple(_trimmed(bulk, header) for bulk in structure.bulk),
        metadata=zlib.compress(json.dumps(model, ensure_ascii=False).encode("utf-8", "replace"), 6),
        series_attributes={tag: model[tag] for tag in (*STUDY_TAGS, *SERIES_TAGS) if tag in model},
        instance_attributes={tag: model[tag] for tag in INSTANCE_TAGS if tag in model},
        document=str(header.get("MIMETypeOfEncapsulatedDocument") or "") or None,
    )


def read_header(data: Buffer, structure: Structure) -> Dataset:
    """The dataset without its bulk values. Raises BrokenStructure where pydicom cannot follow."""
    pydicom_config.settings.reading_validation_mode = pydicom_config.IGNORE
    header = b"".join(bytes(data[start:end]) for start, end in structure.header)
    try:
        return pydicom.dcmread(io.BytesIO(header))
    except PARSER_FAILURES as failure:
        raise BrokenStructure("dicom-structure", "the header cannot be read") from failure


def _check_meta(header: Dataset, identity: Identity) -> None:
    """The file meta information names the same instance as the dataset, or nothing (PS3.10 section 7.1)."""
    meta = header.file_meta
    for keyword, expected in (
        ("MediaStorageSOPClassUID", identity.sop_class),
        ("MediaStorageSOPInstanceUID", identity.instance),
    ):
        if meta.get(keyword) not in (None, "", expected):
            raise BadIdentifier("dicom-meta", f"{keyword} is not that of the dataset", location=keyword)


def _trimmed(bulk: Bulk, header: Dataset) -> Bulk:
    """An encapsulated document without the byte that pads it to an even length (PS3.3 section C.24.2)."""
    length = whole(header, "EncapsulatedDocumentLength")
    if bulk.tag != _DOCUMENT or length is None or not 0 < length <= bulk.length:
        return bulk
    return Bulk(bulk.tag, bulk.vr, bulk.offset, length)


def _digest(file: BinaryIO, structure: Structure) -> str:
    """Read and not mapped: mapped pages would count as this process's memory, gigabytes of them."""
    digest = hashlib.sha256(structure.syntax.encode())
    file.seek(structure.dataset)
    while chunk := file.read(_STEP):
        digest.update(chunk)
    return digest.hexdigest()


def _model(header: Dataset) -> dict[str, Any]:
    """The DICOM JSON model of the header. Private attributes are left out: their meaning is their maker's."""
    try:
        header.remove_private_tags()
        model = dict(sorted(header.to_json_dict(suppress_invalid_tags=True).items()))
    except PARSER_FAILURES as failure:
        raise BrokenStructure("dicom-structure", "the header cannot be read") from failure
    model["00080005"] = {"vr": "CS", "Value": ["ISO_IR 192"]}
    return model
