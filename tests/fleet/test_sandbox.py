"""A hospital for training: filled, reset, told from a real one, and never sent anywhere."""

import gzip
import importlib.util
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from importlib.machinery import SourceFileLoader
from types import ModuleType
from typing import Any

import httpx
import pytest

from emr.fleet.applying import apply
from emr.fleet.differences import plan
from emr.fleet.requests import acts_of, carry_out
from emr.fleet.sandbox.patients import BORN, bundles
from emr.fleet.sandbox.resetting import NotASandbox, reset
from emr.kernel.errors import NotFound
from emr.kernel.tenant import Tenant
from emr.warehouse.outbox import Outbox
from emr.work.runtime import Runtime
from tests.fhir.samples import mark
from tests.fleet.test_onboarding import nobody
from tests.fleet.world import FILE, Folder, emr
from tests.house import HOA_SEN, ROOT, House, facility_code, standing_tenants


def script() -> ModuleType:
    """`ops/sandbox`, loaded as a module."""
    loader = SourceFileLoader("ops_sandbox", str(ROOT / "ops" / "sandbox"))
    spec = importlib.util.spec_from_loader("ops_sandbox", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def training(standing: House, tmp_path_factory: pytest.TempPathFactory) -> Tenant:
    """A hospital for training, as its file made it."""
    slug = f"tap-{mark()[:8]}"
    folder = Folder(tmp_path_factory.mktemp("training"), standing)
    text = FILE.format(slug=slug, code=facility_code(slug))
    folder.write(slug, text.replace("province:", "sandbox: true\nprovince:"))
    outcomes = apply(folder.settings, nobody)
    assert [(each.slug, each.kind, each.error) for each in outcomes if each.slug == slug] == [(slug, "create", None)]
    assert [each for each in plan(folder.settings) if each.slug == slug] == []
    standing.sql("UPDATE directory.tenants SET organization_id = %s WHERE slug = %s", f"org-{slug}", slug)
    standing.tenants = standing_tenants(standing.settings)
    return standing.tenants[slug]


def people(house: House, tenant: Tenant) -> int:
    found: int = house.sql(f"SELECT count(*) FROM {tenant.schema}.resources WHERE type = 'Patient' AND NOT deleted")[0][
        0
    ]
    return found


class TestPatients:
    def test_are_those_of_the_generator(self) -> None:
        module = script()
        assert gzip.decompress(module.FILE.read_bytes()) == module.made()
        assert module.BORN == BORN

    def test_move_on_with_the_days(self) -> None:
        then, later = (list(bundles(BORN + timedelta(days=days))) for days in (0, 400))
        assert [len(each) for each in then] == [len(each) for each in later]
        born = [json.loads(each)["entry"][0]["resource"].get("birthDate") for each in (then[1], later[1])]
        assert (date.fromisoformat(born[1]) - date.fromisoformat(born[0])).days == 400

    def test_every_one_is_marked_as_made_up(self) -> None:
        for content in bundles(BORN):
            for entry in json.loads(content)["entry"]:
                assert entry["resource"]["meta"]["tag"][0]["code"] == "made-up"


class TestReset:
    @pytest.mark.anyio
    async def test_an_unknown_hospital(self, parts: Runtime) -> None:
        with pytest.raises(NotFound):
            await reset(parts, "nowhere", "test")

    @pytest.mark.anyio
    async def test_is_refused_where_patients_are_real(self, standing: House, parts: Runtime) -> None:
        before = standing.counts(HOA_SEN)
        with pytest.raises(NotASandbox):
            await reset(parts, HOA_SEN, "test")
        assert standing.counts(HOA_SEN) == before
        done = emr(standing, "tenants", "reset-sandbox", HOA_SEN)
        assert done.returncode == 2
        assert "is not a hospital for training" in done.stderr

    @pytest.mark.anyio
    async def test_brings_it_back_to_its_beginning(self, standing: House, parts: Runtime, training: Tenant) -> None:
        begun = people(standing, training)
        assert begun > 20
        standing.sql(f"UPDATE {training.schema}.resources SET deleted = true WHERE type = 'Patient'")
        assert people(standing, training) == 0
        told: list[tuple[int, int]] = []
        done = await reset(parts, training.slug, "Cô giáo", lambda *each: told.append(each))
        assert (done.by, done.bundles) == ("Cô giáo", len(told))
        assert people(standing, training) == begun
        events = standing.sql(
            "SELECT actor, event FROM directory.tenant_events WHERE tenant_id = %s ORDER BY number DESC LIMIT 2",
            training.id,
        )
        assert events == [("Cô giáo", "hospital.sandbox-filled"), ("Cô giáo", "hospital.sandbox-emptied")]

    @pytest.mark.anyio
    async def test_leaves_the_trail_and_the_members(self, standing: House, parts: Runtime, training: Tenant) -> None:
        standing.sql(
            "INSERT INTO directory.memberships (tenant_id, subject, role, name, granted_by)"
            " VALUES (%s, %s, 'doctor', 'Thử', 'test')", training.id, mark(),
        )  # fmt: skip
        seen = (
            f"SELECT (SELECT count(*) FROM {training.schema}.audit_events)"
            f" + (SELECT count(*) FROM cell.audit_journal WHERE tenant = '{training.schema}'),"
            f" (SELECT count(*) FROM directory.memberships WHERE tenant_id = '{training.id}')"
        )
        [(rows, members)] = standing.sql(seen)
        await reset(parts, training.slug, "test")
        [(after, members_after)] = standing.sql(seen)
        assert after > rows
        assert members_after == members


class TestWarehouse:
    @pytest.mark.anyio
    async def test_nothing_of_it_waits_for_the_city(self, standing: House, parts: Runtime, training: Tenant) -> None:
        outbox = Outbox(parts.databases.cells["default"].relay)
        waiting = "SELECT count(*) FROM cell.outbox WHERE tenant = %s"
        assert standing.sql(waiting, training.schema)[0][0] > 0
        other = standing.sql(waiting, standing.tenants[HOA_SEN].schema)
        await outbox.drop([training.schema])
        assert standing.sql(waiting, training.schema) == [(0,)]
        assert standing.sql(waiting, standing.tenants[HOA_SEN].schema) == other


class TestPage:
    """`/h/{slug}/admin/sandbox`, and what every page of such a hospital says."""

    def test_of_a_hospital_with_real_patients_refuses(self, live: House) -> None:
        with live.client("admin") as browser:
            shown = browser.get(f"{live.url}/h/{HOA_SEN}/admin/sandbox", headers={"Accept": "text/html"})
            assert shown.status_code == 409
            asked = browser.post(f"{live.url}/h/{HOA_SEN}/admin/sandbox", data={"sure": "yes"})
            assert asked.status_code == 409
        assert live.sql("SELECT count(*) FROM directory.fleet_requests WHERE slug = %s", HOA_SEN) == [(0,)]

    def test_a_doctor_may_not(self, live: House) -> None:
        with live.client("doctor") as browser:
            assert browser.post(f"{live.url}/h/{HOA_SEN}/admin/sandbox", data={"sure": "yes"}).status_code == 403

    def test_asks_and_the_owners_command_does_it(self, live: House, training: Tenant) -> None:
        with as_admin(live, training) as browser:
            home = f"{live.url}/h/{training.slug}"
            page = browser.get(f"{home}/admin/sandbox", headers={"Accept": "text/html"})
            assert page.status_code == 200
            assert "mọi người bệnh ở đây đều là dữ liệu mẫu" in page.text
            assert 'data-sandbox="THỰC HÀNH' in page.text
            assert browser.post(f"{home}/admin/sandbox", data={}).status_code == 422
            assert browser.post(f"{home}/admin/sandbox", data={"sure": "yes"}).status_code == 303
            assert browser.post(f"{home}/admin/sandbox", data={"sure": "yes"}).status_code == 409
            assert "đang chờ" in browser.get(f"{home}/admin/sandbox", headers={"Accept": "text/html"}).text
            done = carry_out(live.settings.database, acts_of(live.settings))
            assert [(each["hospital"], each["state"]) for each in done] == [(training.slug, "done")]
            assert carry_out(live.settings.database, acts_of(live.settings)) == []
            assert "Đã làm lại từ đầu lúc" in browser.get(f"{home}/admin/sandbox", headers={"Accept": "text/html"}).text

    def test_other_hospitals_do_not_say_so(self, live: House) -> None:
        with live.client("doctor") as browser:
            page = browser.get(f"{live.url}/h/{HOA_SEN}/", headers={"Accept": "text/html"})
            assert "data-sandbox" not in page.text


class TestRequests:
    def test_one_that_cannot_be_done_says_why_and_is_over(self, standing: House) -> None:
        standing.sql(
            "INSERT INTO directory.fleet_requests (id, kind, slug, detail, asked_by, asked_by_name)"
            " VALUES (%s, 'reset-sandbox', %s, '{}', 'x', 'Thử')", mark(), HOA_SEN,
        )  # fmt: skip
        [done] = carry_out(standing.settings.database, acts_of(standing.settings))
        assert (done["state"], "not a hospital for training" in done["error"]) == ("failed", True)
        [(state, progress)] = standing.sql(
            "SELECT state, progress FROM directory.fleet_requests WHERE slug = %s ORDER BY asked_at DESC LIMIT 1",
            HOA_SEN,
        )
        assert (state, progress["code"]) == ("failed", "not-a-sandbox")
        assert carry_out(standing.settings.database, acts_of(standing.settings)) == []
        standing.sql("DELETE FROM directory.fleet_requests WHERE slug = %s", HOA_SEN)

    def test_one_that_was_cut_off_is_begun_again_and_one_under_way_is_left(self, standing: House) -> None:
        key, did = mark(), list[str]()
        standing.sql(
            "INSERT INTO directory.fleet_requests (id, kind, slug, detail, asked_by, asked_by_name, state)"
            " VALUES (%s, 'reset-sandbox', 'moi', '{}', 'x', 'Thử', 'running')", key,
        )  # fmt: skip

        def act(row: Any, told: Any) -> None:
            told({"done": 1})
            did.append(row.slug)
            assert carry_out(standing.settings.database, {"reset-sandbox": act}) == []

        assert [each["state"] for each in carry_out(standing.settings.database, {"reset-sandbox": act})] == ["done"]
        assert did == ["moi"]
        standing.sql("DELETE FROM directory.fleet_requests WHERE id = %s", key)

    def test_the_service_can_ask_and_change_nothing(self, standing: House) -> None:
        rights = standing.sql(
            "SELECT privilege_type FROM information_schema.role_table_grants"
            " WHERE grantee = 'emr_directory' AND table_name = 'fleet_requests' ORDER BY 1"
        )
        assert [right for (right,) in rights] == ["INSERT", "SELECT"]


@contextmanager
def as_admin(house: House, tenant: Tenant) -> Iterator[httpx.Client]:
    """Hoa Sen's administrator, who administers the hospital for training too."""
    house.sql(
        "UPDATE directory.tenants SET organization_id = (SELECT organization_id FROM directory.tenants WHERE slug = %s)"
        " WHERE id = %s", HOA_SEN, tenant.id,
    )  # fmt: skip
    house.sql(
        "INSERT INTO directory.memberships (tenant_id, subject, role, name, granted_by) SELECT %s, subject, role, name,"
        " 'test' FROM directory.memberships WHERE tenant_id = %s AND role = 'admin' ON CONFLICT DO NOTHING",
        tenant.id, house.tenants[HOA_SEN].id,
    )  # fmt: skip
    with house.client("admin", HOA_SEN) as client:
        deadline = time.monotonic() + 30
        while client.get(f"{house.url}/h/{tenant.slug}/admin/sandbox").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield client
