"""The manifest of a package: counts, every file with its digest, and a signature over all of it."""

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from emr.audit.signing import Signer, holds, key_id
from emr.fleet.leaving.layout import CONTENTS, FORMAT, MANIFEST, SIGNATURE, SUMS, VERSION, FileFact, checked_path
from emr.fleet.leaving.progress import Progress
from emr.fleet.leaving.shelf import fact_of, put_file
from emr.kernel.errors import Invalid

_MAGIC: Final = b"EMR-EXIT-PACKAGE\x00"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a package says of itself. `digest`: SHA-256 of the manifest's bytes, the package's own name."""

    body: dict[str, Any]
    digest: str
    key: str

    @property
    def files(self) -> list[FileFact]:
        """Every file but those of `contents/`, which have a list of their own."""
        return _facts(self.body)

    @property
    def hospital(self) -> dict[str, Any]:
        """`id slug name facility_code stream`."""
        named: dict[str, Any] = self.body["hospital"]
        return named


def write_manifest(progress: Progress, signer: Signer) -> str:
    """Manifest, signature and the list that `sha256sum -c` reads; gives the package's digest."""
    files = [*progress.files(), _sums(progress)]
    body = {
        "format": FORMAT,
        "version": VERSION,
        **progress.facts,
        "counts": progress.counts,
        "files": [each.as_json() for each in files],
    }
    text = json.dumps(body, ensure_ascii=False, indent=1).encode() + b"\n"
    signature = base64.b64encode(signer.sign(_MAGIC + text)).decode("ascii")
    public = base64.b64encode(signer.public).decode("ascii")
    told = {"key": signer.id, "public": public, "signature": signature}
    put_file(progress.root, SIGNATURE, json.dumps(told).encode() + b"\n")
    return put_file(progress.root, MANIFEST, text).sha256


def read_manifest(text: bytes, signature: bytes, trusted: dict[str, bytes]) -> Manifest:
    """The manifest, when somebody trusted has signed it. Raises `Invalid`."""
    try:
        told = json.loads(signature)
        public, signed = trusted.get(told["key"]), base64.b64decode(told["signature"], validate=True)
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise Invalid("package-signature", "The package's signature cannot be read.", location=SIGNATURE) from error
    if public is None:
        rule = "Nobody trusted has signed this package; ask the sender for the public key (`emr audit key`)."
        raise Invalid("package-key", rule, location=SIGNATURE)
    if not holds(public, _MAGIC + text, signed):
        raise Invalid("package-signature", "The manifest is not what was signed.", location=MANIFEST)
    return Manifest(_checked(json.loads(text)), sha256(text).hexdigest(), told["key"])


def public_key(text: str) -> dict[str, bytes]:
    """A public key as `emr audit key` prints it, by its id. Raises `Invalid`."""
    try:
        public = base64.b64decode(text.rsplit(maxsplit=1)[-1], validate=True)
        holds(public, b"", b"")
    except (ValueError, IndexError, binascii.Error) as error:
        raise Invalid("package-key", "This is no public key as `emr audit key` prints it.", location="--key") from error
    return {key_id(public): public}


def _checked(body: dict[str, Any]) -> dict[str, Any]:
    if body.get("format") != FORMAT:
        raise Invalid("package-format", "This is not an exit package.", location=MANIFEST)
    if body.get("version") != VERSION:
        rule = f"The package has format version {body.get('version')}; this build reads version {VERSION}."
        raise Invalid("package-version", rule, location=MANIFEST)
    return body


def _sums(progress: Progress) -> FileFact:
    """`SHA256SUMS`: every file with its digest, but for itself, the manifest and the signature."""
    place = progress.root / SUMS
    with place.open("w", encoding="ascii") as file:
        for each in progress.files():
            file.write(f"{each.sha256}  {each.path}\n")
        for row in content_rows(progress.root / CONTENTS):
            file.write(f"{row['sha256']}  {row['path']}\n")
    return fact_of(progress.root, SUMS)


def read_files(manifest: Path) -> list[FileFact]:
    """The files that a manifest of our own names."""
    return _facts(json.loads(manifest.read_bytes()))


def _facts(body: dict[str, Any]) -> list[FileFact]:
    return [
        FileFact(checked_path(each["path"]), each["bytes"], each["sha256"], each.get("lines")) for each in body["files"]
    ]


def content_rows(index: Path) -> Iterator[dict[str, Any]]:
    """The rows of `contents/index.ndjson`."""
    with index.open("rb") as file:
        for line in file:
            yield json.loads(line)
