"""The pages of a file as pictures: runs in the process apart (see `press`) and reads what strangers sent.

Sizes are asked before anything is decoded. Refusals raised here cross the process border as (class name, reason).
"""

import io
from contextlib import closing
from typing import Final, cast

import pypdfium2 as pdfium
from PIL import Image, ImageOps, ImageSequence

from emr.documents.crossing import Wish
from emr.documents.errors import DocumentDamaged, DocumentNotFound, DocumentProtected, PictureTooLarge
from emr.documents.kinds import KINDS, PDF

MOST_PAGES: Final = 500
MOST_PIXELS: Final = 80_000_000
LONGEST_SIDE: Final = 30_000
LONGEST_PAGE_POINTS: Final = 14_400
MOST_HEIGHT: Final = 6_000
_UNREADABLE: Final = (OSError, ValueError, SyntaxError, TypeError, KeyError, IndexError, EOFError, OverflowError)


def examine(path: str, media_type: str) -> int:
    """Read a file to its end; gives its number of pages.

    Raises `DocumentDamaged`, `DocumentProtected`, `PictureTooLarge`.
    """
    return _examine_pdf(path) if media_type == PDF.media_type else _examine_picture(path, media_type)


def draw(path: str, media_type: str, wish: Wish) -> bytes:
    """A page as a JPEG. Raises also `DocumentNotFound` for a page too far."""
    picture = _pdf_page(path, wish) if media_type == PDF.media_type else _picture_page(path, media_type, wish)
    if wish.quarters:
        picture = picture.rotate(-90 * wish.quarters, expand=True)
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=60, optimize=True, progressive=True)
    return written.getvalue()


def _examine_pdf(path: str) -> int:
    with closing(_open_pdf(path)) as document:
        pages = len(document)
        if pages == 0:
            raise DocumentDamaged("the PDF has no page")
        if pages > MOST_PAGES:
            raise PictureTooLarge(f"more than {MOST_PAGES} pages")
        for number in range(pages):
            _page_size(document, number)
        _render(document, Wish(1, 100)).close()
        return pages


def _open_pdf(path: str) -> pdfium.PdfDocument:
    try:
        return pdfium.PdfDocument(path)  # type: ignore[no-untyped-call]  # the package is partly typed
    except pdfium.PdfiumError as error:
        raise (DocumentProtected() if "password" in str(error).lower() else DocumentDamaged("not a PDF")) from error


def _page_size(document: pdfium.PdfDocument, number: int) -> tuple[float, float]:
    try:
        width, height = document.get_page_size(number)  # type: ignore[no-untyped-call]  # as above
    except pdfium.PdfiumError as error:
        raise DocumentDamaged(f"page {number + 1} of the PDF cannot be opened") from error
    if not (1 <= width <= LONGEST_PAGE_POINTS and 1 <= height <= LONGEST_PAGE_POINTS):
        raise PictureTooLarge(f"page {number + 1} is not of a size that paper has")
    return float(width), float(height)


def _pdf_page(path: str, wish: Wish) -> Image.Image:
    with closing(_open_pdf(path)) as document:
        if not 1 <= wish.page <= len(document):
            raise DocumentNotFound
        return _render(document, wish)


def _render(document: pdfium.PdfDocument, wish: Wish) -> Image.Image:
    width, height = _page_size(document, wish.page - 1)
    scale = min(wish.width / width, MOST_HEIGHT / height)
    try:
        with closing(document[wish.page - 1]) as page:
            picture: Image.Image = page.render(scale=scale, rev_byteorder=True, may_draw_forms=False).to_pil()
            return picture.convert("RGB")
    except pdfium.PdfiumError as error:
        raise DocumentDamaged(f"page {wish.page} of the PDF cannot be drawn") from error


def _open_picture(path: str, media_type: str) -> Image.Image:
    # Our own bound holds before anything is decoded; Pillow's would only warn up to twice its figure.
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS * 2
    name = KINDS[media_type].pillow
    try:
        return Image.open(path, formats=[name] if name else [])
    except Image.DecompressionBombError as error:
        raise PictureTooLarge(f"more than {MOST_PIXELS} pixels") from error
    except _UNREADABLE as error:
        raise DocumentDamaged("the picture's header cannot be read") from error


def _check(picture: Image.Image) -> None:
    width, height = picture.size
    if width * height > MOST_PIXELS or max(width, height) > LONGEST_SIDE or min(width, height) < 1:
        raise PictureTooLarge(f"{width} x {height} pixels")


def _examine_picture(path: str, media_type: str) -> int:
    pages = 0
    with _open_picture(path, media_type) as picture:
        try:
            for frame in ImageSequence.Iterator(picture):
                pages += 1
                if pages > MOST_PAGES:
                    raise PictureTooLarge(f"more than {MOST_PAGES} pages")
                _check(frame)
                frame.load()
                if media_type != "image/tiff":
                    break
        except _UNREADABLE as error:
            raise DocumentDamaged("the picture stops or breaks before its end") from error
    return pages


def _picture_page(path: str, media_type: str, wish: Wish) -> Image.Image:
    with _open_picture(path, media_type) as picture:
        try:
            picture.seek(wish.page - 1)
        except EOFError as error:
            raise DocumentNotFound from error
        _check(picture)
        try:
            # A JPEG can be decoded at an eighth of its size, which is all that a thumbnail needs.
            picture.draft("RGB", (wish.width, wish.width))
            return _fitted(_flat(ImageOps.exif_transpose(picture)), wish.width)
        except _UNREADABLE as error:
            raise DocumentDamaged("the picture stops or breaks before its end") from error


def _flat(picture: Image.Image) -> Image.Image:
    """Grey or colour of 8 bits on white ground, whatever the file holds."""
    if picture.mode in ("1", "L"):
        return picture.convert("L")
    if picture.mode.startswith(("I", "F")):
        low, high = cast(tuple[float, float], picture.getextrema())
        factor = 255 / (high - low) if high > low else 1.0
        return picture.convert("F").point(lambda value: (value - low) * factor).convert("L")
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        ground = Image.new("RGBA", picture.size, "white")
        ground.alpha_composite(picture.convert("RGBA"))
        return ground.convert("RGB")
    return picture.convert("RGB")


def _fitted(picture: Image.Image, width: int) -> Image.Image:
    scale = min(width / picture.width, MOST_HEIGHT / picture.height, 1.0)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture if size == picture.size else picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
