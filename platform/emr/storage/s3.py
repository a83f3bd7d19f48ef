"""Objects in an S3 service, through `minio`.

The client is synchronous, so each call runs in a bounded pool of threads of its own and under a deadline: a store that
hangs makes uploads wait and fail, and takes nothing from those who read the record. A thread is held for one call only,
never while a slow browser sends or reads.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

import urllib3
from minio import Minio
from minio.datatypes import Object, Part
from minio.error import MinioException, S3Error

from emr.kernel.errors import Conflict
from emr.storage.breaker import Breaker
from emr.storage.errors import ObjectMissing, StoreUnavailable
from emr.storage.ports import NAME, Fetched, ObjectInfo, checked_prefix
from emr.storage.sealed import frames

PART_BYTES: Final = 8 << 20
READ_BYTES: Final = 1 << 20
_CREATE_ONLY: Final = {"If-None-Match": "*"}
_ABSENT: Final = frozenset({"NoSuchKey", "NoSuchObject", "ResourceNotFound"})
_NO_POLICY: Final = frozenset({"NoSuchBucketPolicy", "AccessDenied"})
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class S3Address:
    """Where the service is and who we are there: `host` is host:port; `deadline` is seconds for one call."""

    host: str
    bucket: str
    access_key: str
    secret_key: str
    region: str = "us-east-1"
    secure: bool = True
    threads: int = 16
    deadline: float = 10.0


class S3Client:
    """One connection pool and one pool of threads, shared by the hospitals' stores of a process."""

    def __init__(self, address: S3Address) -> None:
        timeout = urllib3.Timeout(connect=2.0, read=address.deadline * 1.5)
        # A busy service may ask for a minute's patience; a person with a form has none, and a thread is worth more.
        retries = urllib3.Retry(
            total=2,
            connect=2,
            read=1,
            backoff_factor=0.1,
            status_forcelist=(500, 502, 503, 504),
            respect_retry_after_header=False,
        )
        self.bucket = address.bucket
        self.minio = Minio(
            endpoint=address.host,
            access_key=address.access_key,
            secret_key=address.secret_key,
            region=address.region,
            secure=address.secure,
            http_client=urllib3.PoolManager(num_pools=4, maxsize=address.threads, timeout=timeout, retries=retries),
        )
        self._threads = ThreadPoolExecutor(address.threads, thread_name_prefix="objects")
        self._deadline = address.deadline
        self._breaker = Breaker()

    async def call(self, job: Callable[[], R]) -> R:
        """Run one call of the client in a thread. Raises `ObjectMissing` or `StoreUnavailable`."""
        self._breaker.enter()
        try:
            async with asyncio.timeout(self._deadline):
                result = await asyncio.get_running_loop().run_in_executor(self._threads, job)
        except TimeoutError as error:
            self._breaker.late()
            raise StoreUnavailable from error
        except S3Error as error:
            self._breaker.answered()
            raise (ObjectMissing() if error.code in _ABSENT else StoreUnavailable()) from error
        except (MinioException, urllib3.exceptions.HTTPError, OSError) as error:
            raise StoreUnavailable from error
        self._breaker.answered()
        return result

    async def check(self) -> None:
        """Ask whether the bucket answers; raises `StoreUnavailable`."""
        if not await self.call(lambda: self.minio.bucket_exists(self.bucket)):
            raise StoreUnavailable

    async def make_bucket(self) -> None:
        """Make the bucket if it is not there."""
        if not await self.call(lambda: self.minio.bucket_exists(self.bucket)):
            await self.call(lambda: self.minio.make_bucket(self.bucket))

    async def demand_closed(self) -> None:
        """Raises `Conflict` when the bucket's policy lets strangers in. Where we may not ask, nothing is said."""
        policy = await self.call(self._policy)
        if any(_opens(statement) for statement in policy.get("Statement", ())):
            rule = f"The policy of the bucket {self.bucket} lets strangers in; take that statement away."
            raise Conflict("bucket-open", rule, location="EMR_STORAGE__BUCKET")

    def _policy(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self.minio.get_bucket_policy(self.bucket))
        except S3Error as error:
            if error.code in _NO_POLICY:
                return {}
            raise
        return found

    def close(self) -> None:
        """Let go of threads; calls under way are not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _opens(statement: dict[str, Any]) -> bool:
    """Whether a statement of a policy lets anybody do anything ("Principal" in the policy language of S3)."""
    principal = statement.get("Principal")
    named = principal.get("AWS") if isinstance(principal, dict) else principal
    everybody = "*" in (named if isinstance(named, list) else [named])
    return statement.get("Effect") == "Allow" and everybody and not statement.get("Condition")


class _Response(Protocol):
    def read(self, amt: int) -> bytes: ...
    def close(self) -> None: ...
    def release_conn(self) -> None: ...


class S3Store:
    """An `ObjectStore` for one hospital: a prefix of the bucket."""

    def __init__(self, client: S3Client, prefix: str) -> None:
        self.prefix = checked_prefix(prefix)
        self._client = client

    async def put(self, key: str, chunks: AsyncIterable[bytes]) -> int:
        """See `ObjectStore.put`. Up to 8 MiB go in one request that never overwrites, more in parts of 8 MiB."""
        name = self._name(key)
        pieces = frames(chunks, PART_BYTES)
        first, whole = await anext(pieces)
        if whole:
            minio, bucket = self._client.minio, self._client.bucket
            await self._client.call(lambda: minio._put_object(bucket, name, first, dict(_CREATE_ONLY)))  # noqa: SLF001
            return len(first)
        return await self._put_parts(name, first, pieces)

    async def _put_parts(self, name: str, first: bytes, rest: AsyncIterator[tuple[bytes, bool]]) -> int:
        async with AsyncExitStack() as undo:
            upload = await _Upload.begin(self._client, name)
            undo.push_async_callback(upload.abort)
            await upload.add(first)
            async for piece, _ in rest:
                await upload.add(piece)
            await upload.complete()
            undo.pop_all()
        return upload.size

    async def get(self, key: str, start: int = 0, end: int | None = None) -> Fetched:
        """See `ObjectStore.get`."""
        name, client = self._name(key), self._client
        wanted = {"Range": f"bytes={start}-{'' if end is None else end - 1}"} if start or end is not None else {}
        response = await client.call(lambda: client.minio.get_object(client.bucket, name, request_headers=dict(wanted)))
        _, _, total = response.headers.get("Content-Range", "").partition("/")
        return Fetched(int(total or response.headers.get("Content-Length", "0")), self._read(response))

    async def _read(self, response: _Response) -> AsyncGenerator[bytes, None]:
        try:
            while chunk := await self._client.call(lambda: response.read(READ_BYTES)):
                yield chunk
        finally:
            response.close()
            response.release_conn()

    async def head(self, key: str) -> ObjectInfo | None:
        """See `ObjectStore.head`."""
        name, client = self._name(key), self._client
        try:
            return self._info(await client.call(lambda: client.minio.stat_object(client.bucket, name)))
        except ObjectMissing:
            return None

    async def delete(self, key: str) -> None:
        """See `ObjectStore.delete`."""
        name, client = self._name(key), self._client
        await client.call(lambda: client.minio.remove_object(client.bucket, name))

    async def list(self, start: str = "") -> AsyncIterator[ObjectInfo]:
        """See `ObjectStore.list`."""
        client = self._client
        pages = client.minio.list_objects(client.bucket, f"{self.prefix}/{start}", recursive=True)
        while found := await client.call(lambda: next(pages, None)):
            info = self._info(found)
            if NAME.fullmatch(info.key):
                yield info

    def _info(self, found: Object) -> ObjectInfo:
        if found.object_name is None or found.size is None or found.last_modified is None:
            raise StoreUnavailable
        return ObjectInfo(found.object_name.removeprefix(f"{self.prefix}/"), found.size, found.last_modified)

    def _name(self, key: str) -> str:
        if not NAME.fullmatch(key):
            raise ObjectMissing
        return f"{self.prefix}/{key}"


class _Upload:
    """A multipart upload by hand: the public `put_object` would hold a thread while a slow client sends."""

    def __init__(self, client: S3Client, name: str, upload_id: str) -> None:
        self.size = 0
        self._client, self._name, self._id = client, name, upload_id
        self._parts: list[Part] = []

    @classmethod
    async def begin(cls, client: S3Client, name: str) -> "_Upload":
        upload_id = await client.call(lambda: client.minio._create_multipart_upload(client.bucket, name, {}))  # noqa: SLF001
        return cls(client, name, upload_id)

    async def add(self, piece: bytes) -> None:
        number, client = len(self._parts) + 1, self._client
        etag = await client.call(
            lambda: client.minio._upload_part(client.bucket, self._name, piece, None, self._id, number)  # noqa: SLF001
        )
        self._parts.append(Part(number, etag))
        self.size += len(piece)

    async def complete(self) -> None:
        client = self._client
        await client.call(
            lambda: client.minio._complete_multipart_upload(client.bucket, self._name, self._id, self._parts)  # noqa: SLF001
        )

    async def abort(self) -> None:
        client = self._client
        # What made the upload fail is what the caller must hear; the service drops forgotten parts by itself.
        with suppress(StoreUnavailable, ObjectMissing):
            await client.call(
                lambda: client.minio._abort_multipart_upload(client.bucket, self._name, self._id)  # noqa: SLF001
            )
