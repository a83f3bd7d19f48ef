"""The entries of `fhir/history` as rows of the record: versions keep their numbers, times and bytes."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any, Final

from emr.definitions.compartment import patients_of
from emr.fleet.leaving.layout import HISTORY
from emr.fleet.leaving.manifest import Manifest
from emr.fleet.leaving.package import Package
from emr.kernel.errors import Invalid

_RESOURCE: Final = b',"resource":'
RESOURCES: Final = 200
BYTES: Final = 4 << 20
"""The most of one batch; one version alone may weigh more."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version as it was written down. `body` is empty for a deletion."""

    type: str
    id: str
    number: int
    updated: datetime
    deleted: bool
    body: bytes = field(repr=False)

    @property
    def name(self) -> tuple[str, str]:
        """Which resource it is of."""
        return self.type, self.id

    def patients(self) -> list[str]:
        """Whose compartment it is in."""
        return [] if self.deleted else patients_of(self.type, json.loads(self.body, parse_float=str))

    def resource(self) -> dict[str, Any]:
        """What it says."""
        value: dict[str, Any] = json.loads(self.body)
        return value


@dataclass(slots=True)
class Batch:
    """Some versions: of resources that begin here or before; `newest` marks the last of each resource."""

    versions: list[Version] = field(default_factory=list)
    newest: list[bool] = field(default_factory=list)
    bytes: int = 0

    def add(self, version: Version, *, newest: bool) -> None:
        """One more."""
        self.versions.append(version)
        self.newest.append(newest)
        self.bytes += len(version.body)

    @property
    def full(self) -> bool:
        """Whether it is time to store it."""
        return len(self.versions) >= RESOURCES or self.bytes >= BYTES


def batches_of(package: Package, manifest: Manifest) -> Iterator[Batch]:
    """Every version of the package, type by type, in the order of its files. Raises `Invalid`."""
    files = [each for each in manifest.files if each.path.startswith(HISTORY + "/")]
    for _, of_type in groupby(files, key=lambda each: each.path.rpartition("/")[2].partition(".")[0]):
        batch = Batch()
        lines = (line for each in of_type for line in package.lines(each.path, each.bytes))
        for version, newest in _marked(version_of(line) for line in lines):
            batch.add(version, newest=newest)
            if batch.full:
                yield batch
                batch = Batch()
        if batch.versions:
            yield batch


def version_of(line: bytes) -> Version:
    """An entry of a history Bundle, as `record.entry` writes it. Raises `Invalid`."""
    head, found, rest = line.partition(_RESOURCE)
    try:
        told = json.loads(head + b"}" if found else line)
        kind, _, key = told["request"]["url"].partition("/")
        response = told["response"]
        number, updated = int(response["etag"][3:-1]), datetime.fromisoformat(response["lastModified"])
        version = Version(kind, key, number, updated, not found, rest[:-1])
        if found:
            body = json.loads(version.body)
            same = (body["resourceType"], body["id"], body["meta"]["versionId"]) == (kind, key, str(number))
        else:
            same = told["request"]["method"] == "DELETE"
    except (ValueError, KeyError, TypeError) as error:
        raise Invalid("package-entry", "A line of the history is no entry of ours.", location=HISTORY) from error
    if not same:
        raise Invalid("package-entry", "An entry of the history is not what it says.", location=f"{kind}/{key}")
    return version


def _marked(versions: Iterable[Version]) -> Iterator[tuple[Version, bool]]:
    """Each version, and whether the next one is of another resource."""
    held: Version | None = None
    for version in versions:
        if held is not None:
            yield held, held.name != version.name
        held = version
    if held is not None:
        yield held, True
