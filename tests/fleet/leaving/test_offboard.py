"""The end of a hospital that has left: refused while anything speaks against it, and then nothing is left of it."""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from emr.audit.anchoring import Written
from emr.audit.sealing import DirectorySealer
from emr.audit.seals import Head
from emr.audit.signing import holds as signed
from emr.db.tables import cell, directory
from emr.fleet import trails
from emr.fleet.leaving import forgetting, offboarding
from emr.fleet.leaving.holds import list_holds, place_hold, release_hold
from emr.fleet.leaving.offboarding import Asked, offboard
from emr.kernel.errors import Forbidden, Refusal
from emr.records.create import create_resource
from emr.records.read import read
from emr.work.runtime import Runtime
from emr.work.unit import unit_of_work
from tests.fleet.leaving.conftest import Left
from tests.fleet.leaving.world import Leaving, hospital_with_records
from tests.house import House

pytestmark = pytest.mark.anyio
KEEPER = "Trung tâm Lưu trữ thành phố, biên bản 12/2026"


@dataclass
class Going:
    """A hospital of its own with a package, in the state `leaving`."""

    of: Leaving
    package: Path
    folder: Path

    async def offboard(self, *, keeper: str = KEEPER, package: Path | None = None) -> dict[str, Any]:
        await self.of.parts.registry.refresh()
        asked = Asked(self.of.tenant.slug, package or self.package, self.folder / "certificate.json", keeper)
        return await offboard(self.of.parts, asked, lambda *_: None)

    async def refused(self, **how: Any) -> str:
        """The code of the refusal; nothing may have changed."""
        before = self.of.house.counts(self.of.tenant.slug), self.of.house.objects(self.of.tenant.slug)
        with pytest.raises(Refusal) as caught:
            await self.offboard(**how)
        assert (self.of.house.counts(self.of.tenant.slug), self.of.house.objects(self.of.tenant.slug)) == before
        assert not (self.folder / "certificate.json").exists()
        return caught.value.code

    def state(self, state: str) -> None:
        self.of.house.sql("UPDATE directory.tenants SET state = %s WHERE slug = %s", state, self.of.tenant.slug)


@pytest.fixture
async def going(standing: House, parts: Runtime, tmp_path: Path) -> AsyncIterator[Going]:
    of = await hospital_with_records(standing, parts, tmp_path)
    written = await of.export(tmp_path / "out")
    made = Going(of, written.folder, tmp_path)
    made.state("leaving")
    yield made
    made.state("trial")
    if not standing.sql("SELECT 1 FROM directory.tenants WHERE id = %s", of.tenant.id):
        del standing.tenants[of.tenant.slug]


class TestRefused:
    async def test_while_anything_speaks_against_it(self, going: Going, left: Left) -> None:
        going.state("live")
        assert await going.refused() == "not-leaving"
        going.state("leaving")
        assert await going.refused(package=left.package) == "package-of-another"
        assert await going.refused(keeper="") == "retention-runs"
        path = going.package / "csv/results.csv"
        content = path.read_bytes()
        path.write_bytes(content.replace(b"0.5", b"9.5", 1))
        assert await going.refused() == "package-altered"
        path.write_bytes(content)

    async def test_while_a_hold_stands(self, going: Going) -> None:
        async with going.of.work() as work:
            hold = await place_hold(work, "Tòa án quận 5, vụ 17/2026", going.of.patients[0])
        going.package = (await going.of.export(going.folder / "again")).folder
        assert await going.refused() == "hold-stands"
        async with going.of.work() as work:
            assert [each.id for each in await list_holds(work)] == [hold]
            await release_hold(work, hold, "Vụ án đã đóng")
            assert await list_holds(work) == []
        async with going.of.work() as work:
            with pytest.raises(Refusal):
                await release_hold(work, hold, "Vụ án đã đóng")

    async def test_when_somebody_has_written_or_read_since(self, going: Going) -> None:
        going.state("live")
        async with going.of.work() as work:
            await read(work, "Patient", going.of.patients[0])
        going.state("leaving")
        assert await going.refused() == "package-old"
        going.package = (await going.of.export(going.folder / "second")).folder
        going.state("live")
        async with going.of.work() as work:
            await create_resource(work, {"resourceType": "Patient", "name": [{"text": "Đến Sau"}]})
        going.state("leaving")
        assert await going.refused() == "package-old"

    @pytest.mark.parametrize("role", ["doctor", "admin", "ops"])
    async def test_a_hold_by_somebody_who_may_not(self, standing: House, parts: Runtime, role: str) -> None:
        with pytest.raises(Forbidden):
            async with unit_of_work(parts, standing.tenants["hoa-sen"], standing.principal(role)) as work:
                await place_hold(work, "Không có quyền làm")


