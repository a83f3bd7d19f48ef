"""Plan and apply: the files become the world, once."""

from typing import Any

import pytest

from emr.db.migrate import History, Target, drift, owner_engine
from emr.db.revisions import newest_hospital_revision
from emr.fleet.applying import apply
from emr.fleet.differences import Difference, plan
from emr.fleet.files import FilesBroken
from emr.tenancy.definition import HospitalFile
from tests.fhir.samples import mark
from tests.fleet.world import Folder
from tests.house import House, facility_code


def nobody(hospital: HospitalFile, known: str | None) -> str | None:
    del hospital
    return known


def planned(folder: Folder, slug: str) -> list[Difference]:
    return [each for each in plan(folder.settings) if each.slug == slug]


def settled(folder: Folder, slug: str) -> list[tuple[str, str | None]]:
    return [(each.kind, each.error) for each in apply(folder.settings, nobody) if each.slug == slug]


def snapshot(house: House) -> list[Any]:
    return [
        house.sql("SELECT * FROM directory.tenants ORDER BY slug"),
        house.sql("SELECT count(*) FROM directory.keys"),
        house.sql("SELECT count(*) FROM directory.tenant_events"),
        house.sql("SELECT rolname FROM pg_roles ORDER BY 1"),
        house.sql("SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' ORDER BY 1"),
    ]


@pytest.fixture
def slug(folder: Folder) -> str:
    """A hospital that is in a file and not yet in the world."""
    made = f"moi-{mark()[:8]}"
    folder.write(made, code=facility_code(made))
    return made


class TestCreate:
    def test_gives_a_hospital_all_that_it_needs(self, folder: Folder, slug: str) -> None:
        assert [each.kind for each in planned(folder, slug)] == ["create"]
        assert settled(folder, slug) == [("create", None)]
        house = folder.house
        [(tenant_id, schema, state, revision, key)] = house.sql(
            "SELECT id, schema, state, revision, length(index_key) FROM directory.tenants WHERE slug = %s", slug
        )
        assert (state, revision, key) == ("trial", newest_hospital_revision(), 16)
        assert house.sql("SELECT count(*) FROM directory.keys WHERE tenant_id = %s", tenant_id) == [(1,)]
        assert house.sql("SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", schema) == [(False,)]
        tables = house.sql("SELECT tablename FROM pg_tables WHERE schemaname = %s", schema)
        assert 10 < len(tables) <= 24
        assert house.sql("SELECT event FROM directory.tenant_events WHERE tenant_id = %s", tenant_id) == [
            ("hospital.created",),
            ("hospital.objects-ready",),
        ]
        assert slug not in schema

    def test_a_second_time_changes_nothing(self, folder: Folder, slug: str) -> None:
        settled(folder, slug)
        before = snapshot(folder.house)
        assert planned(folder, slug) == []
        assert settled(folder, slug) == []
        assert snapshot(folder.house) == before

    def test_its_schema_is_what_the_tables_say(self, folder: Folder, slug: str) -> None:
        settled(folder, slug)
        [(schema,)] = folder.house.sql("SELECT schema FROM directory.tenants WHERE slug = %s", slug)
        with owner_engine(folder.settings.database.owner_url).connect() as connection:
            assert drift(connection, Target(History.TENANT, schema)) == []


class TestChange:
    def test_of_a_field_is_shown_and_made(self, folder: Folder, slug: str) -> None:
        settled(folder, slug)
        folder.change(slug, "[outpatient]", "[outpatient, imaging]")
        [difference] = planned(folder, slug)
        assert (difference.kind, difference.fields) == (
            "change", {"features": (["outpatient"], ["outpatient", "imaging"])},
        )  # fmt: skip
        assert settled(folder, slug) == [("change", None)]
        assert planned(folder, slug) == []
        events = folder.house.sql(
            "SELECT event, detail FROM directory.tenant_events e JOIN directory.tenants t ON t.id = e.tenant_id"
            " WHERE slug = %s ORDER BY number", slug,
        )  # fmt: skip
        assert events[2:] == [("hospital.changed", {"fields": ["features"]})]

    def test_of_what_is_fixed_is_refused_alone(self, folder: Folder, slug: str) -> None:
        settled(folder, slug)
        folder.change(slug, 'facility_code: "', 'cell: north\ntier: dedicated\nfacility_code: "')
        [(kind, error)] = settled(folder, slug)
        assert kind == "change"
        assert "cell cannot be changed by a file" in str(error)

    def test_of_the_first_state_is_no_change(self, folder: Folder, slug: str) -> None:
        settled(folder, slug)
        folder.house.sql("UPDATE directory.tenants SET state = 'live' WHERE slug = %s", slug)
        assert planned(folder, slug) == []
        assert settled(folder, slug) == []
        assert folder.house.sql("SELECT state FROM directory.tenants WHERE slug = %s", slug) == [("live",)]


class TestAbsent:
    def test_a_hospital_without_a_file_is_told_and_left_alone(self, folder: Folder, slug: str) -> None:
        settled(folder, slug)
        (folder.path / f"{slug}.yaml").unlink()
        before = snapshot(folder.house)
        assert [each.kind for each in planned(folder, slug)] == ["absent"]
        assert settled(folder, slug) == []
        assert snapshot(folder.house) == before


class TestBroken:
    def test_one_broken_file_changes_nothing_of_the_others(self, folder: Folder, slug: str) -> None:
        folder.change("hoa-sen", "tier: shared", "tier: golden")
        before = snapshot(folder.house)
        with pytest.raises(FilesBroken):
            apply(folder.settings, nobody)
        assert snapshot(folder.house) == before

    def test_a_hospital_that_cannot_be_made_leaves_nothing(self, folder: Folder, slug: str) -> None:
        """Its master key is no key: found out inside the transaction."""
        before = snapshot(folder.house)
        other = f"zz-{mark()[:6]}"
        folder.write(other, code="54321")
        folder.house.sql("REVOKE CREATE ON DATABASE emr FROM PUBLIC")
        folder.house.sql("ALTER ROLE emr_owner NOCREATEROLE")
        try:
            outcomes = apply(folder.settings, nobody)
        finally:
            folder.house.sql("ALTER ROLE emr_owner CREATEROLE")
        assert {each.slug for each in outcomes if each.error} >= {slug, other}
        assert snapshot(folder.house) == before
