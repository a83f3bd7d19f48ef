"""The steps by which a hospital comes about after its file. Each is safe to repeat, and the next run does what is left.

A step that was done is seen in the world: the row, the organization's id, the event of the objects, the administrator.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, text

from emr.db.roles import demand_login
from emr.fleet.differences import OBJECTS_READY, Difference
from emr.fleet.inviting import invite_first
from emr.fleet.onboarding import (
    MakeOrganization,
    change_hospital,
    demand_changeable,
    make_hospital,
    note_event,
    restore_rights,
)
from emr.fleet.sandbox.resetting import reset
from emr.fleet.tiers import HEARD_SECONDS, let_in
from emr.identity.people import People
from emr.identity.realm import Realm
from emr.kernel.errors import Unavailable
from emr.settings import Settings
from emr.storage.keys import Keyring, WrappedKey
from emr.storage.opening import Stores, open_stores
from emr.storage.trial import try_store
from emr.tenancy.definition import HospitalFile
from emr.work.faults import Reached
from emr.work.runtime import Runtime, runtime

R = TypeVar("R")
_IN_A_ROW: Final = 3
"""So many hospitals in a row may wait for a provider that does not answer; the others are told at once."""
_TURN: Final = text("SELECT pg_advisory_xact_lock(hashtextextended('emr tenants apply:' || :slug, 0))")
_ROW: Final = text("SELECT id, schema, organization_id FROM directory.tenants WHERE slug = :slug")
_KEYS: Final = text("""
SELECT key_id, wrapped, wrapping_key_id FROM directory.keys
WHERE tenant_id = :id ORDER BY retired_at IS NULL DESC, created_at DESC
""")
_ORGANIZATION: Final = text(
    "UPDATE directory.tenants SET organization_id = :organization_id, updated_at = now() WHERE slug = :slug"
)


@dataclass
class Site:
    """What the steps of a run work with; opened when first needed."""

    settings: Settings
    engine: Engine
    threads: ThreadPoolExecutor
    organizations: MakeOrganization
    reached: Reached
    silent: int = 0
    """How many questions in a row the identity provider has left unanswered."""
    _stores: Stores | None = None
    _store_ready: bool = False
    _runtime: Runtime | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @cached_property
    def people(self) -> People | None:
        """The accounts at the provider, where the platform administers it."""
        return People(Realm(self.settings.identity)) if self.settings.identity.admin_url else None

    async def in_database(self, act: Callable[[Connection], R]) -> R:
        """One transaction of the owner, in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, partial(_within, self.engine, act))

    async def ask_provider(self, question: Callable[[], Awaitable[R]]) -> R:
        """Ask the identity provider, unless it was silent too often. Raises `Unavailable`."""
        if self.silent >= _IN_A_ROW:
            raise Unavailable("identity-silent", "The identity provider did not answer; it was not asked again.")
        try:
            answer = await question()
        except Unavailable:
            self.silent += 1
            raise
        self.silent = 0
        return answer

    async def stores(self) -> Stores:
        """The object stores, with the bucket there and closed to strangers. Raises a Refusal."""
        async with self._turn:
            if self._stores is None:
                self._stores = open_stores(self.settings)
            client = self._stores.client
            if client is not None and not self._store_ready:
                await client.make_bucket()
                await client.demand_closed()
            self._store_ready = True
            return self._stores

    async def runtime(self) -> Runtime:
        """What the service has, for content that goes in as anybody's does. Raises a Refusal."""
        async with self._turn:
            if self._runtime is None:
                parts = runtime(self.settings)
                await parts.open()
                self._runtime = parts
            return self._runtime

    async def close(self) -> None:
        """Let go."""
        if self._runtime is not None:
            await self._runtime.close()
        if self._stores is not None:
            self._stores.close()


@dataclass(frozen=True, slots=True)
class Step:
    """take: do it, and give what there is to say. mend: what somebody does when it did not work. needs: steps without
    which it is not tried. of_new: whether a new hospital takes it.
    """

    take: Callable[[Site, HospitalFile, Difference], Awaitable[str]]
    mend: str
    needs: tuple[str, ...] = ()
    of_new: Callable[[HospitalFile], bool] = lambda _: True


