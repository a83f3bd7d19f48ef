"""From content to the picture of one of its pages: fetched, drawn in the process apart, kept for the next reader."""

from typing import Final

from emr.documents.crossing import Wish
from emr.documents.errors import DocumentNotFound
from emr.documents.intake import received
from emr.documents.kinds import KINDS
from emr.documents.press import Press
from emr.documents.service import Content

SMALL: Final = 160
WIDTHS: Final = {"100": 1_000, "150": 1_500, "220": 2_200}
"""Zoom in per cent of the page's usual width on a screen, and pixels."""
TURNS: Final = {"0": 0, "90": 1, "180": 2, "270": 3}
TEXT_BYTES: Final = 1 << 20


def can_be_drawn(content: Content) -> bool:
    """Whether pages of this content can be shown as pictures."""
    return content.media_type in KINDS


async def page_of(press: Press, prefix: str, content: Content, wish: Wish) -> bytes:
    """A page as a JPEG; `prefix` is the hospital's. Raises `DocumentNotFound`, and what `Press.draw` raises."""
    if not can_be_drawn(content):
        raise DocumentNotFound
    place = (prefix, content.key)
    page = press.drawn(place, wish)
    if page is None:
        async with received(content.chunks(), content.size) as file:
            page = await press.draw(file.path, content.media_type, wish)
        press.keep(place, wish, page)
    return page


async def text_of(content: Content) -> str | None:
    """The words of a plain text of at most 1 MiB, or None for anything else."""
    if content.media_type != "text/plain" or content.size > TEXT_BYTES:
        return None
    return b"".join([chunk async for chunk in content.chunks()]).decode("utf-8", "replace")
