"""FHIR packages: a gzipped tar with `package/package.json` and a file a resource (hl7.org/fhir/packages)."""

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from emr.kernel import json
from emr.kernel.errors import Malformed, TooLarge

Json = dict[str, Any]

KINDS: Final = frozenset({"StructureDefinition", "ValueSet", "CodeSystem"})
FILES_MOST: Final = 20_000
UNPACKED_MOST: Final = 256 * 1024 * 1024
_PIECE: Final = 64 * 1024
_FHIR: Final = ("4.0.1", "4.0")


@dataclass(frozen=True, slots=True)
class Package:
    """A package as far as validation needs it: profiles, extensions, value sets and code systems, by their URL."""

    name: str
    version: str
    resources: tuple[Json, ...] = field(repr=False)

    @property
    def source(self) -> str:
        """What its resources say under `meta.source`."""
        return f"urn:emr-package:{self.name}#{self.version}"


def read_package(content: bytes) -> Package:
    """The package in a `.tgz`. Raises `Malformed` for what is none or not for R4, `TooLarge`."""
    about: Json | None = None
    resources: dict[str, Json] = {}
    for name, text in _files(content):
        if name == "package.json":
            about = json.loads(text)
        elif (resource := _resource(name, text)) is not None:
            resources[resource["url"]] = resource
    if about is None or not isinstance(about.get("name"), str) or not isinstance(about.get("version"), str):
        raise Malformed("package-form", "A package has package/package.json with a name and a version.")
    versions = about.get("fhirVersions") or about.get("fhir-version-list") or ["4.0.1"]
    if not any(str(each).startswith(_FHIR) for each in versions):
        raise Malformed("package-fhir", "The package is not for FHIR R4 (4.0.1).", location="package.json")
    return Package(about["name"], about["version"], tuple(resources.values()))


def id_of(url: str) -> str:
    """The id under which a hospital keeps the definition of a canonical URL: the same for each version of it."""
    return f"definition-{sha256(url.encode()).hexdigest()[:40]}"


def _resource(name: str, text: bytes) -> Json | None:
    try:
        value = json.loads(text)
    except Malformed as refusal:
        raise Malformed(refusal.code, f"{name}: {refusal.message}", location=name) from refusal
    kind, url = value.get("resourceType"), value.get("url")
    if not isinstance(kind, str) or kind not in KINDS or not isinstance(url, str):
        return None
    return value


def _files(content: bytes) -> Iterator[tuple[str, bytes]]:
    """The JSON files right below `package/`; examples and other folders are left out."""
    try:
        with tarfile.open(fileobj=io.BytesIO(_unpacked(content)), mode="r:") as archive:
            for count, entry in enumerate(archive):
                if count > FILES_MOST:
                    raise TooLarge("package-size", f"A package has at most {FILES_MOST} files.")
                folder, _, name = entry.name.removeprefix("./").rpartition("/")
                wanted = entry.isfile() and folder == "package" and name.endswith(".json")
                if wanted and (file := archive.extractfile(entry)) is not None:
                    yield name, file.read()
    except tarfile.TarError as error:
        raise Malformed("package-form", "The file is not a gzipped tar.") from error


def _unpacked(content: bytes) -> bytes:
    """The tar, with an end where a bomb would begin."""
    held = bytearray()
    try:
        with gzip.open(io.BytesIO(content)) as file:
            while piece := file.read(_PIECE):
                held += piece
                if len(held) > UNPACKED_MOST:
                    raise TooLarge("package-size", f"A package unpacks to at most {UNPACKED_MOST >> 20} MiB.")
    except (OSError, EOFError, zlib.error) as error:
        raise Malformed("package-form", "The file is not a gzipped tar.") from error
    return bytes(held)
