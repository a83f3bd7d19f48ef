"""Small objects that nobody can change or remove before their time, in the order of their names.

In S3 the bucket has object lock, and each object is kept in COMPLIANCE mode, which no key of the service lifts. Such a
bucket keeps versions: a later one and a delete marker hide an object and do not harm it. So what counts is always the
first version, and whether there are others is told. The folder stands in for it in the demo and protects nothing.
"""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Final, Protocol

from minio.commonconfig import COMPLIANCE
from minio.datatypes import Object
from minio.retention import Retention

from emr.kernel.errors import Invalid
from emr.settings import Settings
from emr.storage.errors import ObjectMissing, StoreUnavailable
from emr.storage.s3 import S3Address, S3Client

_ONLY_NEW: Final = {"If-None-Match": "*"}


@dataclass(frozen=True, slots=True)
class Locked:
    """One object: `version` is its first; `disturbed` says that somebody wrote over it or hid it later."""

    name: str
    version: str = ""
    disturbed: bool = False


class LockedStore(Protocol):
    """Every method raises `StoreUnavailable` when the store does not answer or refuses."""

    @property
    def locks(self) -> bool:
        """Whether it keeps anything from anybody."""
        ...

    async def open(self) -> None:
        """Make the place ready."""
        ...

    async def put(self, name: str, body: bytes, until: datetime) -> None:
        """Keep bytes under a new name, unchangeable until then; where nothing is locked, one line of them."""
        ...

    async def newest(self, prefix: str) -> str | None:
        """The last name under a prefix that ends with a slash."""
        ...

    async def find(self, prefix: str) -> list[Locked]:
        """Everything under a prefix by name, what was hidden included."""
        ...

    async def get(self, found: Locked) -> bytes:
        """The first version's bytes. Raises `ObjectMissing`."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class LockedBucket:
    """A `LockedStore` in an S3 bucket of its own."""

    locks = True

    def __init__(self, address: S3Address) -> None:
        self._client = S3Client(address)

    async def open(self) -> None:
        """See `LockedStore.open`: a bucket that is missing is made with object lock, which cannot be added later."""
        client = self._client
        if not await client.call(lambda: client.minio.bucket_exists(client.bucket)):
            await client.call(lambda: client.minio.make_bucket(client.bucket, object_lock=True))

    async def put(self, name: str, body: bytes, until: datetime) -> None:
        """See `LockedStore.put`. A bucket without object lock refuses it."""
        minio, bucket = self._client.minio, self._client.bucket
        kept = {
            "x-amz-object-lock-mode": COMPLIANCE,
            "x-amz-object-lock-retain-until-date": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        await self._client.call(lambda: minio._put_object(bucket, name, body, {**_ONLY_NEW, **kept}))  # noqa: SLF001

    async def retention(self, found: Locked) -> Retention | None:
        """How long an object is kept, and in which mode."""
        minio, bucket = self._client.minio, self._client.bucket
        return await self._client.call(lambda: minio.get_object_retention(bucket, found.name, found.version))

    async def newest(self, prefix: str) -> str | None:
        """See `LockedStore.newest`: walks from the last folder to the last name in it."""
        while True:
            names = [each.object_name or "" for each in await self._list(prefix, versions=False)]
            if not names:
                return None
            prefix = max(names)
            if not prefix.endswith("/"):
                return prefix

    async def find(self, prefix: str) -> list[Locked]:
        """See `LockedStore.find`."""
        versions = await self._list(prefix, versions=True)
        ordered = sorted(versions, key=attrgetter("object_name"))
        return [_first(list(each)) for _, each in groupby(ordered, key=attrgetter("object_name"))]

    async def get(self, found: Locked) -> bytes:
        """See `LockedStore.get`."""
        client = self._client

        def read() -> bytes:
            response = client.minio.get_object(client.bucket, found.name, version_id=found.version or None)
            try:
                return bytes(response.read())
            finally:
                response.close()
                response.release_conn()

        return await client.call(read)

    def close(self) -> None:
        """See `LockedStore.close`."""
        self._client.close()

    async def _list(self, prefix: str, *, versions: bool) -> list[Object]:
        """Every version of everything, or the current names and folders of one level."""
        client = self._client
        pages = client.minio.list_objects(client.bucket, prefix, recursive=versions, include_version=versions)
        found: list[Object] = []
        while piece := await client.call(lambda: _some(pages)):
            found += piece
        return found


def _some(pages: Iterator[Object]) -> list[Object]:
    return [each for each, _ in zip(pages, range(1000), strict=False)]


def _first(versions: list[Object]) -> Locked:
    """The version that was there before all others; it is the last of them in S3's own order."""
    bodies = [each for each in versions if not each.is_delete_marker]
    first = bodies[-1] if bodies else versions[-1]
    return Locked(first.object_name or "", first.version_id or "", len(versions) > 1 or not bodies)


