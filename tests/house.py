"""The platform as the tests find it: real PostgreSQL, migrated; two hospitals; a provider; and, where asked, a server."""

import asyncio
import base64
import functools
import itertools
import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from emr.app import build
from emr.db.migrate import owner_engine
from emr.db.pools import databases
from emr.fleet.files import read_hospitals
from emr.fleet.onboarding import make_hospital
from emr.identity.principal import Principal, kind_of
from emr.kernel.tenant import Tenant
from emr.settings import Border, Database, Dicom, Http, Identity, Keys, Settings, Storage, Telemetry, Warehouse
from emr.tenancy.registry import Registry, read_tenants
from emr_demo.onboarding import make_hospitals, make_logins, make_members, make_operators, provider_hospitals
from emr_demo.postgres import Cluster
from emr_demo.provider.config import ProviderConfig
from emr_demo.provider.mint import mint_token
from emr_demo.provider.run import running
from emr_demo.provider.secrets_folder import web_secret
from tests.curtain import behind
from tests.patience import comes_true
from tests.servers.ports import free_port

ROOT = Path(__file__).parent.parent
HOA_SEN, CAU_VONG = "hoa-sen", "cau-vong"
_CODES = itertools.count(20_000)


@dataclass
class House:
    """Everything that stands. `url` answers only inside the `live` fixture."""

    settings: Settings
    cluster: Cluster
    folder: Path
    tenants: dict[str, Tenant]
    registry: Registry | None = None
    """What the web service knows of the hospitals, once it listens."""
    _tokens: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.settings.http.base_url

    def fhir(self, slug: str = HOA_SEN) -> str:
        return f"{self.url}/h/{slug}/fhir"

    def token(self, role: str = "doctor", slug: str = HOA_SEN) -> str:
        """A bearer token of `<role>@<slug>` from the demo's provider."""
        if (role, slug) not in self._tokens:
            self._tokens[role, slug] = mint_token(self.folder, tenant=slug, role=role)
        return self._tokens[role, slug]

    def client(self, role: str = "doctor", slug: str = HOA_SEN, *, scope: str = "", **options: Any) -> httpx.Client:
        """An HTTP client of one account, below the hospital's FHIR base; `scope`: SMART scopes of its token."""
        token = mint_token(self.folder, tenant=slug, role=role, scope=scope) if scope else self.token(role, slug)
        headers = {"Authorization": f"Bearer {token}"} | options.pop("headers", {})
        return httpx.Client(base_url=self.fhir(slug), headers=headers, timeout=30, trust_env=False, **options)

    def principal(self, role: str = "doctor", slug: str = HOA_SEN) -> Principal:
        """Somebody with a role, for use cases that are called directly."""
        return Principal(f"test:{role}", f"{role}@{slug}", role, kind_of(role), self.tenants[slug].id)

    def sql(self, statement: str, *parameters: Any, role: str = "postgres") -> list[tuple[Any, ...]]:
        """Look behind the curtain, as the superuser unless told otherwise."""
        return behind(self.cluster.url(role=role, database="emr"), statement, parameters)

    def counts(self, slug: str = HOA_SEN) -> dict[str, int]:
        """How many rows each of a hospital's tables has, but for its audit trail."""
        schema = self.tenants[slug].schema
        names = [row[0] for row in self.sql("SELECT tablename FROM pg_tables WHERE schemaname = %s", schema)]
        kept = [name for name in names if not name.startswith("audit_")]
        each = " UNION ALL ".join(f"SELECT '{name}', count(*) FROM {schema}.{name}" for name in kept)
        return dict(self.sql(each))

    def objects(self, slug: str = HOA_SEN) -> list[str]:
        """The hospital's objects in the demo's folder."""
        folder = self.folder / "objects" / self.tenants[slug].schema
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())

    def refusals(self, slug: str | None = HOA_SEN) -> int:
        """How many refusals are in the hospital's journal and trail, or with None in the directory's."""
        if slug is None:
            return self.sql("SELECT count(*) FROM directory.audit_journal WHERE row LIKE '%%\"refused\"%%'")[0][0]
        schema = self.tenants[slug].schema
        query = 'SELECT count(*) FROM cell.audit_journal WHERE tenant = %s AND row LIKE \'%%"outcome":"refused"%%\''
        sealed = f'SELECT count(*) FROM {schema}.audit_events WHERE row LIKE \'%%"outcome":"refused"%%\''
        return self.sql(query, schema)[0][0] + self.sql(sealed)[0][0]

    def heard(self) -> None:
        """Wait until the web service knows the hospitals as the directory has them: it looks once in a second."""
        known = self.registry
        assert known is not None
        directory = standing_tenants(self.settings)
        assert comes_true(lambda: {each.slug: each for each in known.all()} == directory)

    def new_hospital(self, slug: str, **more: object) -> Tenant:
        """A third hospital, made as any other, for a test that wants to be alone; `more`: parts of its file."""
        base = next(each for each in read_hospitals(ROOT / "tenants") if each.slug == HOA_SEN)
        part = base.identity.model_copy(update={"organization": slug})
        hospital = base.model_copy(
            update={
                "slug": slug,
                "name": f"Bệnh viện {slug}",
                "dicom": None,
                "facility_code": facility_code(slug),
                "identity": part,
                **more,
            }
        )
        with owner_engine(self.settings.database.owner_url).begin() as connection:
            schema = make_hospital(connection, self.settings, hospital)
        self.sql("UPDATE directory.tenants SET organization_id = %s WHERE slug = %s", f"org-{slug}", slug)
        self.tenants = standing_tenants(self.settings)
        assert self.tenants[slug].schema == schema
        return self.tenants[slug]