class TestOffboarded:
    async def test_nothing_of_it_is_left_but_the_certificate_and_the_trail(self, going: Going) -> None:
        of, house = going.of, going.of.house
        certificate = await going.offboard()
        assert house.sql("SELECT 1 FROM directory.tenants WHERE id = %s", of.tenant.id) == []
        for table in ("keys", "memberships", "tenant_events"):
            assert house.sql(f"SELECT 1 FROM directory.{table} WHERE tenant_id = %s", of.tenant.id) == []
        assert house.sql("SELECT 1 FROM pg_roles WHERE rolname LIKE %s", of.tenant.schema + "%") == []
        assert house.sql("SELECT 1 FROM pg_namespace WHERE nspname LIKE %s", of.tenant.schema + "%") == []
        assert house.sql("SELECT 1 FROM cell.outbox WHERE tenant = %s", of.tenant.schema) == []
        assert house.objects(of.tenant.slug) == []
        assert certificate["keeper"] == KEEPER
        assert certificate["counts"]["resources"]["Patient"] == 3
        _demand_signed(certificate)
        [told] = house.sql(
            "SELECT row::jsonb -> 'detail' FROM directory.audit_journal WHERE row LIKE %s",
            f'%"hospital.offboarded"%{of.tenant.slug}%',
        )
        assert told[0]["stream"] == of.tenant.schema
        await DirectorySealer(of.parts.databases.directory_audit, of.parts.clock).turn()
        assert of.tenant.schema in await trails._left(house.settings, of.parts.databases, None)

    async def test_an_anchor_that_names_it_is_no_fault(self) -> None:
        anchors = {"default": Written(heads={"t_abcdefghijkl": [Head(1, 1, bytes(32))]})}
        assert trails._of_anchors(trails._World([], {}, anchors)) != []
        assert trails._of_anchors(trails._World([], {}, anchors, frozenset({"t_abcdefghijkl"}))) == []

    async def test_one_that_was_killed_goes_on(self, going: Going, monkeypatch: pytest.MonkeyPatch) -> None:
        class _Killed(Exception):
            pass

        def killed(*_: Any) -> None:
            raise _Killed

        with monkeypatch.context() as patched:
            patched.setattr(offboarding, "remove_objects", killed)
            with pytest.raises(_Killed):
                await going.offboard()
        with monkeypatch.context() as patched:
            patched.setattr(offboarding, "_finished", killed)
            with pytest.raises(_Killed):
                await going.offboard(package=going.folder / "gone")
        assert going.of.house.sql("SELECT 1 FROM directory.tenants WHERE id = %s", going.of.tenant.id) == []
        certificate = await going.offboard(package=going.folder / "gone")
        _demand_signed(certificate)
        with pytest.raises(Refusal):
            await going.offboard()


class TestForget:
    async def test_names_every_table_that_says_whose_its_rows_are(self) -> None:
        """A table that comes later must be emptied of a hospital, too."""
        statements = " ".join(str(each) for each in (*forgetting._CELL, *forgetting._DIRECTORY))
        owned = [
            table.fullname
            for table in (*directory.metadata.sorted_tables, *cell.metadata.sorted_tables)
            if {"tenant", "tenant_id", "made_for"}.intersection(column.name for column in table.columns)
        ]
        assert [name for name in owned if f"DELETE FROM {name} " not in statements] == []


def _demand_signed(certificate: dict[str, Any]) -> None:
    body = {name: value for name, value in certificate.items() if name not in ("public", "signature")}
    text = json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    signature = base64.b64decode(certificate["signature"])
    assert signed(base64.b64decode(certificate["public"]), b"EMR-OFFBOARD\0" + text, signature)
