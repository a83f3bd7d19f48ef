"""Invented DICOM files made in memory, and the files that the yardsticks name when they are on this machine."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

CT = "1.2.840.10008.5.1.4.1.1.2"
ROOT = "1.2.826.0.1.3680043.10.1."
SHARED = Path(os.environ.get("EMR_TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))


def shared(name: str) -> Path:
    """A file of the yardsticks, such as `dicom/pydicom/CT_small.dcm`."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"the test data is not there: {name}; set EMR_TEST_DATA")
    return path


def slice_of(number: int = 1, *, study: str = "1", series: str = "1", size: int = 16, **changes: Any) -> FileDataset:
    """A small CT slice; `changes` are attributes by keyword, None removes one."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CT
    meta.MediaStorageSOPInstanceUID = f"{ROOT}{study}.{series}.{number}"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    pixels = np.arange(size * size, dtype="<u2").reshape(size, size) + number
    values: dict[str, Any] = {
        "SpecificCharacterSet": "ISO_IR 192",
        "SOPClassUID": CT,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "StudyDate": "20261101",
        "StudyTime": "081500",
        "AccessionNumber": "ACC1",
        "Modality": "CT",
        "StudyDescription": "CT ngực",
        "SeriesDescription": "Không cản quang",
        "PatientName": "Đặng^Thị Thử",
        "PatientID": "BN-TEST-1",
        "PatientBirthDate": "19800510",
        "PatientSex": "F",
        "StudyInstanceUID": f"{ROOT}{study}",
        "SeriesInstanceUID": f"{ROOT}{study}.{series}",
        "StudyID": "S1",
        "SeriesNumber": int(series),
        "InstanceNumber": number,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": size,
        "Columns": size,
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 0,
        "RescaleIntercept": "-100",
        "RescaleSlope": "1",
        "PixelData": pixels.tobytes(),
    }
    for keyword, value in (values | changes).items():
        if value is not None:
            setattr(made, keyword, value)
    meta.MediaStorageSOPInstanceUID = made.get("SOPInstanceUID", meta.MediaStorageSOPInstanceUID)
    return made


def encoded(dataset: Dataset) -> bytes:
    """The dataset as a DICOM file."""
    out = io.BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    return out.getvalue()


def implicit(dataset: FileDataset) -> bytes:
    """The same file in implicit little endian."""
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    out = io.BytesIO()
    dataset.save_as(out, enforce_file_format=True, implicit_vr=True, little_endian=True)
    return out.getvalue()


def write(folder: Path, content: bytes, name: str = "instance.dcm") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path
