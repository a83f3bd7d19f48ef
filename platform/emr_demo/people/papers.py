"""Scanned papers: a drawn page that was laid crooked on the glass, with the scanner's noise.

Every page says that it is made up. The font is Be Vietnam Pro (SIL Open Font License 1.1) from the wheel
`fontpkg-be-vietnam-pro`, so that the pages look the same on every machine.
"""

import io
import textwrap
import time
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import fontpkg
import numpy as np
from PIL import Image, ImageDraw, ImageFont

_SIZE = (1000, 1414)  # A4 at about 120 dots an inch
_MARGIN = 84
_INK, _STAMP, _PAPER, _FAINT = (38, 38, 46), (186, 40, 44), (250, 249, 244), (226, 222, 214)
_QUALITY = 52
_LINE = 62
_NOTICE = "DỮ LIỆU MẪU - KHÔNG CÓ THẬT"


@dataclass(frozen=True)
class Page:
    """What stands on one sheet."""

    house: str
    number: str
    title: str
    paragraphs: tuple[str, ...]
    signer: str


def scan(page: Page, rng: Random) -> Image.Image:
    """The sheet as the scanner saw it: turned by up to one and a half degrees, unevenly lit, grainy."""
    sheet = _draw(page)
    turned = sheet.rotate(rng.uniform(-1.5, 1.5), resample=Image.Resampling.BICUBIC, fillcolor=(214, 212, 206))
    noise = np.random.default_rng(rng.getrandbits(32))
    pixels = np.asarray(turned, dtype=np.float32)
    light = np.linspace(1.0, rng.uniform(0.93, 0.97), pixels.shape[1], dtype=np.float32)[None, :, None]
    grainy = pixels * light + noise.normal(0, 2.2, (*pixels.shape[:2], 1)).astype(np.float32)
    return Image.fromarray(np.clip(grainy, 0, 255).astype(np.uint8))


def as_jpeg(image: Image.Image) -> bytes:
    """One page as a photo."""
    out = io.BytesIO()
    image.save(out, "JPEG", quality=_QUALITY, dpi=(120, 120))
    return out.getvalue()


def as_pdf(images: Sequence[Image.Image], title: str) -> bytes:
    """Several pages in one file; the dates inside are fixed, so that the same pages give the same bytes."""
    out, never = io.BytesIO(), time.gmtime(0)
    first, *others = images
    first.save(
        out, "PDF", save_all=True, append_images=others, resolution=120, quality=_QUALITY, title=title,
        creationDate=never, modDate=never,
    )  # fmt: skip
    return out.getvalue()


def _draw(page: Page) -> Image.Image:
    sheet = Image.new("RGB", _SIZE, _PAPER)
    draw = ImageDraw.Draw(sheet)
    width = _SIZE[0]
    draw.text((width / 2, _SIZE[1] / 2), _NOTICE, font=_font(44, bold=True), fill=_FAINT, anchor="mm")
    draw.text((_MARGIN, 70), "SỞ Y TẾ", font=_font(19), fill=_INK)
    draw.text((_MARGIN, 98), page.house.upper(), font=_font(19, bold=True), fill=_INK)
    draw.text(
        (width - _MARGIN, 70), "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", font=_font(18, bold=True), fill=_INK, anchor="ra"
    )
    draw.text((width - _MARGIN, 98), "Độc lập - Tự do - Hạnh phúc", font=_font(18), fill=_INK, anchor="ra")
    draw.text((width - _MARGIN, 150), f"Số: {page.number}", font=_font(18), fill=_INK, anchor="ra")
    draw.text((width / 2, 220), page.title, font=_font(36, bold=True), fill=_INK, anchor="ma")
    bottom = _write(draw, page.paragraphs, 300)
    _sign(draw, page.signer, max(bottom + 60, 1040))
    return sheet


def _write(draw: ImageDraw.ImageDraw, paragraphs: Sequence[str], top: float) -> float:
    """Paragraphs one below the other; gives back where the last one ends."""
    font = _font(23)
    for paragraph in paragraphs:
        for line in textwrap.wrap(paragraph, _LINE) or [""]:
            draw.text((_MARGIN, top), line, font=font, fill=_INK)
            top += 37
        top += 9
    return top


def _sign(draw: ImageDraw.ImageDraw, signer: str, top: float) -> None:
    """A signature, and the red round stamp half over it, as everywhere."""
    middle = _SIZE[0] * 0.72
    draw.text((middle, top), "BÁC SĨ ĐIỀU TRỊ", font=_font(21, bold=True), fill=_INK, anchor="ma")
    stroke = [(middle - 70 + 14 * step, top + 90 + (-22 if step % 2 else 18) * (1 - step / 14)) for step in range(11)]
    draw.line(stroke, fill=(40, 52, 120), width=3, joint="curve")
    draw.text((middle, top + 140), signer, font=_font(22), fill=_INK, anchor="ma")
    x, y = middle - 120, top + 85
    for radius in (72, 64):
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=_STAMP, width=3)
    draw.text((x, y), "MẪU", font=_font(26, bold=True), fill=_STAMP, anchor="mm")


def _font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(fontpkg.path("Be Vietnam Pro", weight=700 if bold else 400), size)
