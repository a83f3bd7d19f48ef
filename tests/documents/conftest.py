import io
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image, ImageDraw

from emr.documents.press import Press
from tests.documents.desk import Desk, patient_of
from tests.house import House


@pytest.fixture(scope="session")
def press() -> Iterator[Press]:
    made = Press()
    yield made
    made.close()


@pytest.fixture
def desk(live: House, doctor: httpx.Client) -> Desk:
    """doctor@hoa-sen and a patient."""
    return Desk(live, doctor, patient_of(doctor))


def paper(text: str = "GIAY RA VIEN", size: tuple[int, int] = (620, 877)) -> Image.Image:
    """A made-up sheet with a few words on it."""
    sheet = Image.new("L", size, 245)
    draw = ImageDraw.Draw(sheet)
    draw.text((60, 60), text, fill=20)
    for line in range(120, size[1] - 60, 28):
        draw.line((60, line, size[0] - 60, line), fill=90)
    return sheet


def picture_bytes(kind: str, *pages: Image.Image, **options: object) -> bytes:
    """Sheets as a file: JPEG, PNG, TIFF or PDF."""
    sheets = list(pages) or [paper()]
    written = io.BytesIO()
    more = {"save_all": True, "append_images": sheets[1:]} if len(sheets) > 1 else {}
    sheets[0].save(written, kind, **more, **options)
    return written.getvalue()


@pytest.fixture
def save(tmp_path: Path) -> Callable[[bytes], Path]:
    def write(content: bytes) -> Path:
        path = tmp_path / "file"
        path.write_bytes(content)
        return path

    return write


def protected_pdf() -> bytes:
    """A PDF whose encryption dictionary wants a password that nobody has."""
    plain = picture_bytes("PDF")
    start = plain.rindex(b"trailer")
    entry = (
        b"/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <" + b"00" * 32 + b"> /U <" + b"11" * 32 + b"> >>"
        b" /ID [<" + b"22" * 16 + b"><" + b"22" * 16 + b">]"
    )
    return plain[:start] + plain[start:].replace(b"<<", b"<< " + entry, 1)
