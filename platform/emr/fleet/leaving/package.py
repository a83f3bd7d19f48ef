"""A package as it was brought: a folder or one zip file. Nothing is taken on trust but the signer's key.

Only files that the signed manifest or its list of contents names are read, no further than the size that they state; so
neither a path that climbs, nor a link, nor an archive that unpacks into more than it says gets anywhere.
"""

import json
import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, Final

from emr.fleet.leaving.layout import CONTENTS, MANIFEST, SIGNATURE, FileFact, checked_path
from emr.fleet.leaving.manifest import Manifest, read_manifest
from emr.kernel.errors import Invalid, NotFound

_LARGEST_MANIFEST: Final = 64 << 20
_LARGEST_SIGNATURE: Final = 4096
_LONGEST_LINE: Final = 32 << 20
_PLAIN: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_READ: Final = 1 << 20
_LINK: Final = "The package holds a link or something else that is no plain file."


class Package:
    """Files by their paths in the package; `names` are all that is there."""

    def __init__(self, names: dict[str, int], opener: Callable[[str], IO[bytes]]) -> None:
        self.names = names
        self._opener = opener

    def chunks(self, path: str, size: int) -> Iterator[bytes]:
        """The bytes of a file that should have this size. Raises `Invalid` when it is missing, shorter or longer."""
        if self.names.get(checked_path(path)) != size:
            raise Invalid(
                "package-file", "A file is missing or has another size than the manifest says.", location=path
            )
        left = size
        with self._opened(path) as file:
            while piece := file.read(min(_READ, left + 1)):
                left -= len(piece)
                if left < 0:
                    break
                yield piece
        if left:
            raise Invalid("package-file", "A file has another size than it states.", location=path)

    def lines(self, path: str, size: int) -> Iterator[bytes]:
        """The lines of a file, without their ends."""
        held = b""
        for piece in self.chunks(path, size):
            *whole, held = (held + piece).split(b"\n")
            yield from whole
            if len(held) > _LONGEST_LINE:
                raise Invalid("package-line", "A line is longer than any of ours.", location=path)
        if held:
            yield held

    def small(self, path: str, most: int) -> bytes:
        """A small file whole. Raises `Invalid`."""
        size = self.names.get(path)
        if size is None:
            raise Invalid("package-file", "This is no exit package: a file is missing.", location=path)
        if size > most:
            raise Invalid("package-file", "A file is larger than any of ours.", location=path)
        return b"".join(self.chunks(path, size))

    @contextmanager
    def _opened(self, path: str) -> Iterator[IO[bytes]]:
        try:
            with self._opener(path) as file:
                yield file
        except (OSError, zipfile.BadZipFile, EOFError, RuntimeError) as error:
            raise Invalid("package-file", "A file of the package cannot be read.", location=path) from error


@contextmanager
def opened(place: Path) -> Iterator[Package]:
    """A package in a folder or in a zip file. Raises `Invalid` for what has no place in one, `NotFound`."""
    if place.is_dir():
        yield Package(_walked(place), lambda path: _plain(place / path))
    elif place.is_file():
        try:
            with zipfile.ZipFile(place) as archive:
                names = _listed(archive)
                yield Package(names, archive.open)
        except (zipfile.BadZipFile, NotImplementedError) as error:
            raise Invalid("package-archive", "This is neither a folder nor a whole zip file.") from error
    else:
        raise NotFound("package-missing", f"There is no {place}.")


def verify(package: Package, trusted: dict[str, bytes], watch: Callable[[int], None] = lambda _: None) -> Manifest:
    """Read every file and compare it with what is signed; nothing may be there that is not. Raises `Invalid`."""
    signature = package.small(SIGNATURE, _LARGEST_SIGNATURE)
    manifest = read_manifest(package.small(MANIFEST, _LARGEST_MANIFEST), signature, trusted)
    named = {MANIFEST, SIGNATURE}
    for each in manifest.files:
        _demand_same(package, each)
        named.add(each.path)
        watch(each.bytes)
    for row in contents_of(package, manifest):
        fact = FileFact(checked_path(row["path"]), row["size"], row["sha256"])
        _demand_same(package, fact)
        named.add(fact.path)
        watch(fact.bytes)
    more = sorted(package.names.keys() - named)
    if more:
        raise Invalid("package-file", "The package holds a file that its manifest does not name.", location=more[0])
    return manifest


def contents_of(package: Package, manifest: Manifest) -> Iterator[dict[str, Any]]:
    """The rows of the list of contents."""
    index = next((each for each in manifest.files if each.path == CONTENTS), None)
    if index is not None:
        for line in package.lines(index.path, index.bytes):
            yield json.loads(line)


def _demand_same(package: Package, fact: FileFact) -> None:
    digest, lines = sha256(), 0
    for piece in package.chunks(fact.path, fact.bytes):
        digest.update(piece)
        lines += piece.count(b"\n")
    if digest.hexdigest() != fact.sha256 or fact.lines not in (None, lines):
        raise Invalid("package-altered", "A file is not what was signed.", location=fact.path)


def _walked(root: Path) -> dict[str, int]:
    names: dict[str, int] = {}
    for folder, folders, files in os.walk(root, followlinks=False):
        for name in (*folders, *files):
            path = Path(folder, name)
            kept = path.lstat()
            if stat.S_ISREG(kept.st_mode):
                names[checked_path(path.relative_to(root).as_posix())] = kept.st_size
            elif not stat.S_ISDIR(kept.st_mode):
                raise Invalid("package-link", _LINK, location=str(path.relative_to(root)))
    return names


def _plain(path: Path) -> IO[bytes]:
    """A file that is no link; whoever puts one there after the walk is refused by the system."""
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb")


def _listed(archive: zipfile.ZipFile) -> dict[str, int]:
    names: dict[str, int] = {}
    for each in archive.infolist():
        if each.is_dir():
            checked_path(each.filename.rstrip("/"))
            continue
        mode = each.external_attr >> 16
        if mode and not stat.S_ISREG(mode) and stat.S_IFMT(mode):
            raise Invalid("package-link", _LINK, location=each.filename)
        if checked_path(each.filename) in names:
            raise Invalid("package-file", "A file stands twice in the package.", location=each.filename)
        if each.compress_type not in _PLAIN or each.flag_bits & 1:
            raise Invalid("package-archive", "The archive is packed or locked in a way that is not ours.")
        names[each.filename] = each.file_size
    return names
