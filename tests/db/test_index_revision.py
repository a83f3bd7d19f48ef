"""Revisions of the index on a hospital that has data: old rows go, the rest stays, and the hospital is marked."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

import emr.db
from emr.db.migrate import History, Target, drift, owner_engine, upgrade
from emr.records.index import FORMAT
from tests.house import House

TARGET = Target(History.TENANT, "t_0123456789ab")


@pytest.fixture
def first(standing: House) -> Iterator[Connection]:
    """A hospital's schema at its first revision, in a transaction that is undone."""
    yield from at_revision(standing, "tenant_0001")


@pytest.fixture
def fourth(standing: House) -> Iterator[Connection]:
    """The same, with an index by element path."""
    yield from at_revision(standing, "tenant_0004")


def at_revision(standing: House, revision: str) -> Iterator[Connection]:
    scripts = Path(emr.db.__file__).parent / "migrations"
    config = Config()
    config.set_main_option("script_location", str(scripts))
    config.set_main_option("version_locations", str(scripts / "tenant"))
    config.set_main_option("path_separator", "os")
    with owner_engine(standing.settings.database.owner_url).connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {TARGET.schema}"))
        connection.execute(text("SELECT set_config('search_path', :schema, true)"), {"schema": TARGET.schema})
        config.attributes.update(target=TARGET, connection=connection)
        command.upgrade(config, revision)
        yield connection
        connection.rollback()


def state(connection: Connection) -> object:
    return connection.scalar(text("SELECT state FROM indexing WHERE name = 'record'"))


class TestIndexRevision:
    def test_a_hospital_with_data_has_to_be_indexed_again(self, first: Connection) -> None:
        for statement in (
            "INSERT INTO resources (type, id, version, updated, patients, body) VALUES ('Patient', 'a', 1, now(), '{}', '')",
            "INSERT INTO tokens (key, updated, pk) VALUES (1, now(), 1)",
            "INSERT INTO links (key, updated, pk) VALUES (1, now(), 1)",
            "INSERT INTO strings (key, value, raw, pk) VALUES (1, 'a', 'A', 1)",
            "INSERT INTO identifiers (type, system, value, pk) VALUES ('Patient', 's', 'v', 1)",
        ):
            first.execute(text(statement))
        upgrade(first, TARGET)
        kept = {
            table: first.scalar(text(f"SELECT count(*) FROM {table}"))
            for table in ("resources", "identifiers", "tokens", "links", "strings")
        }
        assert kept == {"resources": 1, "identifiers": 1, "tokens": 0, "links": 0, "strings": 0}
        assert state(first) == {"format": 0}
        assert drift(first, TARGET) == []

    def test_an_empty_one_is_up_to_date(self, first: Connection) -> None:
        upgrade(first, TARGET)
        assert state(first) == {"format": FORMAT}


class TestCodedValues:
    """tenant_0005: a coded value has one row, which knows its system."""

    def test_a_hospital_with_data_has_to_be_indexed_again_from_the_beginning(self, fourth: Connection) -> None:
        for statement in (
            "INSERT INTO resources (type, id, version, updated, patients, body) VALUES ('Patient', 'a', 1, now(), '{}', '')",
            "INSERT INTO tokens (key, updated, pk) VALUES (1, now(), 1)",
            "INSERT INTO links (path, target, updated, pk) VALUES (1, 1, now(), 1)",
            """UPDATE indexing SET state = '{"format": 1, "after": 7, "rows": {}}'""",
        ):
            fourth.execute(text(statement))
        upgrade(fourth, TARGET)
        kept = {
            table: fourth.scalar(text(f"SELECT count(*) FROM {table}")) for table in ("resources", "tokens", "links")
        }
        assert kept == {"resources": 1, "tokens": 0, "links": 1}
        assert state(fourth) == {"format": 0}
        assert drift(fourth, TARGET) == []

    def test_an_empty_one_is_up_to_date(self, fourth: Connection) -> None:
        assert state(fourth) == {"format": 1}
        upgrade(fourth, TARGET)
        assert state(fourth) == {"format": FORMAT}


class TestWords:
    def test_wait_in_the_shortest_list_before_they_go_into_their_index(self, standing: House) -> None:
        for tenant in standing.tenants.values():
            name = f"{tenant.schema}.words_content"
            options = standing.sql("SELECT reloptions FROM pg_class WHERE oid = %s::regclass", name)
            assert options == [(["fastupdate=on", "gin_pending_list_limit=64"],)]
