"""`Idempotency-Key`: the same request sent again gets the same answer again, and is done once.

A key lives 24 hours for one hospital, principal and route. The row that remembers the answer is part of the
transaction that it answers, so that neither can be there without the other.
"""

import json
from collections.abc import Awaitable, Callable
from hashlib import blake2b, sha256
from typing import Final

from fastapi import Request, Response

from emr.kernel.errors import Conflict, Invalid, Malformed
from emr.telemetry.http import route_of
from emr.work.unit import UnitOfWork

HEADER: Final = "idempotency-key"
_LONGEST: Final = 255
_LOCK: Final = "SELECT pg_try_advisory_xact_lock($1)"
_FIND: Final = """
SELECT request_digest, status, headers, body FROM idempotency_keys
 WHERE principal = $1 AND route = $2 AND key = $3 AND created_at > now() - interval '24 hours'
"""
_KEEP: Final = """
INSERT INTO idempotency_keys (principal, route, key, request_digest, status, headers, body)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (principal, route, key) DO UPDATE SET request_digest = excluded.request_digest, status = excluded.status,
  headers = excluded.headers, body = excluded.body, created_at = now()
"""
_KEPT_HEADERS: Final = ("content-type", "location", "etag", "last-modified", "hx-redirect")


async def once(
    request: Request,
    work: UnitOfWork,
    produce: Callable[[], Awaitable[Response]],
    *,
    key: str | None = None,
    body: bytes,
) -> Response:
    """Do it once for the request's key (header, or `key` from a form), or give the answer that it got before.

    Raises `Conflict` while a twin is under way, `Invalid` when the key came with another request before.
    """
    key = key or request.headers.get(HEADER)
    if not key:
        return await produce()
    if len(key) > _LONGEST:
        raise Malformed("idempotency-key-form", f"A key has at most {_LONGEST} characters.", location="Idempotency-Key")
    place = (work.principal.subject, f"{request.method} {route_of(request.scope)}", key)
    await _alone(work, place)
    digest = sha256(request.url.path.encode() + b"\0" + body).digest()
    row = await work.db.fetchrow(_FIND, *place, name="idempotency")
    if row is not None:
        if row["request_digest"] != digest:
            raise Invalid("idempotency-key-reused", "This key came with another request.", location="Idempotency-Key")
        return Response(row["body"], row["status"], json.loads(row["headers"]))
    answer = await produce()
    headers = {name: answer.headers[name] for name in _KEPT_HEADERS if name in answer.headers}
    await work.db.execute(
        _KEEP, *place, digest, answer.status_code, json.dumps(headers), bytes(answer.body), name="idempotency"
    )
    return answer


async def _alone(work: UnitOfWork, place: tuple[str, str, str]) -> None:
    lock = "\0".join((work.tenant.schema, *place)).encode()
    number = int.from_bytes(blake2b(lock, digest_size=8).digest(), "big", signed=True)
    if not await work.db.fetchval(_LOCK, number, name="idempotency-lock"):
        raise Conflict("twin-under-way", "The same request is under way.", location="Idempotency-Key")
