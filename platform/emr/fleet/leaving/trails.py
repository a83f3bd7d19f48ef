"""The trail of a package: whether it is whole, and its rows and seals for the tables that they came from."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from emr.audit.columns import encoded
from emr.audit.rows import Event, Unreadable, event_of
from emr.audit.seals import Head, Kept, Seal
from emr.audit.verification import verify
from emr.fleet.leaving.layout import ANCHORS, ROWS, SEALS
from emr.fleet.leaving.manifest import Manifest
from emr.fleet.leaving.package import Package
from emr.kernel.errors import Invalid


def events(package: Package, manifest: Manifest) -> Iterator[Event]:
    """The rows by number, with the columns that follow from their text. Raises `Invalid`."""
    try:
        for number, line in enumerate(_lines(package, manifest, ROWS), 1):
            yield event_of(number, line.decode())
    except (Unreadable, UnicodeDecodeError) as error:
        raise Invalid("package-trail", "A line of the trail is no row.", location=ROWS) from error


def seals(package: Package, manifest: Manifest) -> Iterator[Kept]:
    """The seals by batch. Raises `Invalid`."""
    stream = manifest.hospital["stream"]
    try:
        for line in _lines(package, manifest, SEALS):
            told = json.loads(line)
            root, previous, digest = (bytes.fromhex(told[name]) for name in ("root", "previous", "hash"))
            at = datetime.fromisoformat(told["sealed_at"])
            yield Kept(
                Seal(stream, told["batch"], told["first"], told["last"], root, previous, at, told["format"]), digest
            )
    except (ValueError, KeyError, TypeError) as error:
        raise Invalid("package-trail", "A line of the seals is none.", location=SEALS) from error


def demand_whole(package: Package, manifest: Manifest) -> None:
    """Compute every seal again and compare with the chain, the anchors and the manifest. Raises `Invalid`."""
    told = manifest.body["audit"]
    anchored = [
        Head(each["batch"], each["last"], bytes.fromhex(each["hash"]))
        for each in map(json.loads, _lines(package, manifest, ANCHORS))
    ]
    end = Head(told["batch"], told["last"], bytes.fromhex(told["hash"]))
    heads = sorted({*anchored, end}, key=lambda head: head.batch)
    stream = manifest.hospital["stream"]
    for fault in verify(stream, seals(package, manifest), map(encoded, events(package, manifest)), heads):
        raise Invalid("package-trail", f"The trail is not whole: {fault}.", location=ROWS)


def _lines(package: Package, manifest: Manifest, stem: str) -> Iterator[Any]:
    for file in manifest.files:
        if file.path == stem or file.path.startswith(f"{stem}."):
            yield from package.lines(file.path, file.bytes)
