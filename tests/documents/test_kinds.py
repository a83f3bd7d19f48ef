"""What a file is, by its bytes."""

import contextlib
import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emr.documents.errors import DocumentDamaged, DocumentUnsupported, EmptyFile
from emr.documents.kinds import TAIL_BYTES, kind_of
from tests.documents.conftest import picture_bytes


def kind(content: bytes, declared: str = "") -> str:
    return kind_of(content[:16], content[-TAIL_BYTES:], declared).media_type


def archive() -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as packed:
        packed.writestr("evil.txt", "evil")
    return written.getvalue()


class TestKindOf:
    @pytest.mark.parametrize(
        ("name", "media_type"),
        [("PDF", "application/pdf"), ("JPEG", "image/jpeg"), ("PNG", "image/png"), ("TIFF", "image/tiff")],
    )
    @pytest.mark.parametrize("declared", ["", "application/octet-stream", "the same"])
    def test_the_four_kinds_are_known_by_content(self, name: str, media_type: str, declared: str) -> None:
        said = media_type if declared == "the same" else declared
        assert kind(picture_bytes(name), said) == media_type

    @pytest.mark.parametrize("declared", ["IMAGE/JPG", "image/pjpeg", "image/jpeg; charset=binary"])
    def test_other_spellings_of_a_type(self, declared: str) -> None:
        assert kind(picture_bytes("JPEG"), declared) == "image/jpeg"

    @pytest.mark.parametrize(
        "content",
        [b"<html><script>", b"<svg xmlns=", b"PK\x03\x04", b"MZ\x90\x00", b"GIF89a", b"%!PS", b"\x00", b" %PDF-1.4"],
    )
    def test_anything_else_is_unsupported(self, content: bytes) -> None:
        with pytest.raises(DocumentUnsupported):
            kind(content)

    @pytest.mark.parametrize("declared", ["image/png", "application/pdf", "text/html", "text/plain", "image/svg+xml"])
    def test_a_declared_type_that_is_not_the_content_is_refused(self, declared: str) -> None:
        with pytest.raises(DocumentUnsupported):
            kind(picture_bytes("JPEG"), declared)

    def test_no_bytes_are_empty(self) -> None:
        with pytest.raises(EmptyFile):
            kind(b"", "application/pdf")

    @pytest.mark.parametrize("name", ["PDF", "JPEG", "PNG", "TIFF"])
    def test_an_archive_behind_it_is_refused(self, name: str) -> None:
        with pytest.raises(DocumentUnsupported):
            kind(picture_bytes(name) + archive())

    def test_a_page_behind_the_end_of_a_pdf_is_refused(self) -> None:
        with pytest.raises(DocumentUnsupported):
            kind(picture_bytes("PDF") + b"<script>alert(1)</script>")

    def test_zeros_and_line_ends_behind_a_pdf_are_not(self) -> None:
        assert kind(picture_bytes("PDF") + b"\r\n\0\0") == "application/pdf"

    def test_a_pdf_without_its_end_is_damaged(self) -> None:
        content = picture_bytes("PDF")
        with pytest.raises(DocumentDamaged):
            kind(content[: len(content) // 2], "application/pdf")

    @given(st.binary(max_size=200), st.text(max_size=40))
    def test_nothing_makes_it_fail_otherwise(self, content: bytes, declared: str) -> None:
        with contextlib.suppress(DocumentUnsupported, EmptyFile, DocumentDamaged):
            assert kind(content, declared)
