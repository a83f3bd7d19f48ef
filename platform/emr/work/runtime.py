"""What a process is made of, built once by `app` or `cli` and handed down."""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from emr.access.scopes import Criteria
from emr.audit.stored import DIRECTORY
from emr.audit.writer import AuditWriter
from emr.db.connection import Row
from emr.db.pools import Databases, databases
from emr.db.revisions import newest_hospital_revision
from emr.kernel.clock import Clock, utc_now
from emr.kernel.errors import Unavailable
from emr.kernel.tenant import Tenant
from emr.settings import Settings
from emr.storage.keys import Keyring, WrappedKey, new_data_key, wrap
from emr.storage.opening import Stores, open_stores
from emr.tenancy.announcements import Announcements
from emr.tenancy.registry import Registry

_KEYS: Final = """
SELECT key_id, wrapped, wrapping_key_id FROM directory.keys
WHERE tenant_id = $1 ORDER BY retired_at IS NULL DESC, created_at DESC
"""

_TRAIL_KEYS: Final = "SELECT key_id, wrapped, wrapping_key_id FROM directory.trail_keys ORDER BY created_at DESC"
_TRAIL_KEY: Final = """
INSERT INTO directory.trail_keys (key_id, wrapped, wrapping_key_id) VALUES ($1, $2, $3) ON CONFLICT (key_id) DO NOTHING
"""
_FIRST: Final = "k1"


class Keyrings:
    """The data keys of hospitals and of the directory's trail, unwrapped when first needed and kept in memory."""

    def __init__(self, databases_: Databases, stores: Stores) -> None:
        self._directory = databases_.directory
        self._masters = stores.masters
        # One that was taken away and loaded again has other keys under the same id, and another index key.
        self._known: dict[tuple[str, bytes], Keyring] = {}
        self._of_directory: Keyring | None = None

    async def of(self, tenant: Tenant) -> Keyring:
        """The hospital's keyring; `Unavailable` when it has no key, which onboarding rules out."""
        place = tenant.id, tenant.index_key
        known = self._known.get(place)
        if known is None:
            async with self._directory.connection() as connection:
                rows = await connection.fetch(_KEYS, tenant.id, name="keys")
            if not rows:
                raise Unavailable("hospital-without-key", "This hospital has no data key yet.")
            known = self._known[place] = self._opened(tenant.schema, rows)
        return known

    async def of_directory(self) -> Keyring | None:
        """The keyring of the directory's own files; None before the first of them was written."""
        if self._of_directory is None:
            async with self._directory.connection() as connection:
                rows = await connection.fetch(_TRAIL_KEYS, name="keys.trail")
            if rows:
                self._of_directory = self._opened(DIRECTORY, rows)
        return self._of_directory

    async def made_for_directory(self) -> Keyring:
        """The same, made where there is none; of two that make one at the same time both get the first."""
        known = await self.of_directory()
        while known is None:
            made = wrap(self._masters, DIRECTORY, _FIRST, new_data_key())
            async with self._directory.connection() as connection:
                await connection.execute(
                    _TRAIL_KEY, made.key_id, made.wrapped, made.wrapping_key_id, name="keys.trail-made"
                )
            known = await self.of_directory()
        return known

    def _opened(self, stream: str, rows: Sequence[Row]) -> Keyring:
        wrapped = tuple(WrappedKey(stream, row["key_id"], row["wrapped"], row["wrapping_key_id"]) for row in rows)
        return Keyring.of(self._masters, wrapped[0].key_id, wrapped)


@dataclass(frozen=True, slots=True)
class Runtime:
    """Everything that outlives a request."""

    settings: Settings
    databases: Databases
    registry: Registry
    announcements: Announcements
    stores: Stores
    keyrings: Keyrings
    audit: AuditWriter
    signing_key: bytes = field(repr=False)
    revision: str
    """The newest revision of a hospital's schema that this build knows."""
    clock: Clock = utc_now
    guards: dict[str, Callable[[Any, Any], Awaitable[None]]] = field(default_factory=dict)
    """What a room above the record adds to storing a type: called with unit of work and draft, before each version."""
    sight_compilers: dict[str, Callable[[bytes, Criteria], str]] = field(default_factory=dict)
    """What turns search criteria of scopes into what the views of limited sight ask; without it nothing fits them."""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def open(self) -> None:
        """Connect, read the directory and keep it fresh."""
        await self.databases.open()
        await self.registry.refresh()
        self._tasks.add(asyncio.create_task(self.registry.refresh_forever(), name="registry"))
        self._tasks.add(asyncio.create_task(self.announcements.refresh_forever(), name="announcements"))

    async def close(self) -> None:
        """Stop what `open` began and give every connection back."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.databases.close()
        self.stores.close()

    def serves(self, tenant: Tenant) -> bool:
        """Whether jobs of this hospital run here: it is not suspended or on its way to another cell, and at a revision
        that this build knows.
        """
        return tenant.open and not tenant.moving and self.knows(tenant)

    def knows(self, tenant: Tenant) -> bool:
        """Whether this build can work with the hospital's schema: it stands at the build's own revision, or at a newer
        one that only added to what the build knows.
        """
        return tenant.revision == self.revision or "" < tenant.served_from <= self.revision < tenant.revision

    async def database_reason(self) -> str | None:
        """Why the database cannot be used, or None."""
        try:
            await self.registry.refresh()
        except Unavailable as refusal:
            return refusal.message
        return None

    async def storage_reason(self) -> str | None:
        """Why scans and images cannot be stored or shown, or None."""
        try:
            await self.stores.check()
        except Unavailable as refusal:
            return refusal.message
        return None

    async def reasons_not_ready(self) -> Mapping[str, str]:
        """What keeps a process that needs both from working, by name; empty when nothing does."""
        asked = {"database": await self.database_reason(), "storage": await self.storage_reason()}
        return {name: reason for name, reason in asked.items() if reason}


def runtime(settings: Settings) -> Runtime:
    """Put the parts together; nothing connects before `open`."""
    pools = databases(settings.database)
    stores = open_stores(settings)
    return Runtime(
        settings=settings,
        databases=pools,
        registry=Registry(pools.directory),
        announcements=Announcements(pools.directory),
        stores=stores,
        keyrings=Keyrings(pools, stores),
        audit=AuditWriter(pools),
        revision=newest_hospital_revision(),
        signing_key=base64.b64decode(settings.keys.signing.get_secret_value()),
    )
