"""From one frame to one picture."""

import io
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, RLELossless

from emr.imaging.errors import BadPicture, InstanceNotFound, NoPicture, PictureTooLarge
from emr.imaging.parse import parse
from emr.imaging.picture import Picture, picture_from_json
from emr.imaging.render import decode, render
from emr.imaging.renderer import Renderer
from emr.imaging.syntaxes import NATIVE
from emr.imaging.wishes import PRESETS, Window, Wish
from tests.imaging.samples import encoded, slice_of, write
from tests.servers.tools import tool


def _frame(path: Path, frame: int = 1) -> tuple[Picture, list[bytes]]:
    picture = parse(path).picture
    content = path.read_bytes()
    return picture, [content[start : start + length] for start, length in picture.ranges(frame)]


def _pixels(image: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(image)) as opened:
        return np.asarray(opened)


def _shipped(name: str) -> Path:
    return Path(str(get_testdata_file(name, download=False)))


def _jpeg(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("L", (width, height), 99).save(out, "JPEG")
    return out.getvalue()


def _compressed(tmp_path: Path, frame: bytes, **changes) -> Path:
    made = slice_of(BitsAllocated=8, BitsStored=8, HighBit=7, **changes)
    made.PixelData = encapsulate([frame])
    made["PixelData"].VR = "OB"
    made["PixelData"].is_undefined_length = True
    made.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    return write(tmp_path, encoded(made))


class TestDecode:
    def test_run_length_coding_gives_the_same_values_as_the_plain_file(self):
        plain, coded = _frame(_shipped("MR_small.dcm")), _frame(_shipped("MR_small_RLE.dcm"))
        assert coded[0].syntax == RLELossless
        assert np.array_equal(decode(*plain), decode(*coded))

    def test_jpeg_2000_colour(self):
        picture, parts = _frame(_shipped("examples_jpeg2k.dcm"))
        assert picture.syntax == JPEG2000Lossless
        assert decode(picture, parts).shape == (480, 640, 3)

    def test_each_frame_of_a_jpeg_loop(self):
        path = _shipped("examples_ybr_color.dcm")
        shapes = {decode(*_frame(path, frame)).shape for frame in (1, 15, 30)}
        assert shapes == {(240, 320, 3)}
        with pytest.raises(InstanceNotFound):
            _frame(path, 31)

    @pytest.mark.server
    @pytest.mark.parametrize(
        ("program", "options"), [("dcmcjpeg", ["+e1"]), ("dcmcjpeg", ["+el"]), ("dcmcjpls", ["+el"])]
    )
    def test_lossless_syntaxes_of_a_foreign_encoder_give_the_same_values(self, tmp_path, program, options):
        plain, coded = write(tmp_path, encoded(slice_of(size=64))), tmp_path / "coded.dcm"
        subprocess.run([str(tool(program)), *options, str(plain), str(coded)], check=True, timeout=60)
        picture, parts = _frame(coded)
        assert picture.syntax not in NATIVE
        assert np.array_equal(decode(picture, parts), decode(*_frame(plain)))

    def test_a_compressed_frame_of_another_size_than_stated_is_refused(self, tmp_path):
        path = _compressed(tmp_path, _jpeg(640, 480))
        with pytest.raises(BadPicture):
            decode(*_frame(path))

    def test_a_compressed_frame_that_is_rubbish_is_refused(self, tmp_path):
        path = _compressed(tmp_path, _jpeg(16, 16)[:60])
        with pytest.raises(BadPicture):
            decode(*_frame(path))

    def test_a_frame_with_too_many_pixels_is_refused_before_it_is_decoded(self, tmp_path):
        path = _compressed(tmp_path, _jpeg(16, 16), Rows=65535, Columns=65535)
        with pytest.raises(PictureTooLarge):
            render(*_frame(path), Wish())


class TestRender:
    def test_the_window_cuts_at_its_ends(self, tmp_path):
        values = np.array([[0, 60, 140, 240], [340, 400, 1000, 5000]], dtype="<u2")
        made = slice_of(Rows=2, Columns=4, RescaleIntercept="0", WindowCenter="240", WindowWidth="400")
        made.PixelData = values.tobytes()
        shown = _pixels(render(*_frame(write(tmp_path, encoded(made))), Wish(form="png")))
        expected = np.clip((values - 239.5) / 399 + 0.5, 0, 1) * 255
        assert np.abs(shown.astype(float) - expected).max() <= 0.5

    def test_rescaling_comes_before_the_window(self, tmp_path):
        made = slice_of(RescaleSlope="2", RescaleIntercept="-50")
        made.PixelData = np.full((16, 16), 100, dtype="<u2").tobytes()
        wish = Wish(form="png", window=Window(150, 100, "linear-exact"))
        shown = _pixels(render(*_frame(write(tmp_path, encoded(made))), wish))
        assert set(shown.ravel()) == {128}

    def test_monochrome_1_is_the_negative_of_monochrome_2(self, tmp_path):
        wish = Wish(form="png", window=Window(28, 256, "linear-exact"))
        positive = _pixels(render(*_frame(write(tmp_path, encoded(slice_of()), "a.dcm")), wish))
        made = slice_of(PhotometricInterpretation="MONOCHROME1")
        negative = _pixels(render(*_frame(write(tmp_path, encoded(made), "b.dcm")), wish))
        assert np.abs(positive.astype(int) + negative - 255).max() <= 1

    def test_the_window_of_a_lung_shows_lungs(self, tmp_path):
        made = slice_of(RescaleIntercept="-1024")
        made.PixelData = np.full((16, 16), 1024 - 600, dtype="<u2").tobytes()
        wish = Wish(form="png", window=Window(*PRESETS["lung"]))
        assert abs(int(_pixels(render(*_frame(write(tmp_path, encoded(made))), wish))[0, 0]) - 128) <= 1

    def test_without_a_window_the_range_of_the_values_is_shown(self, tmp_path):
        shown = _pixels(render(*_frame(write(tmp_path, encoded(slice_of()))), Wish(form="png")))
        assert shown.min() < 5
        assert shown.max() > 250

    def test_a_picture_fits_into_the_box_and_keeps_its_shape(self):
        picture, parts = _frame(_shipped("examples_jpeg2k.dcm"))
        assert _pixels(render(picture, parts, Wish(width=128, height=128))).shape == (96, 128, 3)

    def test_a_palette_gives_its_colours(self, tmp_path):
        made = slice_of(PhotometricInterpretation="PALETTE COLOR", BitsAllocated=8, BitsStored=8, HighBit=7)
        made.PixelData = bytes([0, 1] * 128)
        for colour, table in (("Red", b"\0\0\0\xff"), ("Green", b"\0\0\0\0"), ("Blue", b"\0\xff\0\0")):
            setattr(made, f"{colour}PaletteColorLookupTableDescriptor", [2, 0, 16])
            setattr(made, f"{colour}PaletteColorLookupTableData", table)
        shown = _pixels(render(*_frame(write(tmp_path, encoded(made))), Wish(form="png")))
        assert shown[0, 0].tolist() == [0, 0, 255]
        assert shown[0, 1].tolist() == [255, 0, 0]

    def test_one_bit_pictures(self, tmp_path):
        made = slice_of(BitsAllocated=1, BitsStored=1, HighBit=0, RescaleIntercept=None, RescaleSlope=None)
        made.PixelData = b"\xaa" * 32
        shown = _pixels(render(*_frame(write(tmp_path, encoded(made))), Wish(form="png")))
        assert shown[0, :4].tolist() == [0, 255, 0, 255]


class TestPicture:
    def test_survives_being_kept_as_json(self):
        picture = _frame(_shipped("examples_ybr_color.dcm"))[0]
        assert picture_from_json(picture.as_json()) == picture

    def test_frames_that_end_within_a_byte_are_not_taken_apart(self, tmp_path):
        made = slice_of(BitsAllocated=1, BitsStored=1, HighBit=0, Rows=3, Columns=3, NumberOfFrames=2)
        made.PixelData = b"\xaa" * 4
        picture = parse(write(tmp_path, encoded(made))).picture
        with pytest.raises(NoPicture):
            picture.ranges(1)


class TestRenderer:
    @pytest.mark.anyio
    async def test_a_refusal_comes_back_from_the_decoding_process(self, tmp_path):
        renderer = Renderer()
        try:
            good = _frame(_shipped("MR_small.dcm"))
            assert (await renderer.render(*good, Wish()))[:2] == b"\xff\xd8"
            with pytest.raises(BadPicture):
                await renderer.render(*_frame(_compressed(tmp_path, _jpeg(640, 480))), Wish())
            assert (await renderer.render(*good, Wish()))[:2] == b"\xff\xd8"
        finally:
            await renderer.close()
