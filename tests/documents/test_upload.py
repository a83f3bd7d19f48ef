"""The upload form, read as a stream."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emr.documents.errors import DocumentTooLarge
from emr.documents.intake import received
from emr.documents.upload import UploadForm, file_of
from emr.kernel.errors import Malformed, TooLarge

pytestmark = pytest.mark.anyio


def form_bytes(**files: object) -> tuple[bytes, str]:
    fields = {"csrf": "token", "title": "Giấy ra viện"}
    request = httpx.Request("POST", "http://test/", data=fields, files=files)  # type: ignore[arg-type]
    return request.read(), request.headers["content-type"]


async def pieces(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def read(body: bytes, content_type: str, size: int = 1000) -> tuple[bytes, UploadForm]:
    form = UploadForm()
    return b"".join([chunk async for chunk in file_of(pieces(body, size), content_type, form)]), form


class TestFileOf:
    @given(st.binary(max_size=500), st.integers(1, 90))
    def test_file_and_fields_come_through_however_the_network_cuts_them(self, content: bytes, size: int) -> None:
        body, content_type = form_bytes(file=("Giấy ra viện.pdf", content, "application/pdf"))
        got, form = asyncio.run(read(body, content_type, size))
        assert (got, form.fields, form.declared) == (
            content, {"csrf": "token", "title": "Giấy ra viện"}, "application/pdf"
        )  # fmt: skip
        assert form.file_name == "Giấy ra viện.pdf"

    async def test_a_form_that_breaks_off_is_malformed(self) -> None:
        body, content_type = form_bytes(file=("a.pdf", b"x" * 100, "application/pdf"))
        with pytest.raises(Malformed):
            await read(body[:-30], content_type)

    @pytest.mark.parametrize("content_type", ["", "application/json", "multipart/form-data", "text/plain; boundary=x"])
    async def test_another_content_type_is_malformed(self, content_type: str) -> None:
        with pytest.raises(Malformed):
            await read(b"--x\r\n\r\n", content_type)

    async def test_two_files_are_refused(self) -> None:
        body, content_type = form_bytes(
            file=("a.pdf", b"x", "application/pdf"), other=("b.pdf", b"x", "application/pdf")
        )
        with pytest.raises(Malformed):
            await read(body, content_type)

    async def test_a_field_of_many_bytes_is_too_large(self) -> None:
        request = httpx.Request("POST", "http://t/", data={"title": "x" * 70_000}, files={"file": b"x"})
        with pytest.raises(TooLarge):
            await read(request.read(), request.headers["content-type"])

    async def test_many_fields_are_too_large(self) -> None:
        request = httpx.Request("POST", "http://t/", data={str(n): "x" for n in range(41)}, files={"file": b"x"})
        with pytest.raises(TooLarge):
            await read(request.read(), request.headers["content-type"])


class TestReceived:
    async def test_head_tail_size_and_digest(self) -> None:
        async with received(pieces(b"0123456789" * 10_000, 7), 200_000) as file:
            assert (file.size, file.head, file.tail[-3:]) == (100_000, b"0123456789012345", b"789")
            assert b"".join([chunk async for chunk in file.chunks()]) == file.path.read_bytes()
            kept = file.path
        assert not kept.exists()

    async def test_it_stops_at_the_first_piece_too_many_and_keeps_nothing(self) -> None:
        taken = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal taken
            while True:
                taken += 1
                yield bytes(1000)

        with pytest.raises(DocumentTooLarge):
            async with received(endless(), 5_500):
                pass
        assert taken == 6