class AppendFolder:
    """A `LockedStore` for the demo: each folder of names is a file to which lines are appended."""

    locks = False

    def __init__(self, root: Path) -> None:
        self._root = root

    async def open(self) -> None:
        """See `LockedStore.open`."""
        self._root.mkdir(parents=True, exist_ok=True)

    async def put(self, name: str, body: bytes, until: datetime) -> None:
        """See `LockedStore.put`; nothing keeps anybody from editing the file."""
        del until
        await asyncio.to_thread(self._append, name, body)

    async def newest(self, prefix: str) -> str | None:
        """See `LockedStore.newest`."""
        names = await self.find(prefix)
        return names[-1].name if names else None

    async def find(self, prefix: str) -> list[Locked]:
        """See `LockedStore.find`."""
        return sorted(
            (Locked(name) for name, _ in await asyncio.to_thread(self._lines, prefix)), key=attrgetter("name")
        )

    async def get(self, found: Locked) -> bytes:
        """See `LockedStore.get`."""
        for name, body in await asyncio.to_thread(self._lines, found.name.rpartition("/")[0] + "/"):
            if name == found.name:
                return body
        raise ObjectMissing

    def close(self) -> None:
        """See `LockedStore.close`."""

    def _append(self, name: str, body: bytes) -> None:
        folder, _, last = name.rpartition("/")
        file = self._root / f"{folder}.lines"
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("ab") as out:
                out.write(last.encode() + b" " + body + b"\n")
                out.flush()
                os.fsync(out.fileno())
        except OSError as error:
            raise StoreUnavailable from error

    def _lines(self, prefix: str) -> list[tuple[str, bytes]]:
        found: list[tuple[str, bytes]] = []
        for file in sorted(self._root.rglob("*.lines")):
            folder = str(file.relative_to(self._root).with_suffix("")) + "/"
            if folder.startswith(prefix):
                lines = (line.partition(b" ") for line in file.read_bytes().splitlines())
                found += [(folder + name.decode("utf-8", "replace"), body) for name, _, body in lines]
        return found


def open_locked(settings: Settings) -> LockedStore:
    """The store of anchors that the settings describe. Production refuses a folder with `Invalid`."""
    anchors, storage = settings.anchors, settings.storage
    if not storage.endpoint:
        folder = anchors.folder or (
            storage.folder.with_name(f"{storage.folder.name}-anchors") if storage.folder else None
        )
        if folder is None or settings.profile == "production":
            rule = "Production keeps anchors in S3 with object lock, not in a folder."
            raise Invalid("folder-in-production", rule, location="EMR_STORAGE__ENDPOINT")
        return AppendFolder(folder)
    own = bool(anchors.access_key)
    secret = anchors.secret_key if own else storage.secret_key
    return LockedBucket(
        S3Address(
            host=storage.endpoint,
            bucket=anchors.bucket,
            access_key=anchors.access_key if own else storage.access_key,
            secret_key=secret.get_secret_value(),
            region=storage.region,
            secure=storage.secure,
        )
    )
