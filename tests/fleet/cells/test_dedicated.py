"""The dedicated tier: a login and a pool of its own, which nobody else's may stand in for."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from emr.audit.checking import Asked, check
from emr.db.roles import refuse_powerful_login
from emr.fleet.leaving.forgetting import forget
from emr.fleet.leaving.moment import seal_all
from emr.fleet.moving.move import Wish, weigh
from emr.kernel.errors import Invalid, Unavailable
from emr.kernel.tenant import Tenant
from emr.records.create import create_resource
from emr.settings import Settings
from emr.work.runtime import Runtime, runtime
from emr.work.unit import unit_of_work
from tests.fhir.samples import mark, patient
from tests.fleet.cells.world import NORTH, City


@dataclass
class Own:
    """A hospital with its own login, and the settings that name it."""

    tenant: Tenant
    settings: Settings
    login: str
    url: str


@pytest.fixture(scope="module")
def own(two: City) -> Iterator[Own]:
    house, slug = two.house, f"rieng-{mark()[:8]}"
    login = f"emr_app_{secrets.token_hex(4)}"
    house.cluster.create_login(login, options="NOINHERIT")
    url = house.cluster.url(role=login, database="emr")
    before = house.settings
    database = before.database.model_copy(update={"dedicated": {f"{slug}@default": url}})
    house.settings = before.model_copy(update={"database": database})
    try:
        tenant = house.new_hospital(slug, tier="dedicated")
        yield Own(tenant, house.settings, login, url)
        forget(house.settings.database, tenant.id, tenant.schema)
    finally:
        house.settings = before


async def opened(settings: Settings) -> Runtime:
    parts = runtime(settings)
    await parts.open()
    return parts


class TestApply:
    def test_without_its_login_nothing_is_made(self, two: City) -> None:
        slug = f"rieng-{mark()[:8]}"
        with pytest.raises(Invalid, match=f"{slug} is of the dedicated tier and has no login in the cell default"):
            two.house.new_hospital(slug, tier="dedicated")
        assert two.house.sql("SELECT 1 FROM directory.tenants WHERE slug = %s", slug) == []


@pytest.mark.anyio
class TestWork:
    async def test_its_transactions_run_under_its_own_login(self, own: Own) -> None:
        parts = await opened(own.settings)
        try:
            async with parts.databases.hospital(own.tenant) as connection:
                assert await connection.fetchval("SELECT session_user") == own.login
        finally:
            await parts.close()

    async def test_a_process_without_the_login_serves_it_not(self, two: City, own: Own) -> None:
        without = own.settings.database.model_copy(update={"dedicated": {}})
        parts = await opened(own.settings.model_copy(update={"database": without}))
        try:
            with pytest.raises(Unavailable, match="a database login of its own"):
                parts.databases.hospital(own.tenant)
        finally:
            await parts.close()

    async def test_it_keeps_a_record_and_its_trail_is_sealed(self, two: City, own: Own) -> None:
        parts = await opened(own.settings)
        try:
            principal = two.house.principal("doctor", own.tenant.slug)
            async with unit_of_work(parts, own.tenant, principal) as work:
                await create_resource(work, patient())
            await seal_all(parts, own.tenant)
        finally:
            await parts.close()
        report = check(Asked(own.url, own.tenant.schema, own.tenant.slug, None))
        assert (report.whole, report.rows, report.unsealed.rows) == (True, 1, 0)


class TestApart:
    def test_its_login_has_no_power_and_becomes_no_other_hospital(self, two: City, own: Own) -> None:
        refuse_powerful_login(own.url)
        other = next(each.schema for each in two.house.tenants.values() if each.slug == "hoa-sen")
        with psycopg.connect(own.url, autocommit=True) as connection:
            connection.execute(f"SET ROLE {own.tenant.schema}")
            connection.execute("RESET ROLE")
            for role in (other, "emr_directory", "emr_cell", "emr_owner"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(f"SET ROLE {role}")

    def test_the_others_login_does_not_become_it(self, two: City, own: Own) -> None:
        with psycopg.connect(own.settings.database.url, autocommit=True) as connection:
            for role in (own.tenant.schema, f"{own.tenant.schema}_seen"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(f"SET ROLE {role}")


class TestMove:
    def test_to_a_cell_where_it_has_no_login_is_refused(self, own: Own) -> None:
        with pytest.raises(Invalid, match="has no login in the cell north"):
            weigh(own.settings.database, Wish(own.tenant.slug, NORTH, "test"))
