"""Rules of a Bundle as a whole (https://hl7.org/fhir/R4/bundle.html#constraints and http.html#transaction)."""

import re
from typing import Any, Final

from emr.definitions import model
from emr.definitions.findings import Findings, Path

Json = dict[str, Any]

MAX_ENTRIES: Final = 5_000
"""Entries of one Bundle; the largest sample patient has 1,240."""
_REQUESTED: Final = frozenset({"batch", "transaction", "history"})
_ANSWERED: Final = frozenset({"batch-response", "transaction-response", "history"})
_URL = re.compile(
    r"(?:([A-Z][A-Za-z]{1,63})(?:/(?!\.\.?(?:[/?]|$))[A-Za-z0-9.$-]{1,64}){0,2}(?:/_history(?:/[A-Za-z0-9.-]{1,64})?)?|_history|metadata|\$[a-z-]+)?(?:\?\S*)?",
    re.ASCII,
).fullmatch


def check_bundle(value: Json, path: Path, found: Findings) -> None:
    kind = value.get("type") if type(value.get("type")) is str else None
    entries = value.get("entry")
    if "total" in value and kind not in {"searchset", "history"}:
        found.add("bundle", "Only a search or a history has a total (bdl-1).", (path, "total", None))
    seen: set[tuple[str, str]] = set()
    written: set[str] = set()
    for index, entry in enumerate(entries if type(entries) is list else ()):
        place = (path, "entry", index)
        if type(entry) is dict:
            _check_parts(kind, entry, place, found)
            _check_full_url(entry, seen, place, found)
            _check_request(kind, entry, written, place, found)


def _check_parts(kind: Any, entry: Json, path: Path, found: Findings) -> None:
    if "search" in entry and kind != "searchset":
        found.add("bundle", "Only a search has this (bdl-2).", (path, "search", None))
    if ("request" in entry) != (kind in _REQUESTED):
        found.add(
            "bundle",
            "Batch, transaction and history have a request, others have none (bdl-3).",
            (path, "request", None),
        )
    if ("response" in entry) != (kind in _ANSWERED):
        found.add(
            "bundle", "Answers and histories have a response, others have none (bdl-4).", (path, "response", None)
        )
    if not entry.keys() & {"resource", "request", "response"}:
        found.add("bundle", "An entry has a resource, a request or a response (bdl-5).", path)


def _check_full_url(entry: Json, seen: set[tuple[str, str]], path: Path, found: Findings) -> None:
    url = entry.get("fullUrl")
    if type(url) is not str:
        return
    resource = entry.get("resource")
    meta = resource.get("meta") if type(resource) is dict else None
    version = meta.get("versionId") if type(meta) is dict else None
    if (url, str(version)) in seen:
        found.add("bundle", "A fullUrl stands in one entry only (bdl-7).", (path, "fullUrl", None))
    if "/_history/" in url:
        found.add("bundle", "A fullUrl names no version (bdl-8).", (path, "fullUrl", None))
    seen.add((url, str(version)))


def _check_request(kind: Any, entry: Json, written: set[str], path: Path, found: Findings) -> None:
    request = entry.get("request")
    if kind not in {"batch", "transaction"} or type(request) is not dict or type(request.get("url")) is not str:
        return
    method, url = str(request.get("method")), request["url"].removeprefix("/")
    match = _URL(url)
    if match is None or (match.group(1) or "Patient") not in model.resource_types():
        found.add("bundle", "The url of a request is relative: a type, an id, a query.", (path, "request", None))
    if method in {"PUT", "DELETE", "PATCH"}:
        if kind == "transaction" and url in written:
            found.add("bundle", "A transaction changes a resource once.", (path, "request", None))
        written.add(url)
    if method in {"PUT", "POST"} and "resource" not in entry:
        found.add("bundle", "A POST or PUT comes with a resource.", (path, "resource", None))
