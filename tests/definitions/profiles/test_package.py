"""FHIR packages as files."""

import gzip
import io
import tarfile

import pytest

from emr.definitions.profiles.package import UNPACKED_MOST, id_of, read_package
from emr.kernel.errors import Invalid, Malformed, TooLarge
from tests.definitions.profiles import core


class TestReadPackage:
    def test_definitions_are_found_and_the_rest_is_left_out(self) -> None:
        files = {"a.json": core.PATIENT, "b.json": core.patient(), "other/c.json": core.CODES, "../d.json": core.CODES}
        files["e.json"] = {"resourceType": {"no": "text"}, "url": "https://example.vn/e"}
        package = read_package(core.package(files=files))
        assert (package.name, package.version) == ("vn.example.core", "1.0.0")
        assert [each["url"] for each in package.resources] == [core.url("patient")]

    def test_a_definition_keeps_its_id_from_version_to_version(self) -> None:
        assert id_of("https://example.vn/a") == id_of("https://example.vn/a") != id_of("https://example.vn/b")
        assert len(id_of("x")) <= 64

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"x",
            gzip.compress(b"x"),
            gzip.compress(b"x" * 2_000),
            core.package()[:100],
            core.package(files={"a.json": "x"}),
        ],
    )
    def test_what_is_none_is_refused(self, content: bytes) -> None:
        with pytest.raises(Malformed):
            read_package(content)

    def test_one_for_another_version_of_fhir_is_refused(self) -> None:
        about = {"name": "x", "version": "1", "fhirVersions": ["5.0.0"]}
        with pytest.raises(Malformed, match="R4"):
            read_package(core.package(files={"package.json": about}))

    def test_a_bomb_is_refused_early(self) -> None:
        with pytest.raises(TooLarge):
            read_package(gzip.compress(bytes(UNPACKED_MOST + 1), compresslevel=1))

    def test_a_link_is_not_followed(self) -> None:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            entry = tarfile.TarInfo("package/package.json")
            entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(entry)
        with pytest.raises(Invalid):
            read_package(buffer.getvalue())
