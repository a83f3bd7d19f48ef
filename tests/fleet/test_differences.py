"""What plan shows, both ways, and what files may not say of what is another hospital's."""

import psycopg
import pytest

from emr.fleet.applying import apply
from emr.fleet.differences import DOES, Difference, plan
from emr.fleet.files import FilesBroken
from emr.fleet.joining_steps import STEPS
from tests.fhir.samples import mark
from tests.fleet.test_onboarding import nobody
from tests.fleet.world import FILE, Folder
from tests.house import facility_code


def planned(folder: Folder, slug: str) -> list[Difference]:
    return [each for each in plan(folder.settings) if each.slug == slug]


def faults(folder: Folder) -> list[tuple[str, int, str, str]]:
    with pytest.raises(FilesBroken) as caught:
        plan(folder.settings)
    with pytest.raises(FilesBroken):
        apply(folder.settings, nobody)
    return [(each.file, each.line, each.field, each.rule) for each in caught.value.faults]


@pytest.fixture
def slug(folder: Folder) -> str:
    """A hospital that stands as its file says."""
    made = f"plan-{mark()[:8]}"
    folder.write(made, FILE.format(slug=made, code=facility_code(made)).replace(
        "[outpatient]", f"[outpatient]\ndicom: {{ae_title: {made[5:].upper()}}}\nquotas: {{users: 150}}"
    ).replace(f"organization: {made}", f"organization: {made}, domains: [{made}.example]"))  # fmt: skip
    apply(folder.settings, nobody)
    assert planned(folder, made) == []
    return made


def schema_of(folder: Folder, slug: str) -> str:
    found: str = folder.house.sql("SELECT schema FROM directory.tenants WHERE slug = %s", slug)[0][0]
    return found


class TestFields:
    @pytest.mark.parametrize(
        ("old", "new", "field", "change"),
        [
            ("{users: 150}", "{users: 200}", "quotas.users", (150, 200)),
            ("Bệnh viện Thử", "Bệnh viện Khác", "name", ("Bệnh viện Thử", "Bệnh viện Khác")),
        ],
    )
    def test_are_named_with_what_stands_and_what_is_wanted(
        self, folder: Folder, slug: str, old: str, new: str, field: str, change: tuple[object, object]
    ) -> None:
        folder.change(slug, old, new)
        [difference] = planned(folder, slug)
        assert (difference.kind, difference.fields) == ("change", {field: change})
        assert [each.error for each in apply(folder.settings, nobody) if each.slug == slug] == [None]
        assert planned(folder, slug) == []

    def test_another_ae_title_is_a_change(self, folder: Folder, slug: str) -> None:
        folder.change(slug, f"ae_title: {slug[5:].upper()}", f"ae_title: X{slug[5:].upper()}")
        [difference] = planned(folder, slug)
        assert difference.fields == {"dicom.ae_title": (slug[5:].upper(), f"X{slug[5:].upper()}")}

    def test_one_that_a_definition_was_written_before_is_none(self, folder: Folder, slug: str) -> None:
        folder.house.sql("UPDATE directory.tenants SET definition = definition - 'sessions' WHERE slug = %s", slug)
        assert planned(folder, slug) == []


class TestRights:
    def test_one_that_is_missing_is_shown_and_given_back(self, folder: Folder, slug: str) -> None:
        schema = schema_of(folder, slug)
        folder.house.sql(f"REVOKE UPDATE ON {schema}.resources FROM {schema}")
        folder.house.sql(f"REVOKE emr_hospital FROM {schema}")
        folder.house.sql(f"REVOKE {schema}_seen FROM emr_app")
        [difference] = planned(folder, slug)
        assert difference.kind == "rights"
        assert set(difference.fields) == {
            "UPDATE on resources", "membership in emr_hospital", "membership of emr_app of those who see part",
        }  # fmt: skip
        assert [(each.kind, each.error) for each in apply(folder.settings, nobody) if each.slug == slug] == [
            ("rights", None)
        ]
        assert planned(folder, slug) == []

    def test_a_role_that_is_gone_is_made_again(self, folder: Folder, slug: str) -> None:
        schema = schema_of(folder, slug)
        with psycopg.connect(folder.house.cluster.url(database="emr"), autocommit=True) as connection:
            connection.execute(f"DROP OWNED BY {schema}_seen")
            connection.execute(f"DROP ROLE {schema}_seen")
        [difference] = planned(folder, slug)
        assert "role of those who see part" in difference.fields
        apply(folder.settings, nobody)
        assert planned(folder, slug) == []


