"""Images made by computation: something like a chest X-ray, and a phantom of slices through a trunk. Nobody's body."""

import io
import uuid
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    CTImageStorage,
    ExplicitVRLittleEndian,
)

from emr_demo.people.person import Person

Pixels = NDArray[np.uint16]

SLICES = 24
_EDGE = 256
_AIR, _LUNG, _FAT, _WATER, _TISSUE, _BONE = -1000, -820, -90, 0, 45, 700  # Hounsfield units
_NAMESPACE = uuid.UUID("6f0a4f0e-7f1b-4a53-9d0c-2b8f5c1e9a10")


@dataclass(frozen=True)
class Study:
    """Whose, what and when; `house` and `accession` tell hospitals and studies apart."""

    person: Person
    house: str
    accession: str
    description: str
    when: datetime

    def uid(self, *parts: str) -> str:
        """A UID that is always the same for the same study and part."""
        return f"2.25.{uuid.uuid5(_NAMESPACE, '/'.join((self.house, self.accession, *parts))).int}"


def chest_image(study: Study, *, view: str = "PA", seed: int = 0) -> bytes:
    """A DICOM CR instance of 448 rows and 384 columns, 12 bits."""
    pixels = _chest(np.random.default_rng(seed), lateral=view != "PA")
    dataset = _instance(study, "CR", ComputedRadiographyImageStorage, number=1 if view == "PA" else 2)
    dataset.SeriesInstanceUID = study.uid("series", view)
    dataset.SeriesNumber = 1 if view == "PA" else 2
    dataset.SeriesDescription = "Ngực thẳng" if view == "PA" else "Ngực nghiêng"
    dataset.BodyPartExamined = "CHEST"
    dataset.ViewPosition = view
    dataset.PixelSpacing = [0.8, 0.8]
    dataset.WindowCenter, dataset.WindowWidth = 2048, 3600
    return _written(dataset, pixels, stored=12)


def phantom_slices(study: Study, *, seed: int = 0) -> list[bytes]:
    """A CT series of 24 axial slices of 256 x 256, 5 mm apart."""
    random = np.random.default_rng(seed)
    return [_slice(study, index, _trunk(random, index / (SLICES - 1))) for index in range(SLICES)]


def _slice(study: Study, index: int, hounsfield: NDArray[np.float32]) -> bytes:
    dataset = _instance(study, "CT", CTImageStorage, number=index + 1)
    dataset.SeriesInstanceUID = study.uid("series", "axial")
    dataset.FrameOfReferenceUID = study.uid("frame")
    dataset.SeriesNumber = 1
    dataset.SeriesDescription = "Phantom 5 mm"
    dataset.BodyPartExamined = "CHEST"
    dataset.ImagePositionPatient = [-200.0, -200.0, -5.0 * index]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing = [1.5625, 1.5625]
    dataset.SliceThickness = 5
    dataset.SliceLocation = -5.0 * index
    dataset.KVP = 120
    dataset.RescaleIntercept, dataset.RescaleSlope = -1024, 1
    dataset.WindowCenter, dataset.WindowWidth = [40, -600], [400, 1500]
    return _written(dataset, np.clip(hounsfield + 1024, 0, 4095).astype(np.uint16), stored=12)


def _instance(study: Study, modality: str, storage: str, *, number: int) -> Dataset:
    """Everything that does not depend on the pixels."""
    person, dataset = study.person, Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = storage
    dataset.SOPInstanceUID = study.uid(modality, str(number))
    dataset.StudyInstanceUID = study.uid()
    dataset.StudyID = study.accession[-6:]
    dataset.AccessionNumber = study.accession
    dataset.StudyDescription = study.description
    dataset.StudyDate, dataset.StudyTime = f"{study.when:%Y%m%d}", f"{study.when:%H%M%S}"
    dataset.SeriesDate, dataset.SeriesTime = dataset.StudyDate, dataset.StudyTime
    dataset.ContentDate, dataset.ContentTime = dataset.StudyDate, dataset.StudyTime
    dataset.AcquisitionDate, dataset.AcquisitionTime = dataset.StudyDate, dataset.StudyTime
    dataset.Modality, dataset.InstanceNumber = modality, number
    given = " ".join(part for part in (person.name.middle, person.name.given) if part)
    dataset.PatientName = f"{person.name.family}^{given}"
    dataset.PatientID = person.record_number
    dataset.PatientBirthDate = f"{person.born:%Y%m%d}"
    dataset.PatientSex = "F" if person.female else "M"
    dataset.InstitutionName = study.house
    dataset.Manufacturer, dataset.ManufacturerModelName = "EMR demo", "Computed, not taken"
    dataset.ReferringPhysicianName = ""
    dataset.PatientOrientation = ["L", "F"] if modality == "CR" else ["L", "P"]
    dataset.ImageType = ["ORIGINAL", "PRIMARY"] + (["AXIAL"] if modality == "CT" else [])
    return dataset


