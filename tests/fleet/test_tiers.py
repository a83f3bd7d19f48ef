"""A standing hospital's tier: there and back while people work in it, and not one of them notices."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg
import pytest

from emr.fleet import joining_steps
from emr.fleet.applying import apply
from emr.fleet.differences import plan
from emr.identity.principal import system_principal
from emr.kernel.tenant import Tenant
from emr.records.create import create_resource
from emr.records.read import read
from emr.settings import Settings
from emr.work.runtime import Runtime, runtime
from emr.work.unit import unit_of_work
from tests.fhir.samples import mark, patient
from tests.fleet.test_onboarding import nobody
from tests.fleet.world import Folder
from tests.house import facility_code
from tests.patience import comes_true_meanwhile


@dataclass
class Standing:
    """A hospital of the shared tier, and a login that waits for it."""

    folder: Folder
    slug: str
    login: str
    url: str

    @property
    def settings(self) -> Settings:
        """With the login, as every process has it before a file says `dedicated`."""
        plain = self.folder.settings
        database = plain.database.model_copy(update={"dedicated": {f"{self.slug}@default": self.url}})
        return plain.model_copy(update={"database": database})

    @property
    def common(self) -> str:
        return self.folder.settings.database.url

    def tier(self, tier: str) -> None:
        path = self.folder.path / f"{self.slug}.yaml"
        lines = [line for line in path.read_text("utf-8").splitlines() if not line.startswith("tier:")]
        path.write_text("\n".join([*lines, f"tier: {tier}", ""]), "utf-8")

    def planned(self, settings: Settings | None = None) -> list[tuple[str, dict]]:
        found = plan(settings or self.settings)
        return [(each.kind, dict(each.fields)) for each in found if each.slug == self.slug]

    def apply(self, settings: Settings | None = None) -> list[str | None]:
        return [each.error for each in apply(settings or self.settings, nobody) if each.slug == self.slug]

    def stands(self) -> tuple[str, str]:
        """Schema and tier."""
        query = "SELECT schema, definition ->> 'tier' FROM directory.tenants WHERE slug = %s"
        [(schema, tier)] = self.folder.house.sql(query, self.slug)
        return schema, tier

    def becomes(self, url: str) -> bool:
        """Whether whoever signs in there can be the hospital, whole or seen in part."""
        schema, _ = self.stands()
        with psycopg.connect(url, autocommit=True) as connection:
            able = []
            for role in (schema, f"{schema}_seen"):
                try:
                    connection.execute("SELECT set_config('role', %s, false)", (role,))
                    able.append(True)
                except psycopg.errors.InsufficientPrivilege:
                    able.append(False)
        assert len(set(able)) == 1
        return able[0]


@pytest.fixture
def shared(folder: Folder) -> Standing:
    slug, login = f"bac-{mark()[:8]}", f"emr_app_{secrets.token_hex(4)}"
    folder.write(slug, code=facility_code(slug))
    cluster = folder.house.cluster
    cluster.create_login(login, options="NOINHERIT")
    made = Standing(folder, slug, login, cluster.url(role=login, database="emr"))
    assert made.apply() == [None]
    made.tier("shared")
    return made


@asynccontextmanager
async def people_at_work(at: Standing) -> AsyncIterator[Callable[[], tuple[int, set[str]]]]:
    """Somebody who writes and reads all the time, in a process that knows the login; says how often, and as whom."""
    parts: Runtime = runtime(at.settings)
    await parts.open()
    stopping, logins, acts = asyncio.Event(), set[str](), 0

    async def work() -> None:
        nonlocal acts
        while not stopping.is_set():
            tenant: Tenant = parts.registry.by_slug(at.slug)
            principal = system_principal("test", tenant_id=tenant.id)
            async with unit_of_work(parts, tenant, principal) as unit:
                made = await create_resource(unit, patient())
                await asyncio.sleep(0.01)
                logins.add(await unit.db.fetchval("SELECT session_user"))
            async with unit_of_work(parts, tenant, principal, to_read=True) as unit:
                assert (await read(unit, "Patient", made.id)).id == made.id
            acts += 1

    tasks = [asyncio.create_task(work()) for _ in range(3)]
    try:
        yield lambda: (acts, logins)
    finally:
        stopping.set()
        await asyncio.gather(*tasks)
        await parts.close()


class TestPlan:
    def test_shows_it_as_a_change(self, shared: Standing) -> None:
        shared.tier("dedicated")
        assert shared.planned() == [("change", {"tier": ("shared", "dedicated")})]


class TestRefused:
    def test_without_the_login_in_the_settings(self, shared: Standing) -> None:
        shared.tier("dedicated")
        [error] = shared.apply(shared.folder.settings)
        assert "has no login in the cell default: EMR_DATABASE__DEDICATED" in str(error)
        assert shared.stands()[1] == "shared"

    def test_with_a_login_that_does_not_answer(self, shared: Standing) -> None:
        shared.tier("dedicated")
        shared.folder.house.sql(f"ALTER ROLE {shared.login} NOLOGIN")
        [error] = shared.apply()
        assert "does not answer" in str(error)
        assert (shared.stands()[1], shared.becomes(shared.common)) == ("shared", True)

    @pytest.mark.parametrize("why", ["moving", "past"])
    def test_while_something_else_is_under_way_with_it(self, shared: Standing, why: str) -> None:
        house = shared.folder.house
        shared.tier("dedicated")
        if why == "moving":
            house.sql("UPDATE directory.tenants SET moving_since = now() WHERE slug = %s", shared.slug)
        else:
            house.sql(
                "INSERT INTO directory.rewinds (id, tenant_id, schema, cell, moment, state, backup, revision, reason,"
                " opened_by, asked_at, closes_at) SELECT 'p-' || id, id, 't_' || right(md5(id), 12), 'default', now(),"
                " 'open', '-', revision, 'test', 'test', now(), now() FROM directory.tenants WHERE slug = %s",
                shared.slug,
            )
        try:
            [error] = shared.apply()
            assert {"moving": "on its way to another cell", "past": "A past of the hospital is open"}[why] in str(error)
            assert (shared.stands()[1], shared.becomes(shared.url)) == ("shared", False)
        finally:
            house.sql("UPDATE directory.tenants SET moving_since = NULL WHERE slug = %s", shared.slug)
            house.sql("DELETE FROM directory.rewinds WHERE backup = '-'")


class TestChange:
    @pytest.mark.anyio
    async def test_there_and_back_under_load_without_a_failure(self, shared: Standing) -> None:
        """Whatever fails in there fails this test: the tasks are awaited."""
        async with people_at_work(shared) as told:
            for tier, able in (("dedicated", (True, False)), ("shared", (False, True))):
                shared.tier(tier)
                assert await asyncio.to_thread(shared.apply) == [None]
                assert shared.stands()[1] == tier
                assert (shared.becomes(shared.url), shared.becomes(shared.common)) == able
                assert shared.planned() == []
                before, _ = told()
                assert await comes_true_meanwhile(lambda: told()[0] > before + 10)  # noqa: B023 - waited for here
            acts, logins = told()
        assert acts > 20
        assert shared.login in logins
        assert len(logins) == 2
        audit = "SELECT pg_has_role(%s, 'emr_audit', 'MEMBER')"
        assert shared.folder.house.sql(audit, shared.login) == [(False,)]

    def test_one_that_was_cut_off_is_ended_by_the_next_run(
        self, shared: Standing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def cut(*_: object) -> None:
            raise RuntimeError("the command dies here")

        shared.tier("dedicated")
        with monkeypatch.context() as patched:
            patched.setattr(joining_steps, "restore_rights", cut)
            with pytest.raises(RuntimeError):
                shared.apply()
        word = "membership of " + psycopg.conninfo.conninfo_to_dict(shared.common)["user"]
        assert shared.planned() == [("rights", {word: (word, None)})]
        assert (shared.becomes(shared.url), shared.becomes(shared.common)) == (True, True)
        assert shared.apply() == [None]
        assert (shared.becomes(shared.url), shared.becomes(shared.common)) == (True, False)
        assert shared.planned() == []
