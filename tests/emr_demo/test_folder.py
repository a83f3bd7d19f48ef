"""The demo's data folder: secrets for their owner only, the same settings from start to start."""

import socket
import stat
from datetime import date
from pathlib import Path

import pytest

from emr.settings import Settings
from emr_demo.folder import Databases, DemoFolder, FolderInUse


def environment(folder: DemoFolder) -> dict[str, str]:
    databases = Databases("postgresql://emr_app:a@127.0.0.1/emr", "postgresql://emr_owner:b@127.0.0.1/emr")
    made = folder.environment(databases, issuer="http://127.0.0.1:1", base_url="http://127.0.0.1:2", tenants=Path("t"))
    return dict(made)


class TestSecrets:
    def test_files_are_for_their_owner_alone(self, tmp_path: Path) -> None:
        folder = DemoFolder(tmp_path / "demo")
        environment(folder)
        modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "demo" / "secrets").iterdir()}
        assert modes == {0o600}

    def test_none_stands_in_the_environment(self, tmp_path: Path) -> None:
        given = environment(DemoFolder(tmp_path / "demo"))
        secrets = [path.read_text() for path in (tmp_path / "demo" / "secrets").iterdir()]
        assert not any(secret in value for secret in secrets for value in given.values())

    def test_they_stay_the_same(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in environment(DemoFolder(tmp_path / "demo")).items():
            monkeypatch.setenv(name, value)
        first = Settings()
        environment(DemoFolder(tmp_path / "demo"))
        assert Settings().keys == first.keys
        assert first.database.url == "postgresql://emr_app:a@127.0.0.1/emr"
        assert len(first.keys.signing.get_secret_value()) == 44

    def test_a_changed_database_address_is_taken_over(self, tmp_path: Path) -> None:
        folder = DemoFolder(tmp_path / "demo")
        environment(folder)
        given = folder.environment(Databases("new", "newer"), issuer="i", base_url="b", tenants=Path("t"))
        assert Path(given["EMR_DATABASE__URL_FILE"]).read_text() == "new"


class TestHold:
    def test_a_second_demo_is_kept_off(self, tmp_path: Path) -> None:
        with DemoFolder(tmp_path).held(), pytest.raises(FolderInUse, match="--data"), DemoFolder(tmp_path).held():
            pass

    def test_it_is_free_again_afterwards(self, tmp_path: Path) -> None:
        for _ in range(2):
            with DemoFolder(tmp_path).held():
                pass


class TestPort:
    def test_it_is_remembered(self, tmp_path: Path) -> None:
        assert DemoFolder(tmp_path).port("provider") == DemoFolder(tmp_path).port("provider")

    def test_one_that_is_taken_is_replaced(self, tmp_path: Path) -> None:
        port = DemoFolder(tmp_path).port("provider")
        with socket.socket() as other:
            other.bind(("127.0.0.1", port))
            other.listen()
            assert DemoFolder(tmp_path).port("provider") != port


class TestSampleData:
    def test_the_day_of_the_first_start_stays(self, tmp_path: Path) -> None:
        assert DemoFolder(tmp_path).born(date(2026, 11, 22)) == date(2026, 11, 22)
        assert DemoFolder(tmp_path).born(date(2027, 1, 1)) == date(2026, 11, 22)

    def test_what_is_loaded_is_remembered(self, tmp_path: Path) -> None:
        folder = DemoFolder(tmp_path)
        folder.born(date(2026, 11, 22))
        folder.remember(loaded=["hoa-sen"])
        assert DemoFolder(tmp_path).loaded() == ["hoa-sen"]
        assert DemoFolder(tmp_path).born(date(2027, 1, 1)) == date(2026, 11, 22)
