"""Files of the department itself: under the directory's prefix, sealed with the directory's key, named by its rows.

No hospital's key opens them, and nothing of a hospital's store can be named here.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from emr.audit.stored import DIRECTORY
from emr.kernel.errors import NotFound
from emr.storage.blobs import Blob
from emr.storage.rowless import Rowless
from emr.work.runtime import Runtime


@asynccontextmanager
async def office_file(runtime: Runtime, content: bytes, media_type: str) -> AsyncIterator[Blob]:
    """Seal and store a file for a row of the directory to name; it goes again if that fails. Raises `StoreUnavailable`.

    A commit that fails afterwards leaves an object that nothing names.
    """
    blobs = runtime.stores.blobs(DIRECTORY, await runtime.keyrings.made_for_directory(), Rowless())
    try:
        yield await blobs.put(_once(content), media_type=media_type, limit=len(content))
    except BaseException:
        await blobs.after_rollback()
        raise


async def open_office_file(runtime: Runtime, key: str, size: int) -> bytes:
    """The plain bytes of one. Raises `NotFound`, `ObjectMissing`, `SealBroken`, `StoreUnavailable`."""
    keyring = await runtime.keyrings.of_directory()
    if keyring is None:
        raise NotFound("evidence-unknown", "There is no such file.")
    blobs = runtime.stores.blobs(DIRECTORY, keyring, Rowless())
    blob = Blob(key, "", size, "", "")
    return b"".join([chunk async for chunk in blobs.open(blob)])


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
