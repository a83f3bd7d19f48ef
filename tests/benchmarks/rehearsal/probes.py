"""Every hospital is asked for its neighbour's, over HTTP as its own doctor and as nobody, and in the database."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from urllib.parse import quote

import psycopg

from emr.border.knocking import Answer, Knock, Knocker, knocker
from emr.db.cells import DEFAULT_CELL
from emr.db.pools import databases
from emr.identity.sessions import session_cookie
from emr.identity.visits import Guest, Visit, Visits
from emr.kernel.clock import utc_now
from emr.kernel.json import dumps
from emr.kernel.tenant import Tenant
from emr.settings import Settings
from emr.tenancy.registry import read_tenants

_FHIR = {"Content-Type": "application/fhir+json"}
_NEVER = "chua-bao-gio-co"
_AT_ONCE = 4


@dataclass
class Planted:
    """A patient whom one hospital alone has."""

    word: str
    id: str = ""


@dataclass
class Probes:
    """How many questions were asked, and which were answered as they must not be."""

    asked: int = 0
    wrong: list[str] = field(default_factory=list)

    def note(self, question: str, *, right: bool) -> None:
        """Count one."""
        self.asked += 1
        if not right:
            self.wrong.append(question)


async def probe(settings: Settings, slugs: Sequence[str]) -> Probes:
    """Plant a patient in each of these hospitals, then ask each for what its neighbour has."""
    pools, found = databases(settings.database), Probes()
    await pools.directory.open()
    try:
        async with pools.directory.connection() as connection:
            tenants = [each for each in await read_tenants(connection) if each.slug in set(slugs)]
        visits = Visits(settings, pools.directory, utc_now)
        async with knocker(settings.http.base_url, session_cookie(settings), 5_000) as client:
            asking = _Asking(client, visits, found)
            await _all([partial(asking.plant, each) for each in tenants])
            pairs = zip(tenants, [*tenants[1:], tenants[0]], strict=True)
            await _all([partial(asking.knock, one, other) for one, other in pairs])
    finally:
        await pools.directory.close()
    await asyncio.to_thread(_in_database, settings.database.url, tenants, found)
    return found


async def _all(acts: Sequence[Callable[[], Awaitable[None]]]) -> None:
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(act: Callable[[], Awaitable[None]]) -> None:
        async with room:
            await act()

    await asyncio.gather(*(one(act) for act in acts))


class _Asking:
    """Questions over HTTP."""

    def __init__(self, client: Knocker, visits: Visits, found: Probes) -> None:
        self._client, self._visits, self._found = client, visits, found
        self._planted: dict[str, Planted] = {}

    async def plant(self, tenant: Tenant) -> None:
        """A patient with a word of this hospital's, found there by it."""
        planted = self._planted[tenant.slug] = Planted(f"Dientap{tenant.slug.replace('-', '')}")
        patient = {"resourceType": "Patient", "name": [{"text": planted.word}]}
        async with self._visits.during(Guest("doctor"), tenant) as doctor:
            knock = Knock("POST", f"/h/{tenant.slug}/fhir/Patient", _FHIR, dumps(patient))
            made = await self._client.ask(knock, doctor)
            self._found.note(f"{tenant.slug} stores", right=made.status == 201)
            planted.id = str(made.json().get("id", ""))
            own = await self._ask(tenant, f"Patient?name={quote(planted.word)}", doctor)
            self._found.note(f"{tenant.slug} finds its own", right=planted.id in own.text)

    async def knock(self, tenant: Tenant, other: Tenant) -> None:
        """As a doctor of `tenant`: what is `other`'s, at home and at its door; and as nobody."""
        planted, note = self._planted[other.slug], self._found.note
        async with self._visits.during(Guest("doctor"), tenant) as doctor:
            found = await self._ask(tenant, f"Patient?name={quote(planted.word)}", doctor)
            right = found.status == 200 and planted.id not in found.text
            note(f"{tenant.slug} finds no patient of {other.slug}", right=right)
            one = await self._ask(tenant, f"Patient/{planted.id}", doctor)
            note(f"{tenant.slug} has no patient of {other.slug}", right=one.status == 404)
            door = await self._ask(other, f"Patient/{planted.id}", doctor)
            empty = await self._ask(other, f"Patient/{_NEVER}", doctor)
            said = f"{door.status}, behind an empty door {empty.status}"
            note(f"{tenant.slug} is shut out at {other.slug} ({said})", right=(door.status, empty.status) == (403, 403))
        stranger = await self._ask(other, "Patient", None)
        note(f"nobody is shut out at {other.slug} ({stranger.status})", right=stranger.status == 401)

    async def _ask(self, tenant: Tenant, path: str, visit: Visit | None) -> Answer:
        return await self._client.ask(Knock("GET", f"/h/{tenant.slug}/fhir/{path}"), visit)


def _in_database(url: str, tenants: Sequence[Tenant], found: Probes) -> None:
    """With the service's own login: as one hospital, the table of another in the same cell."""
    here = [each for each in tenants if each.cell == DEFAULT_CELL]
    pairs = pairwise(here)
    with psycopg.connect(url) as connection:
        for one, other in pairs:
            connection.execute(f"SET LOCAL ROLE {one.schema}")
            own = connection.execute(f"SELECT count(*) FROM {one.schema}.resources").fetchone()
            found.note(f"the role of {one.slug} reads its own", right=own is not None and own[0] > 0)
            try:
                connection.execute(f"SELECT count(*) FROM {other.schema}.resources")
                found.note(f"the role of {one.slug} reads {other.slug}", right=False)
            except psycopg.errors.InsufficientPrivilege:
                found.note("refused", right=True)
            connection.rollback()
