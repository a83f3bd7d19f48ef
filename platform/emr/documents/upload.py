"""An upload form (multipart/form-data, RFC 7578) read as a stream: one file and a few short fields.

The framework's own form reader keeps the whole body before anybody may look at its size; this one stops at the limit.
"""

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable
from dataclasses import dataclass, field
from typing import Any, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from emr.kernel.errors import Malformed, TooLarge

MOST_FIELDS: Final = 40
FIELD_BYTES: Final = 64 << 10
_FILE: Final = "file"


@dataclass(slots=True)
class UploadForm:
    """What was read so far: the fields, and what the client says of the file. Complete when the file has been read."""

    fields: dict[str, str] = field(default_factory=dict)
    file_name: str = ""
    declared: str = ""
    files: int = 0


@dataclass(slots=True)
class _Part:
    headers: dict[str, bytes] = field(default_factory=dict)
    name: str = ""
    text: bytearray | None = None


class _Reader:
    """Callbacks of the parser: fields are gathered, file bytes queue up in `ready` until they are taken."""

    def __init__(self, form: UploadForm) -> None:
        self.form = form
        self.ready: deque[bytes] = deque()
        self.ended = False
        self._part = _Part()
        self._header, self._value = b"", b""

    def on_part_begin(self) -> None:
        self._part = _Part()

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        self._part.headers[self._header.decode("latin-1").lower()] = self._value
        self._header, self._value = b"", b""

    def on_headers_finished(self) -> None:
        headers, form = self._part.headers, self.form
        _, options = parse_options_header(headers.get("content-disposition", b""))
        self._part.name = options.get(b"name", b"").decode("utf-8", "replace")
        if b"filename" not in options:
            self._part.text = bytearray()
            if len(form.fields) >= MOST_FIELDS:
                raise TooLarge("form-too-large", f"A form has at most {MOST_FIELDS} fields.")
            return
        form.files += 1
        if form.files > 1 or self._part.name != _FILE:
            raise Malformed("form-files", "The form takes one file.", location=_FILE)
        form.file_name = options[b"filename"].decode("utf-8", "replace")
        form.declared = headers.get("content-type", b"").decode("latin-1")

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        text = self._part.text
        if text is None:
            self.ready.append(data[start:end])
            return
        if len(text) + end - start > FIELD_BYTES:
            raise TooLarge("form-too-large", f"A field has at most {FIELD_BYTES} bytes.", location=self._part.name[:40])
        text += data[start:end]

    def on_part_end(self) -> None:
        if self._part.text is not None:
            self.form.fields[self._part.name] = self._part.text.decode("utf-8", "replace")

    def on_end(self) -> None:
        self.ended = True


async def file_of(body: AsyncIterable[bytes], content_type: str, form: UploadForm) -> AsyncGenerator[bytes, None]:
    """The bytes of the one file in a form; `form` fills while they are taken.

    Raises `Malformed` for a body that is not such a form, `TooLarge` for fields out of bounds.
    """
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not boundary:
        raise Malformed("form-type", "The form must be sent as multipart/form-data.")
    reader = _Reader(form)
    try:
        parser = MultipartParser(boundary, _callbacks(reader))
        async for chunk in body:
            parser.write(chunk)
            while reader.ready:
                yield reader.ready.popleft()
    except FormParserError as error:
        raise Malformed("form-syntax", "The form cannot be read.") from error
    if not reader.ended:
        raise Malformed("form-syntax", "The form stops before its end.")


def _callbacks(reader: _Reader) -> Any:
    return {
        "on_part_begin": reader.on_part_begin,
        "on_part_data": reader.on_part_data,
        "on_part_end": reader.on_part_end,
        "on_header_field": reader.on_header_field,
        "on_header_value": reader.on_header_value,
        "on_header_end": reader.on_header_end,
        "on_headers_finished": reader.on_headers_finished,
        "on_end": reader.on_end,
    }
