"""All hospitals on one page: what is told of each, filters by name, and a cell that is silent."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from emr.console import service
from emr.console.figures import Hospital
from emr.console.policy import signs
from emr.identity.principal import Principal
from emr.kernel.errors import Forbidden
from emr.kernel.tenant import Tenant
from emr.work.department import department_work
from emr.work.runtime import Runtime
from emr.work.unit import Request
from tests.console.conftest import rows_of, tell_traffic, tell_usage
from tests.house import CAU_VONG, HOA_SEN, House
from tests.identity.providers import Browser
from tests.patience import comes_true

OPS = Principal("test:ops", "Ops", "ops", "person", None)


def listed(live: House, who: Browser, **given: str) -> list[str]:
    """Slugs in the order of the page."""
    answer = who.get(f"{live.url}/ops/", params=given, headers={"Accept": "text/html"})
    assert answer.status_code == 200, answer.text
    return re.findall(r'href="/ops/hospitals/([a-z0-9-]+)"', answer.text)


class TestList:
    def test_an_auditor_sees_all_hospitals(self, live: House, auditor: Browser) -> None:
        assert {HOA_SEN, CAU_VONG} <= set(listed(live, auditor))

    def test_what_needs_attention_stands_first(self, live: House, operator: Browser, hospital: Tenant) -> None:
        now = datetime.now(UTC)
        tell_traffic(live, hospital, now - timedelta(minutes=2), 1000, 400, 5.0)
        live.sql("UPDATE directory.tenants SET revision = 'tenant_0000' WHERE id = %s", hospital.id)
        assert comes_true(lambda: listed(live, operator)[0] == hospital.slug)
        page = operator.get(f"{live.url}/ops/").text
        assert "lỗi máy chủ nhiều" in page
        assert "lược đồ chưa nâng cấp" in page

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("tenant", "x"), ("sort", "size"), ("sort", "--need"), ("state", "closed"), ("light", "blue"),
            ("behind", "maybe"), ("need", "all"), ("tier", "gold"), ("page", "0"), ("page", "x"), ("q", "x" * 81),
        ],
    )  # fmt: skip
    def test_a_parameter_that_is_not_known_is_named(
        self, live: House, operator: Browser, name: str, value: str
    ) -> None:
        answer = operator.get(f"{live.url}/ops/", params={name: value}, headers={"Accept": "application/json"})
        assert answer.status_code == 400
        assert [(each["code"], each["pointer"]) for each in answer.json()["errors"]] == [("parameter-refused", name)]

    def test_one_that_comes_twice_is_named(self, live: House, operator: Browser) -> None:
        answer = operator.get(f"{live.url}/ops/?state=live&state=trial", headers={"Accept": "application/json"})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "state")

    def test_filters_leave_what_fits(self, live: House, operator: Browser) -> None:
        assert listed(live, operator, q="cau vong") == [CAU_VONG]
        assert listed(live, operator, q="79999") == [HOA_SEN]
        assert HOA_SEN not in listed(live, operator, behind="yes")
        assert listed(live, operator, q="không có ở đâu") == []
        assert listed(live, operator, page="7") == []

    def test_looking_leaves_a_row(self, live: House, operator: Browser) -> None:
        before = len(rows_of(live, "fleet.shown"))
        operator.get(f"{live.url}/ops/")
        rows = rows_of(live, "fleet.shown")
        assert len(rows) == before + 1
        actor = rows[-1]["actor"]
        assert isinstance(actor, dict)
        assert (actor["role"], actor["kind"]) == ("ops", "person")


@pytest.mark.anyio
class TestFigures:
    async def test_of_requests_of_the_last_quarter_of_an_hour(
        self, standing: House, parts: Runtime, hospital: Tenant
    ) -> None:
        now = datetime.now(UTC)
        tell_traffic(standing, hospital, now - timedelta(minutes=1), 90, 1, 0.04)
        tell_traffic(standing, hospital, now - timedelta(minutes=10), 10, 1, 1.0)
        tell_traffic(standing, hospital, now - timedelta(hours=2), 5000, 5000, 10.0)
        found = await one(parts, hospital)
        assert (found.requests.requests, found.requests.error_share) == (100, 0.02)
        assert found.requests.p95 == pytest.approx(0.75)

    async def test_of_storage_with_a_forecast(self, standing: House, parts: Runtime, hospital: Tenant) -> None:
        tell_usage(standing, hospital, [100, 102, 104, 106, 108, 110, 112, 114])
        found = await one(parts, hospital)
        assert found.storage is not None
        assert found.storage.used == 114 << 30
        assert found.storage.per_day == pytest.approx(2 << 30)
        full = found.storage.full_on(datetime.now(UTC).date())
        assert full == datetime.now(UTC).date() + timedelta(days=(found.storage.most / (1 << 30) - 114) // 2)

    async def test_no_forecast_from_six_days(self, standing: House, parts: Runtime, hospital: Tenant) -> None:
        tell_usage(standing, hospital, [1, 2, 3, 4, 5, 6])
        found = await one(parts, hospital)
        assert found.storage is not None
        assert found.storage.per_day is None

    async def test_of_what_nobody_told_nothing_is_made_up(self, parts: Runtime, hospital: Tenant) -> None:
        found = await one(parts, hospital)
        assert found.storage is None
        assert (found.requests.p95, found.requests.error_share) == (None, None)
        assert (found.light.state, found.light.at) == ("never", None)

    async def test_of_the_outbox_and_the_journal(self, standing: House, parts: Runtime, hospital: Tenant) -> None:
        old = datetime.now(UTC) - timedelta(minutes=30)
        standing.sql("INSERT INTO cell.outbox (tenant, type, id, version, created_at) VALUES (%s, 'Patient', 'x', 1, %s)",
                     hospital.schema, old)  # fmt: skip
        standing.sql("INSERT INTO cell.outbox (tenant, type, id, version, error) VALUES (%s, 'Patient', 'y', 1, 'bad')",
                     hospital.schema)  # fmt: skip
        standing.sql("INSERT INTO cell.audit_journal (tenant, at, row) VALUES (%s, %s, '{}')", hospital.schema, old)
        try:
            found = await one(parts, hospital)
        finally:
            for table in ("outbox", "audit_journal"):
                standing.sql(f"DELETE FROM cell.{table} WHERE tenant = %s", hospital.schema)
        assert found.lag is not None
        assert (found.lag.pending, found.lag.broken) == (1, 1)
        assert found.lag.seconds == pytest.approx(1800, abs=60)
        assert found.unsealed == pytest.approx(1800, abs=60)

    async def test_of_backup_rehearsal_and_the_way_to_going_live(
        self, standing: House, parts: Runtime, hospital: Tenant
    ) -> None:
        bare = await one(parts, hospital)
        assert (bare.backup_at, bare.rehearsal, bare.way.settled) == (None, None, 0)
        now = datetime.now(UTC)
        for failed, back in ((None, 80), ("no room", 2)):
            standing.sql(
                "INSERT INTO directory.backups (cell, kind, began_at, ended_at, error) VALUES ('default', 'full', %s, %s, %s)",
                now, now - timedelta(hours=back), failed,
            )  # fmt: skip
        standing.sql(
            "INSERT INTO directory.rehearsals (tenant_id, cell, moment, began_at, ended_at, passed, findings)"
            " VALUES (%s, 'default', %s, %s, %s, false, '{}')", hospital.id, now, now, now,
        )  # fmt: skip
        try:
            found = await one(parts, hospital)
        finally:
            standing.sql("DELETE FROM directory.rehearsals WHERE tenant_id = %s", hospital.id)
            standing.sql("DELETE FROM directory.backups")
        assert found.backup_at == now - timedelta(hours=80)
        assert found.rehearsal is not None
        assert not found.rehearsal.passed
        assert {"backup-old", "rehearsal-failed"} <= {sign.code for sign in signs(found, now) if sign.grade == "bad"}

    async def test_a_cell_that_does_not_answer_breaks_nothing(self, parts: Runtime, hospital: Tenant) -> None:
        elsewhere = replace(hospital, cell="gone")
        async with department_work(parts, OPS, Request("r")) as work:
            fleet = await service._fleet(work, [elsewhere, parts.registry.by_slug(HOA_SEN)])
        gone, here = fleet.hospitals
        assert (gone.answered, gone.lag, gone.unsealed) == (False, None, None)
        assert here.answered

    async def test_one_that_hangs_is_not_waited_for(
        self, parts: Runtime, hospital: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(service, "_CELL_SECONDS", 0.0)
        assert not (await one(parts, hospital)).answered

    async def test_hundreds_are_asked_by_few_statements(self, parts: Runtime, hospital: Tenant) -> None:
        many = [replace(hospital, slug=f"many-{n}") for n in range(400)]
        began = datetime.now(UTC)
        async with department_work(parts, OPS, Request("r")) as work:
            fleet = await service._fleet(work, many)
        assert len(fleet.hospitals) == 400
        assert datetime.now(UTC) - began < timedelta(seconds=5)

    async def test_others_may_not_look(self, parts: Runtime) -> None:
        for role in ("doctor", "admin", "system"):
            with pytest.raises(Forbidden):
                async with department_work(parts, replace(OPS, role=role), Request("r")) as work:
                    await service.look(work)


async def one(parts: Runtime, hospital: Tenant) -> Hospital:
    """What the console knows of a hospital."""
    await parts.registry.refresh()
    async with department_work(parts, OPS, Request("r")) as work:
        return (await service.look_at(work, hospital.slug)).hospital
