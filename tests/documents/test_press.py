"""Pages: counted, bounded, drawn, in a process that may break."""

import asyncio
import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from emr.documents import press as press_module
from emr.documents.crossing import Wish
from emr.documents.errors import DocumentDamaged, DocumentNotFound, DocumentProtected, PictureTooLarge, PressBusy
from emr.documents.press import Press
from emr.documents.sheets import MOST_HEIGHT
from tests.documents.conftest import paper, picture_bytes, protected_pdf

pytestmark = pytest.mark.anyio
Save = Callable[[bytes], Path]
TYPES = {"PDF": "application/pdf", "JPEG": "image/jpeg", "PNG": "image/png", "TIFF": "image/tiff"}


def header_only_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")


def start_with(job: str) -> str:
    """A bench whose readers do this instead."""
    return f"import os, time; from emr.documents import bench, sheets; sheets.examine = lambda *_: {job}; bench.main()"


class TestExamine:
    @pytest.mark.parametrize("name", ["PDF", "JPEG", "PNG", "TIFF"])
    async def test_one_page(self, press: Press, save: Save, name: str) -> None:
        file = save(picture_bytes(name))
        assert await press.examine(file, TYPES[name]) == 1

    @pytest.mark.parametrize("name", ["PDF", "TIFF"])
    async def test_several_pages(self, press: Press, save: Save, name: str) -> None:
        file = save(picture_bytes(name, paper("1"), paper("2"), paper("3")))
        assert await press.examine(file, TYPES[name]) == 3

    @pytest.mark.parametrize("name", ["JPEG", "PNG", "TIFF"])
    @pytest.mark.parametrize("part", [0.3, 0.9])
    async def test_a_picture_that_stops_early_is_damaged(
        self, press: Press, save: Save, name: str, part: float
    ) -> None:
        content = picture_bytes(name)
        file = save(content[: int(len(content) * part)])
        with pytest.raises(DocumentDamaged):
            await press.examine(file, TYPES[name])

    async def test_a_pdf_of_rubbish_is_damaged(self, press: Press, save: Save) -> None:
        file = save(b"%PDF-1.4\n" + os.urandom(4000) + b"\n%%EOF")
        with pytest.raises(DocumentDamaged):
            await press.examine(file, TYPES["PDF"])

    async def test_a_pdf_with_a_password_says_so(self, press: Press, save: Save) -> None:
        file = save(protected_pdf())
        with pytest.raises(DocumentProtected):
            await press.examine(file, TYPES["PDF"])

    @pytest.mark.parametrize(("width", "height"), [(60_000, 60_000), (9_000, 9_000), (31_000, 10)])
    async def test_too_many_pixels_are_refused_before_they_are_decoded(
        self, press: Press, save: Save, width: int, height: int
    ) -> None:
        file = save(header_only_png(width, height))
        with pytest.raises(PictureTooLarge):
            await press.examine(file, TYPES["PNG"])

    async def test_too_many_pages(self, press: Press, save: Save) -> None:
        file = save(picture_bytes("TIFF", *(paper(size=(64, 64)) for _ in range(501))))
        with pytest.raises(PictureTooLarge):
            await press.examine(file, TYPES["TIFF"])

    async def test_a_file_that_kills_its_reader_hurts_only_itself(
        self, save: Save, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file, press = save(picture_bytes("PNG")), Press()
        with monkeypatch.context() as patched:
            patched.setattr(press_module, "_START", start_with("os.abort()"))
            with pytest.raises(DocumentDamaged):
                await press.examine(file, TYPES["PNG"])
        assert await press.examine(file, TYPES["PNG"]) == 1
        press.close()

    async def test_one_that_takes_too_long_is_given_up(self, save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
        file, press = save(picture_bytes("PNG")), Press(seconds=3)
        with monkeypatch.context() as patched:
            patched.setattr(press_module, "_START", start_with("time.sleep(3600)"))
            with pytest.raises(PressBusy):
                await press.examine(file, TYPES["PNG"])
        assert await press.examine(file, TYPES["PNG"]) == 1
        press.close()

    async def test_the_reader_knows_none_of_our_secrets(self, monkeypatch: pytest.MonkeyPatch) -> None:
        press = Press()
        monkeypatch.setenv("EMR_KEYS__MASTER", "m1:secret")
        monkeypatch.setattr(press_module, "_START", start_with("int('EMR_KEYS__MASTER' in os.environ)"))
        assert await press.examine(Path("any"), TYPES["PNG"]) == 0
        press.close()

    async def test_too_many_at_once_are_turned_away(
        self, press: Press, save: Save, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(press_module, "WAITING", 2)
        file = save(picture_bytes("PNG"))
        asked = [press.examine(file, TYPES["PNG"]) for _ in range(3)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(answer) for answer in answers] == [int, int, PressBusy]


class TestDraw:
    @pytest.mark.parametrize("name", ["PDF", "JPEG", "PNG", "TIFF"])
    async def test_a_page_is_a_jpeg_of_the_asked_width(self, press: Press, save: Save, name: str) -> None:
        file = save(picture_bytes(name))
        with Image.open(io.BytesIO(await press.draw(file, TYPES[name], Wish(1, 300)))) as page:
            assert (page.format, page.width) == ("JPEG", 300)

    @pytest.mark.parametrize("name", ["PDF", "TIFF"])
    async def test_each_page_is_its_own(self, press: Press, save: Save, name: str) -> None:
        sheets = [Image.new("L", (200, 300), tone) for tone in (40, 200)]
        file = save(picture_bytes(name, *sheets))
        for number, tone in ((1, 40), (2, 200)):
            with Image.open(io.BytesIO(await press.draw(file, TYPES[name], Wish(number, 100)))) as page:
                assert abs(page.convert("L").getpixel((50, 50)) - tone) < 6  # type: ignore[operator]

    @pytest.mark.parametrize("name", ["PDF", "TIFF", "JPEG"])
    @pytest.mark.parametrize("page", [0, 2])
    async def test_a_page_that_is_not_there_is_not_found(self, press: Press, save: Save, name: str, page: int) -> None:
        file = save(picture_bytes(name))
        with pytest.raises(DocumentNotFound):
            await press.draw(file, TYPES[name], Wish(page, 100))

    async def test_a_quarter_turn_to_the_right(self, press: Press, save: Save) -> None:
        file = save(picture_bytes("PNG", paper(size=(200, 400))))
        with Image.open(io.BytesIO(await press.draw(file, TYPES["PNG"], Wish(1, 200, 1)))) as page:
            assert page.size == (400, 200)

    async def test_a_photo_is_turned_as_its_camera_was_held(self, press: Press, save: Save) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6
        file = save(picture_bytes("JPEG", paper(size=(400, 200)), exif=exif))
        with Image.open(io.BytesIO(await press.draw(file, TYPES["JPEG"], Wish(1, 400)))) as page:
            assert page.width < page.height

    async def test_a_strip_of_paper_stays_within_a_bound(self, press: Press, save: Save) -> None:
        file = save(picture_bytes("PNG", Image.new("L", (10, 20_000), 255)))
        with Image.open(io.BytesIO(await press.draw(file, TYPES["PNG"], Wish(1, 1000)))) as page:
            assert page.height <= MOST_HEIGHT

    @pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "I;16", "F"])
    async def test_every_sort_of_pixel(self, press: Press, save: Save, mode: str) -> None:
        file = save(picture_bytes("TIFF", Image.new(mode, (40, 60))))
        assert await press.draw(file, TYPES["TIFF"], Wish(1, 40))


class TestCache:
    async def test_a_page_is_kept_for_its_hospital_only(self, press: Press) -> None:
        press.keep(("t_aaaaaaaaaaaa", "key"), Wish(1, 100), b"page")
        assert press.drawn(("t_aaaaaaaaaaaa", "key"), Wish(1, 100)) == b"page"
        assert press.drawn(("t_bbbbbbbbbbbb", "key"), Wish(1, 100)) is None
        assert press.drawn(("t_aaaaaaaaaaaa", "key"), Wish(2, 100)) is None

    async def test_the_oldest_go_when_it_is_full(self) -> None:
        press = Press(cache_bytes=10)
        for number in range(4):
            press.keep(("t", "key"), Wish(number, 1), b"four")
        assert [press.drawn(("t", "key"), Wish(number, 1)) is not None for number in range(4)] == [
            False,
            False,
            True,
            True,
        ]
