"""The `emr` command as a person and as a machine use it."""

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from emr.cli import app
from emr.tenancy.pilot_part import pilot_of
from tests.fhir.samples import mark
from tests.fleet.world import FILE, Folder, emr, environment
from tests.house import ROOT, House, facility_code

_PILOT = "SELECT definition->'pilot' FROM directory.tenants WHERE slug = %s"


def in_process(folder: Folder, command: str) -> Result:
    """`emr tenants plan | apply` without the start of a process."""
    words = ["tenants", command, str(folder.path), "--json"]
    return CliRunner().invoke(app, words, env=environment(folder.settings))


def joined(folder: Folder, command: str, slug: str) -> list[dict[str, Any]]:
    """What it says of one hospital."""
    done = in_process(folder, command)
    assert done.exit_code == 0, done.stderr
    return [each for each in json.loads(done.stdout) if each["hospital"] == slug]


class TestTenants:
    def test_plan_apply_and_plan_again(self, folder: Folder) -> None:
        slug = f"moi-{mark()[:8]}"
        folder.write(slug, code=facility_code(slug))
        for command, expected in (("plan", ["create"]), ("apply", ["create"]), ("plan", []), ("apply", [])):
            done = emr(folder.house, "tenants", command, folder.path, "--json")
            assert done.returncode == 0, done.stderr
            assert [each["difference"] for each in json.loads(done.stdout) if each["hospital"] == slug] == expected

    def test_a_pilot_comes_changes_and_ends_by_the_file(self, folder: Folder) -> None:
        """The hospital is asked again each time, as the service reads it."""
        slug = f"thi-{mark()[:8]}"
        text = FILE.format(slug=slug, code=facility_code(slug))
        noi, cdha = f"{slug}-noi", f"{slug}-cdha"
        two = f"pilot:\n  departments: {{{noi}: Khoa Nội, {cdha}: Khoa Ảnh}}\n  chart: [{noi}]\n  imaging: [{cdha}]\n"
        one = f"pilot:\n  departments: {{{noi}: Khoa Nội}}\n  chart: [{noi}]\n"
        folder.write(slug, text)
        assert joined(folder, "apply", slug)[0]["error"] == ""
        for part, fields, features in (
            (two, {"chart", "departments", "imaging"}, {"chart": {noi}, "imaging": {cdha}}),
            (one, {"departments", "imaging"}, {"chart": {noi}}),
            ("", {"departments", "chart"}, None),
        ):
            folder.write(slug, text + part)
            [told] = joined(folder, "plan", slug)
            assert told["difference"] == "change"
            named = [each["field"].split(".") for each in told["fields"]]
            assert {name[0] for name in named} == {"pilot"}
            assert {name[1] for name in named if len(name) > 1} >= fields
            assert [each["error"] for each in joined(folder, "apply", slug)] == [""]
            assert joined(folder, "plan", slug) == []
            pilot = pilot_of(folder.house.sql(_PILOT, slug)[0][0])
            assert (dict(pilot.features) if pilot else None) == features

    def test_a_pilot_that_does_not_agree_with_itself_changes_nothing(self, folder: Folder) -> None:
        slug = f"thi-{mark()[:8]}"
        text = FILE.format(slug=slug, code=facility_code(slug))
        folder.write(slug, text + "pilot:\n  departments: {noi: Khoa Nội}\n  chart: [ngoai]\n")
        done = in_process(folder, "apply")
        assert (done.exit_code, "names ngoai, which is not" in done.stderr) == (2, True)
        assert folder.house.sql(_PILOT, slug) == []

    def test_a_broken_file_is_named_and_changes_nothing(self, folder: Folder) -> None:
        folder.change("hoa-sen", "tier: shared", "tier: golden")
        before = folder.house.sql("SELECT * FROM directory.tenants ORDER BY slug")
        for command in ("plan", "apply"):
            done = emr(folder.house, "tenants", command, folder.path)
            assert done.returncode == 2
            assert "hoa-sen.yaml:" in done.stderr
            assert "tier" in done.stderr
            assert "Traceback" not in done.stderr
        assert folder.house.sql("SELECT * FROM directory.tenants ORDER BY slug") == before

    def test_list_and_show_for_machines(self, standing: House) -> None:
        rows = json.loads(emr(standing, "tenants", "list", "--json").stdout)
        assert {"hoa-sen", "cau-vong"} <= {row["slug"] for row in rows}
        shown = json.loads(emr(standing, "tenants", "show", "hoa-sen", "--json").stdout)
        assert shown["definition"]["name"] == "Bệnh viện Hoa Sen"
        assert "index_key" not in shown
        assert emr(standing, "tenants", "show", "nowhere").returncode == 1

    def test_for_people_it_prints_tables(self, standing: House) -> None:
        done = emr(standing, "tenants", "list", COLUMNS="200")
        assert done.returncode == 0
        assert "Bệnh viện Hoa Sen" in done.stdout

    def test_values_and_schema(self, standing: House) -> None:
        values = json.loads(emr(standing, "tenants", "values").stdout)["hospitals"]
        assert set(values) == {"hoa-sen", "cau-vong"}
        schema = json.loads(emr(standing, "tenants", "schema").stdout)
        assert schema == json.loads((ROOT / "tenants" / "schema.json").read_text("utf-8"))


class TestImport:
    def test_reports_for_machines_and_fails_when_a_file_is_refused(self, standing: House, tmp_path: Path) -> None:
        slug = f"cli-{mark()[:8]}"
        standing.new_hospital(slug)
        good, bad = tmp_path / "good.ndjson", tmp_path / "bad.json"
        good.write_text('{"resourceType":"Patient","id":"a"}\n{"resourceType":"Patient","id":"b"}\n', "utf-8")
        done = emr(standing, "import", "--tenant", slug, "--json", good)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["stored"] == 2
        bad.write_text('{"resourceType":"Bundle","type":"transaction","entry":[{}]}', "utf-8")
        done = emr(standing, "import", "--tenant", slug, "--json", good, bad)
        report = json.loads(done.stdout)
        assert (done.returncode, report["stored"], report["known"]) == (1, 0, 1)
        assert [each["file"] for each in report["refused"]] == ["bad.json"]

    def test_an_unknown_hospital_or_file(self, standing: House, tmp_path: Path) -> None:
        for slug, path in (("nowhere", ROOT / "README.md"), ("hoa-sen", tmp_path / "missing.json")):
            done = emr(standing, "import", "--tenant", slug, path)
            assert done.returncode == 2
            assert "Traceback" not in done.stderr


class TestStart:
    def test_refuses_a_login_that_is_too_powerful(self, standing: House) -> None:
        for role in ("postgres", "emr_owner"):
            url = standing.cluster.url(role=role, database="emr")
            done = emr(standing, "serve", EMR_DATABASE__URL=url)
            assert done.returncode == 2
            assert "refuses this database login" in done.stderr
            assert url not in done.stderr

    def test_refuses_weak_secrets_and_names_the_setting(self, standing: House) -> None:
        for value in ("", "AAAA", "A" * 43 + "="):
            done = emr(standing, "serve", EMR_KEYS__SIGNING=value)
            assert done.returncode == 2
            assert "EMR_KEYS__SIGNING" in done.stderr

    def test_refuses_a_demos_folder_in_production(self, standing: House) -> None:
        done = emr(
            standing, "serve", EMR_PROFILE="production", EMR_HTTP__BASE_URL="https://emr.example",
            EMR_IDENTITY__ISSUER="https://id.example",
        )  # fmt: skip
        assert done.returncode == 2
        assert "EMR_STORAGE__FOLDER" in done.stderr