def _written(dataset: Dataset, pixels: Pixels, *, stored: int) -> bytes:
    """The instance as a DICOM file, Explicit VR Little Endian."""
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, stored, stored - 1
    dataset.PixelRepresentation = 0
    dataset.PixelData = pixels.astype("<u2").tobytes()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    out = io.BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    return out.getvalue()


def _chest(random: np.random.Generator, *, lateral: bool) -> Pixels:
    """Shadows drawn as shapes, blurred as X-rays are, with quantum noise; 12 bits."""
    image = Image.new("L", (384, 448), 18)
    draw = ImageDraw.Draw(image)
    if lateral:
        draw.rounded_rectangle((70, 20, 316, 448), 90, fill=128)
        draw.ellipse((100, 70, 290, 360), fill=58)
        draw.ellipse((98, 200, 220, 340), fill=150)
        draw.rectangle((258, 30, 296, 440), fill=176)
        draw.ellipse((70, 330, 320, 520), fill=196)
    else:
        _draw_frontal(draw)
    soft = np.asarray(image.filter(ImageFilter.GaussianBlur(5)), dtype=np.float32)
    values = soft * 15.0 + random.normal(0, 26, soft.shape)
    return np.clip(values, 0, 4095).astype(np.uint16)


def _draw_frontal(draw: ImageDraw.ImageDraw) -> None:
    draw.rounded_rectangle((28, 60, 356, 470), 80, fill=132)  # trunk
    draw.rectangle((150, 0, 234, 90), fill=138)  # neck
    for left, right in ((62, 178), (206, 322)):
        draw.ellipse((left, 82, right, 372), fill=50)  # lungs
    for top in range(96, 340, 34):
        draw.arc((52, top - 20, 186, top + 70), 180, 292, fill=104, width=6)  # ribs
        draw.arc((198, top - 20, 332, top + 70), 248, 360, fill=104, width=6)
    draw.rectangle((174, 0, 210, 448), fill=190)  # spine
    draw.ellipse((158, 214, 288, 366), fill=182)  # heart, its apex to the left of the patient
    draw.ellipse((182, 168, 226, 250), fill=176)  # great vessels
    draw.line((60, 96, 176, 74), fill=168, width=9)  # collar bones
    draw.line((324, 96, 208, 74), fill=168, width=9)
    draw.ellipse((40, 338, 192, 520), fill=204)  # diaphragm and what lies below
    draw.ellipse((196, 350, 344, 530), fill=196)


def _trunk(random: np.random.Generator, level: float) -> NDArray[np.float32]:
    """One slice in Hounsfield units; `level` is 0 at the top of the chest and 1 below the diaphragm."""
    y, x = np.mgrid[-1 : 1 : _EDGE * 1j, -1 : 1 : _EDGE * 1j].astype(np.float32)
    hounsfield = np.full((_EDGE, _EDGE), _AIR, dtype=np.float32)
    width, depth = 0.72 + 0.06 * level, 0.5 + 0.04 * level
    _fill(hounsfield, _inside(x, y, (0, 0), (width, depth)), _FAT)
    _fill(hounsfield, _inside(x, y, (0, 0), (width - 0.05, depth - 0.05)), _TISSUE)
    lungs = 0.26 * np.sin(np.pi * min(1.0, 0.25 + 0.75 * (1 - level)))
    for side in (-1, 1):
        _fill(hounsfield, _inside(x, y, (0.36 * side, -0.02), (lungs, 1.35 * lungs)), _LUNG)
    _fill(hounsfield, _inside(x, y, (0.08, -0.1), (0.22 * np.sin(np.pi * level), 0.17)), _TISSUE + 10)
    _fill(hounsfield, _inside(x, y, (0.05, 0.16), (0.05, 0.05)), _WATER + 40)
    _fill(hounsfield, _inside(x, y, (0, 0.31), (0.1, 0.09)), _BONE)
    _fill(hounsfield, _inside(x, y, (0, 0.31), (0.05, 0.04)), _BONE - 400)
    for angle in np.linspace(0.3, np.pi - 0.3, 7) + level * 0.4:
        place = ((width - 0.08) * np.cos(angle), -(depth - 0.08) * np.sin(angle) + 0.1)
        _fill(hounsfield, _inside(x, y, place, (0.045, 0.03)), _BONE)
    return hounsfield + random.normal(0, 12, hounsfield.shape).astype(np.float32)


def _inside(
    x: NDArray[np.float32], y: NDArray[np.float32], centre: tuple[float, float], radii: tuple[float, float]
) -> NDArray[np.bool_]:
    """The points of an ellipse; one without extent holds none."""
    horizontal, vertical = (max(radius, 1e-3) for radius in radii)
    inside: NDArray[np.bool_] = ((x - centre[0]) / horizontal) ** 2 + ((y - centre[1]) / vertical) ** 2 < 1
    return inside


def _fill(slice_: NDArray[np.float32], where: NDArray[np.bool_], value: float) -> None:
    slice_[where] = value
