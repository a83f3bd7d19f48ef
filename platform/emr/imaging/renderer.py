"""Asks the process apart for pictures."""

from dataclasses import asdict
from typing import Final

from emr.imaging.apart import Apart, Broken, Late
from emr.imaging.errors import BadPicture, RenderingBusy
from emr.imaging.picture import Picture
from emr.imaging.wishes import Wish, check_size

SECONDS: Final = 20.0
WAITING: Final = 64


class Renderer:
    """Owns one decoding process; the first request starts it, `close` ends it. One frame at a time."""

    def __init__(self) -> None:
        self._apart = Apart(seconds=SECONDS, waiting=WAITING)

    async def render(self, picture: Picture, parts: list[bytes], wish: Wish) -> bytes:
        """`parts`: the bytes of the frame's ranges. Raises BadPicture, PictureTooLarge, RenderingBusy."""
        return await self._ask(picture, parts, wish)

    async def decode(self, picture: Picture, parts: list[bytes]) -> bytes:
        """The frame's values as native little endian pixel data; colour as RGB, by pixel. Raises as `render`."""
        return await self._ask(picture, parts, None)

    async def close(self) -> None:
        """End the decoding process."""
        await self._apart.close()

    async def _ask(self, picture: Picture, parts: list[bytes], wish: Wish | None) -> bytes:
        check_size(picture)
        request = {"picture": picture.as_json() | {"parts": []}, "wish": asdict(wish) if wish else None}
        try:
            return await self._apart.ask(request, parts)
        except Late as failure:
            raise RenderingBusy("rendering-late", "the picture took too long to make") from failure
        except Broken as failure:
            raise BadPicture("dicom-undecodable", "the frame cannot be decoded") from failure