async def _make(site: Site, hospital: HospitalFile, difference: Difference) -> str:
    del difference

    def act(connection: Connection) -> None:
        # Of two runs at a time one waits here, and finds the hospital made.
        connection.execute(_TURN, {"slug": hospital.slug})
        if connection.execute(_ROW, {"slug": hospital.slug}).first() is None:
            make_hospital(connection, site.settings, hospital, reached=site.reached)

    await site.in_database(act)
    site.reached("apply-tables-committed")
    return ""


async def _change(site: Site, hospital: HospitalFile, difference: Difference) -> str:
    fields, database = difference.fields, site.settings.database
    demand_changeable(fields)
    if "tier" in fields:
        url, schema = await site.in_database(lambda connection: let_in(connection, database, hospital))
        await asyncio.get_running_loop().run_in_executor(site.threads, demand_login, url, schema)
        site.reached("apply-login-let-in")
    await site.in_database(lambda connection: change_hospital(connection, hospital, fields))
    if "tier" in fields:
        site.reached("apply-tier-changed")
        await asyncio.sleep(HEARD_SECONDS)
        await site.in_database(lambda connection: restore_rights(connection, site.settings, hospital.slug, fields))
    return ""


async def _rights(site: Site, hospital: HospitalFile, difference: Difference) -> str:
    def act(connection: Connection) -> None:
        restore_rights(connection, site.settings, hospital.slug, difference.fields)

    await site.in_database(act)
    return ""


async def _organization(site: Site, hospital: HospitalFile, difference: Difference) -> str:
    del difference
    known = (await _row(site, hospital)).organization_id

    async def question() -> str | None:
        act = partial(site.organizations, hospital, known)
        return await asyncio.get_running_loop().run_in_executor(site.threads, act)

    found = await site.ask_provider(question)
    site.reached("apply-organization-made")
    if found != known:
        row = {"organization_id": found, "slug": hospital.slug}
        await site.in_database(lambda connection: connection.execute(_ORGANIZATION, row))
    site.reached("apply-organization-stored")
    return ""


async def _objects(site: Site, hospital: HospitalFile, difference: Difference) -> str:
    del difference
    stores, row = await site.stores(), await _row(site, hospital)
    keys = await site.in_database(lambda connection: connection.execute(_KEYS, {"id": row.id}).all())
    wrapped = tuple(WrappedKey(row.schema, key.key_id, bytes(key.wrapped), key.wrapping_key_id) for key in keys)
    await try_store(stores.of(row.schema), Keyring.of(stores.masters, wrapped[0].key_id, wrapped))
    site.reached("apply-objects-tried")
    await site.in_database(lambda connection: note_event(connection, row.id, OBJECTS_READY, {}))
    site.reached("apply-objects-noted")
    return ""


async def _administrator(site: Site, hospital: HospitalFile, difference: Difference) -> str:
    del difference
    people, person = site.people, hospital.identity.administrator
    if people is None or person is None:
        return ""
    row = await _row(site, hospital)
    mailed = await site.ask_provider(lambda: invite_first(site, people, person, (row.id, row.organization_id)))
    return "" if mailed else f"no e-mail could be sent: emr tenants invite {hospital.slug}"


async def _sandbox(site: Site, hospital: HospitalFile, difference: Difference) -> str:
    del difference
    await reset(await site.runtime(), hospital.slug, "emr tenants apply")
    return ""


async def _row(site: Site, hospital: HospitalFile) -> Any:
    return await site.in_database(lambda connection: connection.execute(_ROW, {"slug": hospital.slug}).one())


def _within(engine: Engine, act: Callable[[Connection], R]) -> R:
    with engine.begin() as connection:
        return act(connection)


STEPS: Final = {
    "make": Step(_make, "see what the database says"),
    "change": Step(_change, "take back what no file can change", of_new=lambda _: False),
    "rights": Step(_rights, "see what the database says", of_new=lambda _: False),
    "organization": Step(_organization, "see to the identity provider", needs=("make",)),
    "objects": Step(_objects, "see to the object store", needs=("make",)),
    "administrator": Step(
        _administrator,
        "see to the identity provider",
        needs=("make", "organization"),
        of_new=lambda hospital: hospital.identity.administrator is not None,
    ),
    "sandbox": Step(
        _sandbox,
        "see to the database and the object store",
        needs=("make", "objects"),
        of_new=lambda hospital: hospital.sandbox,
    ),
}
"""In this order."""
