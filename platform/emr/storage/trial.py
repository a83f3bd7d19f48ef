"""Whether a new hospital's objects can be kept: one is sealed with its key, stored, read back and taken away."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Final

from emr.storage.errors import SealBroken
from emr.storage.keys import Keyring
from emr.storage.ports import ObjectStore
from emr.storage.sealed import HEADER_BYTES, Header, Layout, ObjectSeal, new_header, place_of, seal, unseal

TRIAL_KEY: Final = "00/" + "0" * 38
"""The same at each try, so that one that was cut off is cleared away by the next."""
_WORDS: Final = "Thử lưu và mở lại".encode()


async def try_store(store: ObjectStore, keyring: Keyring) -> None:
    """Raises `StoreUnavailable`, `SealBroken` or `KeyUnknown`; leaves nothing behind."""
    await store.delete(TRIAL_KEY)
    sealing = ObjectSeal(keyring, new_header(keyring), place_of(store.prefix, TRIAL_KEY))
    await store.put(TRIAL_KEY, seal(_once(_WORDS), sealing))
    fetched = await store.get(TRIAL_KEY)
    async with aclosing(fetched.chunks) as chunks:
        found = b"".join([chunk async for chunk in chunks])
    header = Header.decode(found[:HEADER_BYTES])
    opening = ObjectSeal(keyring, header, place_of(store.prefix, TRIAL_KEY))
    segments = Layout(len(_WORDS)).segments
    plain = b"".join([each async for each in unseal(_once(found[HEADER_BYTES:]), opening, (0, segments, segments))])
    if plain != _WORDS:
        raise SealBroken("what came back is not what was stored")
    await store.delete(TRIAL_KEY)


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
