"""`GET /h/{slug}/fhir/Binary/{id}`: the bytes, or the resource around them, as the client asks (binary.html#rest)."""

import base64
from typing import Final

from fastapi import APIRouter, Request, Response

from emr.documents import service
from emr.documents.answers import GUARDED, FiledBytes
from emr.documents.service import OpenBinary
from emr.kernel import json
from emr.kernel.errors import NotAcceptable, TooLarge
from emr.web.conditions import has_version
from emr.web.work import Work

router = APIRouter(prefix="/h/{slug}/fhir", include_in_schema=False)

JSON_BYTES: Final = 12 << 20
"""The most bytes that are put into a JSON answer; larger content is fetched as it is."""
_JSON: Final = frozenset({"application/fhir+json", "application/json", "application/json+fhir", "text/json", "json"})


@router.get("/Binary/{binary}")
async def read_binary(request: Request, work: Work, binary: str) -> Response:
    """JSON for a client that asks for JSON, else the bytes; 304 for what it has. Raises `NotAcceptable`."""
    opened = await service.open_binary(work, binary)
    if has_version(request, opened.version, opened.last_updated):
        return Response(None, 304, dict(GUARDED) | {"ETag": f'W/"{opened.version}"'})
    wanted = request.query_params.get("_format") or request.headers.get("accept", "*/*")
    kinds = {part.partition(";")[0].strip().lower() for part in wanted.split(",")}
    if kinds & _JSON:
        return await _as_json(opened)
    media_type = opened.content.media_type
    if not kinds & {media_type, f"{media_type.partition('/')[0]}/*", "application/octet-stream", "*/*"}:
        raise NotAcceptable("format-unknown", f"This Binary is {media_type}.", location="Accept")
    return FiledBytes(opened.content)


async def _as_json(opened: OpenBinary) -> Response:
    content, resource = opened.content, dict(opened.resource)
    if content.size > JSON_BYTES:
        raise TooLarge("binary-too-large", f"JSON holds at most {JSON_BYTES} bytes; ask for the bytes themselves.")
    data = b"".join([chunk async for chunk in content.chunks()])
    resource |= {"contentType": content.media_type, "data": base64.b64encode(data).decode("ascii")}
    headers = dict(GUARDED) | {"ETag": f'W/"{opened.version}"'}
    return Response(json.dumps(resource), 200, headers, "application/fhir+json")
