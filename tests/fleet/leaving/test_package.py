"""A package that somebody brings: only what was signed passes."""

import base64
import json
import secrets
import shutil
import zipfile
from pathlib import Path

import pytest
from pydantic import SecretStr

from emr.audit.anchors import signer_of
from emr.fleet.leaving import package
from emr.fleet.leaving.manifest import public_key
from emr.kernel.errors import Invalid, NotFound, Refusal
from tests.fleet.leaving.conftest import Left
from tests.fleet.leaving.world import verified
from tests.house import House


def refused(house: House, place: Path) -> str:
    with pytest.raises(Refusal) as caught:
        verified(house, place)
    return caught.value.code


@pytest.fixture
def copy(left: Left, tmp_path: Path) -> Path:
    return Path(shutil.copytree(left.package, tmp_path / "package"))


def zipped(folder: Path, to: Path, *, pressed: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(to, "w", pressed) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder).as_posix())
    return to


class TestWhole:
    def test_a_folder_and_its_zip_are_the_same(self, left: Left, tmp_path: Path) -> None:
        house = left.of.house
        assert verified(house, left.package) == left.written.digest
        assert verified(house, zipped(left.package, tmp_path / "p.zip")) == left.written.digest

    def test_nothing_is_nothing(self, left: Left, tmp_path: Path) -> None:
        with pytest.raises(NotFound):
            verified(left.of.house, tmp_path / "no")
        assert refused(left.of.house, tmp_path) == "package-file"


class TestAltered:
    def test_by_one_byte_in_any_file(self, left: Left, copy: Path) -> None:
        for path in sorted(each for each in copy.rglob("*") if each.is_file() and each.stat().st_size):
            content = path.read_bytes()
            middle = len(content) // 2
            path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
            name = path.relative_to(copy).as_posix()
            expected = {"package-altered", "package-signature", "package-key"}
            assert refused(left.of.house, copy) in expected, name
            path.write_bytes(content)
        assert verified(left.of.house, copy) == left.written.digest

    def test_a_file_too_few_too_many_or_shorter(self, left: Left, copy: Path) -> None:
        house, rows = left.of.house, copy / "csv/results.csv"
        kept = rows.read_bytes()
        rows.write_bytes(kept[:-1])
        assert refused(house, copy) == "package-file"
        rows.unlink()
        assert refused(house, copy) == "package-file"
        rows.write_bytes(kept)
        (copy / "csv/more.csv").write_text("x")
        assert refused(house, copy) == "package-file"

    def test_by_whoever_has_another_key(self, left: Left) -> None:
        """A manifest that was made anew is signed by nobody who is trusted."""
        stranger = signer_of(left.of.house.settings.model_copy(update={"keys": _other_keys(left.of.house)}))
        trusted = {stranger.id: stranger.public}
        with pytest.raises(Invalid, match="public key"), package.opened(left.package) as opened:
            package.verify(opened, trusted)

    def test_a_newer_format(self, left: Left, copy: Path) -> None:
        house, path = left.of.house, copy / "manifest.json"
        text = path.read_bytes().replace(b'"version": 1', b'"version": 2', 1)
        path.write_bytes(text)
        signer = signer_of(house.settings)
        signed = signer.sign(b"EMR-EXIT-PACKAGE\0" + text)
        told = {"key": signer.id, "signature": base64.b64encode(signed).decode()}
        (copy / "manifest.sig.json").write_text(json.dumps(told))
        assert refused(house, copy) == "package-version"


class TestTraps:
    def test_a_link(self, left: Left, copy: Path) -> None:
        (copy / "csv/link.csv").symlink_to("/etc/passwd")
        assert refused(left.of.house, copy) == "package-link"

    def test_a_link_in_place_of_a_file(self, left: Left, copy: Path) -> None:
        place = copy / "csv/patients.csv"
        place.replace(copy.parent / "patients.csv")
        place.symlink_to(copy.parent / "patients.csv")
        assert refused(left.of.house, copy) == "package-link"

    @pytest.mark.parametrize(
        "name", ["../out.csv", "/etc/cron.d/x", "csv/../../x", "csv\\..\\x", ".hidden", "a/b/c/d/e"]
    )
    def test_a_path_that_climbs(self, left: Left, tmp_path: Path, name: str) -> None:
        place = zipped(left.package, tmp_path / "p.zip")
        with zipfile.ZipFile(place, "a") as archive:
            archive.writestr(name, "x")
        assert refused(left.of.house, place) == "package-path"

    def test_an_archive_that_unpacks_into_more_than_it_says(self, left: Left, copy: Path, tmp_path: Path) -> None:
        (copy / "csv/patients.csv").write_bytes(b"0" * (40 << 20))
        assert refused(left.of.house, zipped(copy, tmp_path / "bomb.zip")) == "package-file"

    def test_a_link_inside_an_archive(self, left: Left, tmp_path: Path) -> None:
        place = zipped(left.package, tmp_path / "p.zip")
        with zipfile.ZipFile(place, "a") as archive:
            link = zipfile.ZipInfo("csv/link.csv")
            link.external_attr = 0o120777 << 16
            archive.writestr(link, "/etc/passwd")
        assert refused(left.of.house, place) == "package-link"

    def test_half_an_archive(self, left: Left, tmp_path: Path) -> None:
        place = zipped(left.package, tmp_path / "p.zip")
        place.write_bytes(place.read_bytes()[:-400])
        assert refused(left.of.house, place) == "package-archive"


class TestKey:
    def test_is_taken_as_the_command_prints_it(self, left: Left) -> None:
        signer = signer_of(left.of.house.settings)
        text = base64.b64encode(signer.public).decode()
        assert public_key(f"{signer.id} {text}") == public_key(text) == {signer.id: signer.public}

    @pytest.mark.parametrize("text", ["", "x", "AAAA", "ä"])
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(Invalid, match="no public key"):
            public_key(text)


def _other_keys(house: House):
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    return house.settings.keys.model_copy(update={"signing": SecretStr(key)})
