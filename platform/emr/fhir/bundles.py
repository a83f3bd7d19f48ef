"""Bundles as answers, put together from stored bytes without reading them again."""

from collections.abc import Iterable
from typing import Any

from emr.kernel import json
from emr.kernel.json import instant
from emr.records.stored import Stored


def bundle(kind: str, links: Iterable[tuple[str, str]], entries: Iterable[bytes], total: int | None = None) -> bytes:
    """A Bundle of this type; `links` are pairs of relation and address, `entries` complete JSON texts."""
    head: dict[str, Any] = {"resourceType": "Bundle", "type": kind}
    if total is not None:
        head["total"] = total
    stated = [{"relation": relation, "url": url} for relation, url in links]
    if stated:
        head["link"] = stated
    texts = list(entries)
    opening = json.dumps(head)[:-1]
    if not texts:
        return opening + b"}"
    return opening + b',"entry":[' + b",".join(texts) + b"]}"


def found_entry(base: str, stored: Stored, mode: str, body: bytes) -> bytes:
    """An entry of a search: mode `match` or `include`, and what of the resource is shown."""
    url = json.dumps(f"{base}/{stored.type}/{stored.id}")
    return b'{"fullUrl":' + url + b',"resource":' + body + b',"search":{"mode":"' + mode.encode() + b'"}}'


def history_entry(base: str, stored: Stored) -> bytes:
    """An entry of a history: what was done, and the version unless it says that the resource is gone."""
    method, status = ("DELETE", "204") if stored.deleted else ("PUT", "200")
    if stored.version == 1:
        method, status = "POST", "201"
    parts = {
        "fullUrl": f"{base}/{stored.type}/{stored.id}",
        "request": {"method": method, "url": f"{stored.type}/{stored.id}" if method != "POST" else stored.type},
        "response": response_of(stored, status),
    }
    opening = json.dumps(parts)
    return opening if stored.deleted else opening[:-1] + b',"resource":' + stored.body + b"}"


def response_of(stored: Stored, status: str) -> dict[str, Any]:
    """`Bundle.entry.response` of a version."""
    return {
        "status": status,
        "location": f"{stored.type}/{stored.id}/_history/{stored.version}",
        "etag": f'W/"{stored.version}"',
        "lastModified": instant(stored.last_updated),
    }
