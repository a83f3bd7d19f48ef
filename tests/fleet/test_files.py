"""Hospitals' files: each fault names file, line, field and rule, and then nothing at all is read."""

from pathlib import Path

import pytest

from emr.fleet.files import FileFault, FilesBroken, read_hospitals
from tests.fleet.world import FILE, Folder

GOOD = FILE.format(slug="moi", code="12345")


def faults(path: Path) -> list[tuple[str, int, str, str]]:
    with pytest.raises(FilesBroken) as caught:
        read_hospitals(path)
    return [(each.file, each.line, each.field, each.rule) for each in caught.value.faults]


class TestRead:
    def test_both_of_the_repository_are_good(self, folder: Folder) -> None:
        assert [each.slug for each in read_hospitals(folder.path)] == ["cau-vong", "hoa-sen"]

    @pytest.mark.parametrize(
        ("old", "new", "line", "field", "rule"),
        [
            ('"12345"', "12345", 3, "facility_code", "valid string"), ('"12345"', '"1234"', 3, "facility_code", "pattern"),
            ("slug: moi", "slug: Moi", 1, "slug", "pattern"), ("slug: moi", "slug: khac", 1, "slug", "must be moi"),
            ("features:", "wards: []\nfeatures:", 5, "wards", "there is no such field"), ('province: "79"\n', "", 1, "province", "is required"),
            ("[outpatient]", "[outpatient, surgery]", 5, "features.1", "outpatient"),
            ("[outpatient]", "[outpatient]\ntime_zone: Asia/Nowhere", 6, "time_zone", "time zone"),
            ("[outpatient]", "[outpatient]\nquotas:\n  users: -1", 7, "quotas.users", "greater than or equal to 0"),
            ("[outpatient]", "[outpatient]\nquotas:\n  users: many", 7, "quotas.users", "valid integer"),
            ("[outpatient]", "[outpatient]\nretention: {default_years: 5}", 6, "retention.default_years", "greater"),
            ("[outpatient]", "[outpatient]\ngo_live: {state: suspended}", 6, "go_live.state", "trial"),
            ("[outpatient]", "[outpatient]\ndicom:\n  ae_title: X\n  peers:\n    - {ae_title: Y, cidr: 10.0.0.0/99}", 9,
             "dicom.peers.0.cidr", "10.0.0.0/99"),
            ("[outpatient]", "[outpatient]\npilot:\n  departments: {noi: Khoa Nội}\n  chart: [ngoai]", 6, "pilot", "names ngoai, which is not"),
            ("[outpatient]", "[outpatient]\nmanaged_by: nobody", 6, "managed_by", "file"),
        ],
    )  # fmt: skip
    def test_a_broken_rule_is_named_with_its_line(
        self, folder: Folder, old: str, new: str, line: int, field: str, rule: str
    ) -> None:
        folder.write("moi", GOOD.replace(old, new))
        [(file, found_line, found_field, found_rule)] = faults(folder.path)
        assert (file, found_line, found_field) == ("moi.yaml", line, field)
        assert rule in found_rule

    @pytest.mark.parametrize(
        ("text", "line", "rule"),
        [
            ("slug: [", 1, "is not YAML"), ("slug: a\nslug: b\n", 2, "is not YAML"), ("- slug\n", 1, "not a mapping"),
            ("", 1, "not a mapping"), ("slug: \x07\n", 1, "is not YAML"), ("[" * 3000, 1, "nested too deeply"),
            ("a: &a [x, x]\nb: &b [*a, *a]\n", 2, "alias"), ("x" * 70_000, 1, "64 KiB"),
            ("slug: a\nname: !!python/name:os.system\n", 2, "tag"), ("slug: a\n---\nslug: b\n", 2, "more than one document"),
            ("? [slug]\n: a\n", 1, "a word"),
        ],
    )  # fmt: skip
    def test_what_is_no_such_file(self, folder: Folder, text: str, line: int, rule: str) -> None:
        folder.path.joinpath("moi.yaml").write_text(text, "utf-8")
        [(file, found_line, _, found_rule)] = faults(folder.path)
        assert file == "moi.yaml"
        assert found_line == line
        assert rule in found_rule

    def test_bytes_that_are_no_text(self, folder: Folder) -> None:
        folder.path.joinpath("moi.yaml").write_bytes(b"slug: \xc3\x28")
        assert faults(folder.path) == [("moi.yaml", 1, "", "is not UTF-8")]

    def test_an_empty_folder(self, tmp_path: Path) -> None:
        assert "no hospital's file" in faults(tmp_path)[0][3]

    def test_all_faults_of_all_files_are_told_at_once(self, folder: Folder) -> None:
        folder.write("moi", GOOD.replace('"12345"', '"x"').replace("province", "provinz"))
        folder.change("hoa-sen", "tier: shared", "tier: golden")
        found = faults(folder.path)
        assert {(file, field) for file, _, field, _ in found} == {
            ("hoa-sen.yaml", "tier"), ("moi.yaml", "facility_code"), ("moi.yaml", "province"), ("moi.yaml", "provinz"),
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("old", "new", "field"),
        [
            ('"12345"', '"79999"', "facility_code"),
            ("{organization: moi}", "{organization: hoa-sen}", "identity.organization"),
            ("[outpatient]", "[outpatient]\ndicom: {ae_title: HOASEN}", "dicom.ae_title"),
        ],
    )
    def test_what_two_hospitals_may_not_share(self, folder: Folder, old: str, new: str, field: str) -> None:
        folder.write("moi", GOOD.replace(old, new))
        [(file, _, found, rule)] = faults(folder.path)
        assert (file, found) == ("moi.yaml", field)
        assert "hoa-sen.yaml" in rule

    def test_a_fault_reads_like_a_compilers(self) -> None:
        assert str(FileFault("a.yaml", 3, "tier", "is wrong")) == "a.yaml:3: tier: is wrong"
