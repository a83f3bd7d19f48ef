"""Two cells that work: hospitals in both, one service, one worker, one city warehouse, trails that are whole."""

import json
import shutil
from pathlib import Path

import psycopg
import pytest

from emr.db.cells import owner_urls
from emr.fleet import migration
from emr.fleet.applying import apply
from emr.kernel.errors import Invalid
from emr.kernel.tenant import Tenant
from emr.settings import Database, Settings
from emr_demo.provider.mint import mint_token
from tests.fhir.samples import mark, patient
from tests.fleet.cells.world import NORTH, City
from tests.fleet.test_onboarding import nobody
from tests.fleet.world import FILE
from tests.house import CAU_VONG, HOA_SEN, ROOT, facility_code, standing_tenants
from tests.warehouse.test_worker import wait_until


@pytest.fixture
def files(two: City, tmp_path: Path) -> Path:
    folder = tmp_path / "tenants"
    shutil.copytree(ROOT / "tenants", folder)
    return folder


def outcome(two: City, files: Path, cell: str, **database: object) -> tuple[str, str | None]:
    """What applying the file of a new hospital in this cell comes to."""
    slug = f"bac-{mark()[:8]}"
    text = FILE.format(slug=slug, code=facility_code(slug)) + f"cell: {cell}\n"
    (files / f"{slug}.yaml").write_text(text, "utf-8")
    changed = two.house.settings.database.model_copy(update=database)
    settings = two.house.settings.model_copy(update={"tenants": files, "database": changed})
    [said] = [each.error for each in apply(settings, nobody) if each.slug == slug]
    return slug, said


class TestSettings:
    def test_a_cell_with_one_of_its_two_addresses_is_refused(self) -> None:
        with pytest.raises(Invalid, match="The cell north has to stand in EMR_DATABASE__CELLS and in"):
            owner_urls(Database(url="a", owner_url="b", cells={NORTH: "c"}))

    def test_addresses_may_come_from_files(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "cells").write_text('{"north": "postgresql://x"}\n', "utf-8")
        monkeypatch.setenv("EMR_DATABASE__CELLS_FILE", str(tmp_path / "cells"))
        assert Settings().database.cells == {NORTH: "postgresql://x"}


