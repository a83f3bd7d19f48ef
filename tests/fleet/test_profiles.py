"""`emr profiles add | list | remove`."""

import json
from pathlib import Path

from tests.definitions.profiles import core
from tests.fhir.samples import mark
from tests.fleet.world import emr
from tests.house import House


class TestCommand:
    def test_a_package_is_added_listed_and_removed(self, standing: House, tmp_path: Path) -> None:
        slug = f"pkg-{mark()[:8]}"
        standing.new_hospital(slug)
        file = tmp_path / "core.tgz"
        file.write_bytes(core.package())
        for _ in range(2):
            done = emr(standing, "profiles", "add", slug, file, "--json")
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)["resources"] == {"StructureDefinition": 3, "ValueSet": 1, "CodeSystem": 1}
        rows = json.loads(emr(standing, "profiles", "list", slug, "--json").stdout)
        assert {row["profile"] for row in rows} == {core.url("patient"), core.url("newborn"), core.ETHNIC}
        assert {row["package"] for row in rows} == {"vn.example.core#1.0.0"}
        assert {row["unchecked"] for row in rows} == {""}
        assert emr(standing, "profiles", "remove", slug, "vn.example.core").returncode == 0
        assert json.loads(emr(standing, "profiles", "list", slug, "--json").stdout) == []
        assert emr(standing, "profiles", "remove", slug, "vn.example.core").returncode == 2

    def test_a_package_with_a_definition_that_is_not_valid_brings_nothing(
        self, standing: House, tmp_path: Path
    ) -> None:
        slug = f"pkg-{mark()[:8]}"
        standing.new_hospital(slug)
        file = tmp_path / "broken.tgz"
        broken = {**core.PATIENT, "kind": "nonsense"}
        file.write_bytes(core.package(files={"a.json": core.CODES, "b.json": broken}))
        done = emr(standing, "profiles", "add", slug, file)
        assert done.returncode == 2
        assert f"StructureDefinition {core.url('patient')}: " in done.stderr
        assert "StructureDefinition.kind" in done.stderr
        schema = next(row[0] for row in standing.sql(f"SELECT schema FROM directory.tenants WHERE slug = '{slug}'"))
        assert standing.sql(f"SELECT count(*) FROM {schema}.resources")[0][0] == 0

    def test_what_is_no_package_is_refused(self, standing: House, tmp_path: Path) -> None:
        file = tmp_path / "x.tgz"
        file.write_bytes(b"no package")
        done = emr(standing, "profiles", "add", "hoa-sen", file)
        assert done.returncode == 2
        assert "not a gzipped tar" in done.stderr
        assert "Traceback" not in done.stderr
