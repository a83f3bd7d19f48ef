"""Bodies of many parts, taken apart as they arrive."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emr.dicomweb.multipart import Limits, Outgoing, media_type, receive, related
from emr.kernel.errors import Malformed, Refusal, TooLarge, UnsupportedMedia

pytestmark = pytest.mark.anyio

RELATED = 'multipart/related; type="application/dicom"; boundary=edge'
ROOMY = Limits(part=1_000_000, whole=2_000_000)


async def _pieces(body: bytes, size: int = 7) -> AsyncIterator[bytes]:
    for at in range(0, len(body), size):
        yield body[at : at + size]


async def _one(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def _outgoing(contents: list[bytes]) -> AsyncIterator[Outgoing]:
    for content in contents:
        yield Outgoing("application/dicom", _one(content))


class TestReceive:
    async def test_a_bare_instance_is_one_part(self, tmp_path):
        [part] = await receive(_pieces(b"DICM" * 9), "application/dicom", tmp_path, ROOMY)
        assert part.path.read_bytes() == b"DICM" * 9

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(contents=st.lists(st.binary(max_size=80), min_size=1, max_size=4), size=st.integers(1, 50))
    async def test_what_was_written_is_read(self, tmp_path, contents, size):
        body = b"".join([chunk async for chunk in related(_outgoing(contents), "edge")])
        parts = await receive(_pieces(body, size), RELATED, tmp_path, ROOMY)
        assert [part.path.read_bytes() for part in parts] == contents

    @pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=edge", "", "text/html"])
    async def test_another_media_type_is_refused(self, tmp_path, kind):
        with pytest.raises(UnsupportedMedia):
            await receive(_pieces(b"{}"), kind, tmp_path, ROOMY)

    async def test_multipart_of_something_else_is_refused(self, tmp_path):
        kind = 'multipart/related; type="application/dicom+json"; boundary=edge'
        with pytest.raises(UnsupportedMedia):
            await receive(_pieces(b""), kind, tmp_path, ROOMY)

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"no boundary at all",
            b"--edge\r\nContent-Type: application/dicom\r\n\r\nDICM",
            b"--edge\r\n\r\nx\r\n--edge",
        ],
    )
    async def test_a_body_that_is_broken_or_ends_early_is_refused(self, tmp_path, body):
        with pytest.raises(Malformed):
            await receive(_pieces(body), RELATED, tmp_path, ROOMY)

    async def test_a_boundary_must_be_named(self, tmp_path):
        with pytest.raises(Malformed):
            await receive(_pieces(b"--\r\n"), "multipart/related; type=application/dicom", tmp_path, ROOMY)

    async def test_a_part_beyond_the_limit_is_refused_as_soon_as_it_is_passed(self, tmp_path):
        taken = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal taken
            yield b"--edge\r\n\r\n"
            while True:
                taken += 1000
                yield b"x" * 1000

        with pytest.raises(TooLarge):
            await receive(endless(), RELATED, tmp_path, Limits(part=10_000, whole=10_000_000))
        assert taken < 15_000

    async def test_a_request_beyond_the_limit_is_refused(self, tmp_path):
        with pytest.raises(TooLarge):
            await receive(_pieces(b"x" * 5000), "application/dicom", tmp_path, Limits(part=9000, whole=4000))

    async def test_endless_headers_are_refused(self, tmp_path):
        with pytest.raises(Refusal):
            await receive(_pieces(b"--edge\r\nX-A: " + b"a" * 50_000, 500), RELATED, tmp_path, ROOMY)


class TestMediaType:
    @pytest.mark.parametrize(
        ("text", "kind", "parameters"),
        [
            ("Application/DICOM", "application/dicom", {}),
            ('multipart/related; Type="a/b"; boundary="x y"', "multipart/related", {"type": "a/b", "boundary": "x y"}),
            ("", "", {}),
        ],
    )
    async def test_is_read(self, text, kind, parameters):
        assert media_type(text) == (kind, parameters)