class TestMigrate:
    def test_a_cell_that_is_new_is_planned_and_made(self, two: City) -> None:
        name = f"emr_{mark()[:8]}"
        two.north.create_database(name, owner="emr_owner")
        database = two.house.settings.database
        urls = {each: two.north.url(role=each, database=name) for each in ("emr_app", "emr_owner")}
        more = database.model_copy(
            update={
                "cells": database.cells | {"east": urls["emr_app"]},
                "cell_owners": database.cell_owners | {"east": urls["emr_owner"]},
            }
        )
        assert [(each.target, each.revision_from) for each in migration.plan(more)] == [("cell east", None)]
        assert [(each.target, each.outcome) for each in migration.migrate(more)] == [("cell east", "moved")]
        assert migration.plan(more) == []
        with psycopg.connect(two.north.url(), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def test_hospitals_of_both_cells_are_moved(self, two: City, files: Path) -> None:
        slug, error = outcome(two, files, NORTH)
        assert error is None
        behind = {slug, CAU_VONG}
        mark_behind = "UPDATE directory.tenants SET revision = 'tenant_0000' WHERE slug = ANY(%s)"
        two.house.sql(mark_behind, list(behind))
        steps = {each.target: each.error for each in migration.migrate(two.house.settings.database)}
        assert steps == dict.fromkeys(behind)

    def test_a_cell_that_does_not_answer_holds_up_its_own_hospitals_alone(self, two: City, files: Path) -> None:
        slug, _ = outcome(two, files, NORTH)
        two.house.sql("UPDATE directory.tenants SET revision = 'tenant_0000' WHERE slug = ANY(%s)", [slug, CAU_VONG])
        dead = two.house.settings.database.model_copy(update={"cell_owners": {NORTH: "postgresql://x@127.0.0.1:9/x"}})
        steps = {each.target: each.outcome for each in migration.migrate(dead)}
        assert steps == {"cell north": "failed", slug: "not begun", CAU_VONG: "moved"}
        assert [each.target for each in migration.migrate(two.house.settings.database)] == [slug]


class TestApply:
    def test_makes_a_hospital_in_the_cell_that_its_file_names_and_nowhere_else(self, two: City, files: Path) -> None:
        slug, error = outcome(two, files, NORTH)
        assert error is None
        [(schema, cell)] = two.house.sql("SELECT schema, cell FROM directory.tenants WHERE slug = %s", slug)
        assert cell == NORTH
        there = "SELECT nspname FROM pg_namespace WHERE nspname = %s"
        assert (two.sql(there, schema), two.house.sql(there, schema)) == ([(schema,)], [])

    def test_an_unknown_cell_is_refused_and_nothing_is_made(self, two: City, files: Path) -> None:
        slug, error = outcome(two, files, "south")
        assert "There is no cell south here; there is default, north." in str(error)
        assert two.house.sql("SELECT 1 FROM directory.tenants WHERE slug = %s", slug) == []

    def test_a_full_cell_is_refused_and_nothing_is_made(self, two: City, files: Path) -> None:
        count = "SELECT count(*) FROM pg_namespace WHERE nspname ~ '^t_.{12}$'"
        outcome(two, files, NORTH)
        before = two.sql(count)
        slug, error = outcome(two, files, NORTH, cell_hospitals=1)
        assert "The cell north has 1 hospitals, and takes no more." in str(error)
        assert two.house.sql("SELECT 1 FROM directory.tenants WHERE slug = %s", slug) == []
        assert two.sql(count) == before


@pytest.fixture(scope="module")
def northern(two: City) -> Tenant:
    """A hospital of the second cell with people in it."""
    house = two.house
    slug = f"bac-{mark()[:8]}"
    made = house.new_hospital(slug, cell=NORTH)
    house.sql(
        "INSERT INTO directory.memberships (tenant_id, subject, role, name, granted_by)"
        " SELECT %s, subject, role, name, 'test' FROM directory.memberships WHERE tenant_id = %s",
        made.id, house.tenants[CAU_VONG].id,
    )  # fmt: skip
    # The accounts of Cầu Vồng belong to its organization too: the provider's tokens name no other.
    [(organization,)] = house.sql("SELECT organization_id FROM directory.tenants WHERE slug = %s", CAU_VONG)
    house.sql("UPDATE directory.tenants SET organization_id = %s WHERE slug = %s", organization, slug)
    house.tenants = standing_tenants(house.settings)
    return house.tenants[slug]


class TestWork:
    def test_one_service_one_worker_and_whole_trails_over_both_cells(self, two: City, northern: Tenant) -> None:
        house = two.house
        token = mint_token(house.folder, tenant=CAU_VONG, role="doctor")
        # The service learns within a second that the hospital is there, and whose organization is its own.
        with house.client(slug=HOA_SEN, headers={"Authorization": f"Bearer {token}"}) as asking:
            wait_until(lambda: asking.get(f"{house.fhir(northern.slug)}/Patient?_count=1").status_code == 200)
        for slug, bearer in ((HOA_SEN, house.token()), (northern.slug, token)):
            with house.client(slug=HOA_SEN, headers={"Authorization": f"Bearer {bearer}"}) as client:
                made = client.post(f"{house.fhir(slug)}/Patient", json=patient())
                assert made.status_code == 201, made.text
                assert client.get(f"{house.fhir(slug)}/Patient/{made.json()['id']}").status_code == 200
        assert two.sql("SELECT count(*) FROM cell.outbox WHERE tenant = %s", northern.schema) == [(1,)]
        assert house.sql("SELECT count(*) FROM cell.outbox WHERE tenant = %s", northern.schema) == [(0,)]
        self.work_off(two)
        status = {each["cell"]: each for each in json.loads(two.emr("warehouse", "status", "--json").stdout)["cells"]}
        told = {each["hospital"]: each["delivered"] for each in status[NORTH]["hospitals"]}
        assert (status.keys(), told[northern.slug], status["default"]["pending"]) == ({"default", NORTH}, 1, 0)
        compared = json.loads(two.emr("warehouse", "replay", "--dry-run", "--json").stdout)["hospitals"]
        assert {each["whole"] for each in compared} == {True}
        verified = json.loads(two.emr("audit", "verify", "--json").stdout)
        rows = {each["name"]: each for each in verified["streams"]}
        # Anchors name streams of hospitals, too, that other tests have taken away.
        assert [each for each in verified["streams"] if not each["whole"]] == []
        assert rows[northern.slug]["rows"] >= 2
        assert rows[northern.slug]["anchored_batch"] >= 1
        assert rows[HOA_SEN]["anchored_batch"] >= 1
        listed = {each["slug"]: each["cell"] for each in json.loads(two.emr("tenants", "list", "--json").stdout)}
        assert (listed[HOA_SEN], listed[northern.slug]) == ("default", NORTH)

    def work_off(self, two: City) -> None:
        """A worker until nothing waits in either cell and both were anchored since."""
        waiting = (
            "SELECT (SELECT count(*) FROM cell.outbox WHERE error IS NULL) + (SELECT count(*) FROM cell.audit_journal)"
        )
        with two.worker():
            wait_until(lambda: two.sql(waiting) == two.house.sql(waiting) == [(0,)])
            before = {cell: two.anchors(cell) for cell in ("default", NORTH)}
            wait_until(lambda: all(two.anchors(cell) > count for cell, count in before.items()))
