"""The cluster that the demo and the tests run on, against the real server."""

import stat
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from emr_demo.postgres import Cluster, Tuning, temporary
from emr_demo.postgres_server import NoServer, embedded, find_server


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with temporary() as running:
        yield running


def ask(url: str, question: str) -> str:
    with psycopg.connect(url) as connection:
        row = connection.execute(question.encode()).fetchone()
        assert row is not None
        return str(row[0])


class TestStart:
    def test_it_listens_on_loopback_alone(self, cluster: Cluster) -> None:
        assert ask(cluster.url(), "SHOW listen_addresses") == "127.0.0.1"
        assert ask(cluster.url(), "SHOW unix_socket_directories") == ""

    def test_it_has_checksums_and_room_for_many_locks(self, cluster: Cluster) -> None:
        assert ask(cluster.url(), "SHOW data_checksums") == "on"
        assert ask(cluster.url(), "SHOW max_locks_per_transaction") == "1024"

    def test_a_wrong_password_is_refused(self, cluster: Cluster) -> None:
        wrong = cluster.url().replace(cluster.password("postgres"), "guess")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong)

    def test_every_way_in_asks_for_a_password(self, cluster: Cluster) -> None:
        methods = ask(cluster.url(), "SELECT string_agg(DISTINCT auth_method, ',') FROM pg_hba_file_rules")
        assert methods == "scram-sha-256"

    def test_it_does_not_run_as_root(self, cluster: Cluster) -> None:
        assert cluster.data.stat().st_uid != 0

    def test_the_embedded_server_starts_too(self) -> None:
        with temporary(embedded()[0]) as running:
            assert ask(running.url(), "SHOW server_version_num").startswith("18")

    def test_data_of_a_version_that_is_gone_is_an_error(self) -> None:
        with pytest.raises(NoServer, match="PostgreSQL 9"):
            find_server(9)


class TestKeep:
    def test_passwords_are_readable_by_their_owner_alone(self, tmp_path: Path) -> None:
        cluster = Cluster(tmp_path)
        cluster.password("somebody")
        assert stat.S_IMODE((tmp_path / "passwords.json").stat().st_mode) == 0o600

    def test_a_second_start_finds_the_data(self, tmp_path: Path) -> None:
        folder = tmp_path / "cluster"
        with Cluster(folder, tuning=Tuning(durable=False)) as first:
            first.create_login("keeper", options="NOINHERIT")
            first.create_database("kept", owner="keeper")
        again = Cluster(folder, tuning=Tuning(durable=False))
        try:
            again.start()
            assert ask(again.url(role="keeper", database="kept"), "SELECT current_user") == "keeper"
        finally:
            again.remove()
        assert not folder.exists()

    def test_a_server_left_behind_is_replaced(self, tmp_path: Path) -> None:
        folder = tmp_path / "cluster"
        killed = Cluster(folder, tuning=Tuning(durable=False))
        killed.start()
        after = Cluster(folder, tuning=Tuning(durable=False))
        try:
            after.start()
            assert ask(after.url(), "SELECT 1") == "1"
            assert not killed.running()
        finally:
            after.remove()


class TestCreate:
    def test_making_a_login_and_a_database_twice_changes_nothing(self, cluster: Cluster) -> None:
        for _ in range(2):
            cluster.create_login("twice")
            cluster.create_database("twice", owner="twice")
        assert ask(cluster.url(role="twice", database="twice"), "SELECT current_user") == "twice"

    def test_a_login_has_no_more_rights_than_asked_for(self, cluster: Cluster) -> None:
        cluster.create_login("plain", options="NOINHERIT")
        powers = "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolinherit FROM pg_roles WHERE rolname = 'plain'"
        assert ask(cluster.url(), powers) == "False"
