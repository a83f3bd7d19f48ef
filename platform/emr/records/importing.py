"""Bring files of FHIR resources into a record: each file once, whole or not at all.

The digest of a file is its idempotency key, so that an import which was cut off can simply be started again.
"""

import gzip
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlencode

from emr.definitions.validate import demand_valid
from emr.kernel import json
from emr.kernel.errors import Invalid, Malformed, TooLarge
from emr.records.condition import Condition
from emr.records.entries import ENTRIES_MOST, Entry, entries_of
from emr.records.transaction import transaction
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

ROUTE: Final = "emr import"
"""Under this route the digests stand in `idempotency_keys`; they do not expire."""
_SHARED: Final = frozenset({"Organization", "Practitioner", "PractitionerRole", "Location", "Medication"})
_LARGEST: Final = json.MAX_BYTES
_KNOWN: Final = "SELECT 1 FROM idempotency_keys WHERE principal = $1 AND route = $2 AND key = $3"
_KEEP: Final = """
INSERT INTO idempotency_keys (principal, route, key, request_digest, status, headers, body)
VALUES ($1, $2, $3, $4, 200, '{}', '')
"""


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file brought: resources stored, resources found to be there already; `known`: it was imported before."""

    stored: int
    found: int
    known: bool = False


@use_case("record:import", "record.imported")
async def import_bundle(work: UnitOfWork, content: bytes) -> Imported:
    """Store a transaction Bundle, or NDJSON as one. Raises what `transaction` raises.

    Organizations, practitioners and places that many Bundles repeat are looked up by their first identifier, so that
    they do not multiply.
    """
    digest = sha256(content).digest()
    key = (work.principal.subject, ROUTE, digest.hex())
    if await work.db.fetchval(_KNOWN, *key, name="import-known"):
        return Imported(0, 0, known=True)
    bundle = bundle_of(content)
    demand_valid(bundle, expected_type="Bundle")
    entries = entries_of(bundle)
    for entry in entries:
        if not entry.writes:
            raise Invalid("import-reads", "A file that is imported changes and reads nothing.", location=entry.location)
        if entry.method == "POST" and entry.condition is None and entry.type in _SHARED:
            entry.condition = _first_identifier(entry)
    done = await transaction(work, entries)
    await work.db.execute(_KEEP, *key, digest, name="import-keep")
    stored = sum(entry.draft is not None for entry in done)
    return Imported(stored, len(done) - stored)


def unpacked(name: str, content: bytes) -> bytes:
    """The text of a file, when it is gzip by name. Raises `TooLarge`, `Malformed`."""
    if not name.endswith(".gz"):
        return content
    try:
        with gzip.open(io.BytesIO(content)) as file:
            text = file.read(_LARGEST + 1)
    except (OSError, EOFError) as error:
        raise Malformed("gzip-broken", "The file is not a whole gzip file.") from error
    if len(text) > _LARGEST:
        raise TooLarge("file-too-large", f"A file holds at most {_LARGEST // 1024 // 1024} MiB of JSON.")
    return text


def bundle_of(content: bytes) -> dict[str, Any]:
    """A transaction Bundle as it is, or one made of the lines of an NDJSON file, each stored under its own id."""
    try:
        value = json.parse(content).value
    except Malformed:
        if b"\n" not in content.strip():
            raise
        return {"resourceType": "Bundle", "type": "transaction", "entry": list(_lines(content))}
    if value.get("resourceType") != "Bundle" or value.get("type") != "transaction":
        raise Malformed("bundle-type", "The file is neither a transaction Bundle nor NDJSON.", location="Bundle.type")
    return value


def _lines(content: bytes) -> Iterator[dict[str, Any]]:
    lines = [line for line in content.splitlines() if line.strip()]
    if len(lines) > ENTRIES_MOST:
        raise TooLarge("too-many-entries", f"A file has at most {ENTRIES_MOST} resources.")
    for number, line in enumerate(lines, 1):
        resource = json.parse(line).value
        resource_type, resource_id = resource.get("resourceType"), resource.get("id")
        if not isinstance(resource_type, str) or not isinstance(resource_id, str):
            raise Malformed("ndjson-line", "A line of NDJSON is a resource with an id.", location=f"line {number}")
        request = {"method": "PUT", "url": f"{resource_type}/{resource_id}"}
        yield {"fullUrl": f"urn:emr:{resource_type}/{resource_id}", "resource": resource, "request": request}


def _first_identifier(entry: Entry) -> Condition | None:
    for identifier in entry.resource.get("identifier", ()):
        if identifier.get("system") and identifier.get("value"):
            query = urlencode({"identifier": f"{escaped(identifier['system'])}|{escaped(identifier['value'])}"})
            return Condition(entry.type, query, f"{entry.location}.resource.identifier")
    return None


def escaped(text: str) -> str:
    """A text as a search value says it (search.html#escaping)."""
    return re.sub(r"([\\,|$])", r"\\\1", text)