@contextmanager
def house(cluster: Cluster, folder: Path, *, tenants: Path = ROOT / "tenants") -> Iterator[House]:
    """The hospitals of a folder (two, unless told otherwise) with all their accounts, and the demo's provider."""
    logins = make_logins(cluster)
    port, provider_port = free_port(), free_port()
    settings = Settings(
        profile="test",
        tenants=tenants,
        database=Database(url=logins.service, owner_url=logins.owner, pool_size=6, pool_slices=2),
        storage=Storage(folder=folder / "objects", endpoint=""),
        identity=Identity(issuer=f"http://127.0.0.1:{provider_port}", client_secret=web_secret(folder)),
        border=Border(nightly=False, per_second=5_000),
        warehouse=Warehouse(url=str(folder / "warehouse")),
        telemetry=Telemetry(log_format="json"),
        http=Http(base_url=f"http://127.0.0.1:{port}"),
        dicom=Dicom(port=free_port(), spool=folder / "spool"),
        keys=Keys(master=f"test:{_key()}", signing=_key(), sealing=_key()),
    )
    for name in ("objects", "warehouse", "spool"):
        (folder / name).mkdir(exist_ok=True)
    make_hospitals(settings)
    in_a_loop(make_members, settings)
    make_operators(settings)
    provider = ProviderConfig(
        profile="test",
        issuer=settings.identity.issuer,
        platform_url=settings.http.base_url,
        folder=folder,
        hospitals=provider_hospitals(settings),
    )
    with running(provider):
        yield House(settings, cluster, folder, standing_tenants(settings))


@contextmanager
def served(standing: House) -> Iterator[House]:
    """The web service, listening on loopback in a thread of its own."""
    port = int(standing.url.rsplit(":", 1)[1])
    app = build(standing.settings)
    config = uvicorn.Config(app, host="127.0.0.1", port=port, access_log=False, log_config=None, lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="served", daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started:
        assert thread.is_alive(), "the service did not start"
        assert time.monotonic() < deadline, "the service did not start in time"
        time.sleep(0.02)
    standing.registry = app.state.runtime.registry
    try:
        yield standing
    finally:
        server.should_exit = True
        thread.join(timeout=30)


@functools.cache
def facility_code(slug: str) -> str:
    """Five digits that no other hospital of this process has: a facility has one hospital in the directory."""
    return str(next(_CODES))


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def standing_tenants(settings: Settings) -> dict[str, Tenant]:
    """The hospitals as the directory has them, by slug."""

    async def read(settings: Settings) -> list[Tenant]:
        pools = databases(settings.database)
        await pools.directory.open()
        async with pools.directory.connection() as connection:
            found = await read_tenants(connection)
        await pools.directory.close()
        return found

    return {tenant.slug: tenant for tenant in in_a_loop(read, settings)}


def in_a_loop(function: Any, *arguments: Any) -> Any:
    """Run a coroutine function to its end, also from inside a test that has a loop of its own."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(function(*arguments))).result()