class TestWhatApplyLeavesAlone:
    def test_a_hospital_without_its_tables_or_its_key(self, folder: Folder, slug: str) -> None:
        """Nothing is made up in place of what was lost, and it is told with what is to be done."""
        schema = schema_of(folder, slug)
        kept = folder.house.sql(
            "SELECT tenant_id, key_id, wrapped, wrapping_key_id FROM directory.keys WHERE tenant_id ="
            " (SELECT id FROM directory.tenants WHERE slug = %s)", slug,
        )  # fmt: skip
        folder.house.sql(f"ALTER SCHEMA {schema} RENAME TO hidden_{schema}")
        folder.house.sql("DELETE FROM directory.keys WHERE tenant_id = %s", kept[0][0])
        try:
            assert [each.kind for each in planned(folder, slug)] == ["tables", "key"]
            outcomes = [each for each in apply(folder.settings, nobody) if each.slug == slug]
            assert [each.kind for each in outcomes] == ["tables", "key"]
            assert all(each.error and "backup" in each.after for each in outcomes)
        finally:
            folder.house.sql(f"ALTER SCHEMA hidden_{schema} RENAME TO {schema}")
            folder.house.sql(
                "INSERT INTO directory.keys (tenant_id, key_id, wrapped, wrapping_key_id) VALUES (%s, %s, %s, %s)",
                *kept[0],
            )
        assert planned(folder, slug) == []

    def test_every_kind_says_what_apply_would_do(self) -> None:
        assert {kind for kind, does in DOES.items() if not does.startswith("nothing")} == {*STEPS, "create"} - {"make"}


class TestTaken:
    """Each is refused with its file, line, field and rule, and nothing is changed."""

    @pytest.mark.parametrize(
        ("old", "new", "line", "field", "rule"),
        [
            ("{organization: moi}", "{organization: SLUG}", 6, "identity.organization", "is already that of SLUG"),
            ("[outpatient]", "[outpatient]\ndicom: {ae_title: TITLE}", 6, "dicom.ae_title", "is already that of SLUG"),
            ("{organization: moi}", "\n  organization: moi\n  domains: [a.example, SLUG.example]", 8, "identity.domains.1",
             "SLUG.example is already that of SLUG"),
            ('"12345"', '"CODE"', 3, "facility_code", "is already that of SLUG"),
        ],
    )  # fmt: skip
    def test_what_a_hospital_in_no_file_has(
        self, folder: Folder, slug: str, old: str, new: str, line: int, field: str, rule: str
    ) -> None:
        (folder.path / f"{slug}.yaml").unlink()
        code = folder.house.sql("SELECT definition->>'facility_code' FROM directory.tenants WHERE slug = %s", slug)
        words = {"SLUG": slug, "TITLE": slug[5:].upper(), "CODE": code[0][0]}
        text = FILE.format(slug="moi", code="12345").replace(old, new)
        for word, value in words.items():
            text, rule = text.replace(word, value), rule.replace(word, value)
        folder.write("moi", text)
        before = folder.house.sql("SELECT slug, definition FROM directory.tenants ORDER BY slug")
        [(file, found_line, found_field, found_rule)] = faults(folder)
        assert (file, found_line, found_field) == ("moi.yaml", line, field)
        assert rule in found_rule
        assert folder.house.sql("SELECT slug, definition FROM directory.tenants ORDER BY slug") == before

    def test_a_slug(self, folder: Folder, slug: str) -> None:
        folder.write(slug, FILE.format(slug=slug, code="00001"))
        [(file, line, field, rule)] = faults(folder)
        assert (file, line, field) == (f"{slug}.yaml", 1, "slug")
        assert f"{slug} is that of Bệnh viện Thử" in rule

    def test_a_hospital_of_the_console(self, folder: Folder, slug: str) -> None:
        folder.house.sql("UPDATE directory.tenants SET managed_by = 'console' WHERE slug = %s", slug)
        [(file, line, field, rule)] = faults(folder)
        assert (file, line, field) == (f"{slug}.yaml", 1, "slug")
        assert "managed by console" in rule

    def test_a_hospital_goes_on_saying_what_it_has(self, folder: Folder, slug: str) -> None:
        """Two that share a domain from before do not stop each other's files."""
        folder.house.sql(
            "UPDATE directory.tenants SET definition = jsonb_set(definition, '{identity,domains}', %s) WHERE slug = %s",
            '["hoa-sen.example"]', slug,
        )  # fmt: skip
        folder.change(slug, f"{slug}.example", "hoa-sen.example")
        (folder.path / "hoa-sen.yaml").unlink()
        assert planned(folder, slug) == []


@pytest.mark.parametrize("word", ["admin", "ops", "default", "api"])
def test_a_reserved_word_is_no_slug(folder: Folder, word: str) -> None:
    folder.write(word, FILE.format(slug=word, code="12345"))
    [(file, line, field, rule)] = faults(folder)
    assert (file, line, field) == (f"{word}.yaml", 1, "slug")
    assert "reserved word" in rule


def test_a_second_file_under_another_ending_is_refused(folder: Folder) -> None:
    folder.path.joinpath("hoa-sen.yml").write_text("slug: hoa-sen\n", "utf-8")
    [(file, _, _, rule)] = faults(folder)
    assert file == "hoa-sen.yml"
    assert "hoa-sen.yaml" in rule


def test_two_files_with_one_domain_are_refused(folder: Folder) -> None:
    folder.write("moi", FILE.format(slug="moi", code="12345").replace(
        "organization: moi", "organization: moi, domains: [hoa-sen.example]"))  # fmt: skip
    [(file, line, field, rule)] = faults(folder)
    assert (file, line, field) == ("moi.yaml", 6, "identity.domains.0")
    assert "hoa-sen.yaml" in rule
