"""The way of all hospitals to going live, and what the department writes to a hospital's checklist."""

from collections.abc import Iterator
from datetime import date, timedelta

import httpx
import pytest

from emr.kernel.tenant import Tenant
from emr.tenancy.golive import DEPARTMENT, HOSPITAL, template
from tests.console.conftest import rows_of
from tests.house import HOA_SEN, House
from tests.identity.providers import Browser

HTML = {"Accept": "text/html"}
OURS, THEIRS = "announcement-live", "team-decision"
LONG_AGO = date(2026, 1, 5)


@pytest.fixture
def late(live: House, hospital: Tenant) -> Iterator[Tenant]:
    """A hospital with a point of its own that is overdue, and with one that is done."""
    for item, state, due in ((THEIRS, "doing", LONG_AGO), ("team-owners", "done", None)):
        live.sql(
            "INSERT INTO directory.golive_items (tenant_id, item, state, owner, due, changed_by, changed_by_name)"
            " VALUES (%s, %s, %s, 'Trưởng ban', %s, 'x', 'Thử')", hospital.id, item, state, due,
        )  # fmt: skip
    yield hospital
    live.sql("DELETE FROM directory.golive_items WHERE tenant_id = %s", hospital.id)


def send(live: House, who: Browser, hospital: Tenant, code: str, **fields: str) -> httpx.Response:
    page = who.get(f"{live.url}/ops/proposals", headers=HTML).text
    csrf = page.partition('name="_csrf" value="')[2].partition('"')[0]
    address = f"{live.url}/ops/golive/{hospital.slug}/{code}"
    return who.post(address, data=fields | {"_csrf": csrf}, headers=HTML)


def kept(live: House, hospital: Tenant, code: str) -> list[tuple[object, ...]]:
    query = "SELECT state, owner, due, note FROM directory.golive_items WHERE tenant_id = %s AND item = %s"
    return live.sql(query, hospital.id, code)


class TestTemplate:
    def test_says_whose_task_each_point_is(self) -> None:
        whose = {point.code: point.by for group in template() for point in group.points}
        assert set(whose.values()) == {HOSPITAL, DEPARTMENT}
        assert (whose[OURS], whose[THEIRS], whose["acceptance-restore"]) == (DEPARTMENT, HOSPITAL, DEPARTMENT)


class TestCity:
    def test_shows_milestones_and_what_is_late(self, live: House, auditor: Browser, late: Tenant) -> None:
        page = auditor.get(f"{live.url}/ops/golive?q={late.slug}", headers=HTML).text
        row = page.partition("<tbody>")[2].partition("</tbody>")[0]
        assert row.count("<tr") == 1
        assert "Quyết định lập ban triển khai" in row
        assert "05/01/2026 · Trưởng ban" in row
        assert "1/3" in row
        assert rows_of(live, "golive.city-shown")

    @pytest.mark.parametrize(
        ("asked", "there"),
        [
            ("late=yes", 1), ("late=no", 0), ("stage=team", 1), ("stage=pilot", 0), ("stage=none", 0),
            ("state=trial", 1), ("state=live", 0),
        ],
    )  # fmt: skip
    def test_filters(self, live: House, auditor: Browser, late: Tenant, asked: str, there: int) -> None:
        found = auditor.get(f"{live.url}/ops/api/golive?q={late.slug}&{asked}").json()
        assert [each["slug"] for each in found] == [late.slug] * there

    def test_sorts_by_what_is_late_and_by_a_milestone(self, live: House, auditor: Browser, late: Tenant) -> None:
        for asked, last in (("-late", False), ("late", True), ("-team", False), ("team", True)):
            slugs = [each["slug"] for each in auditor.get(f"{live.url}/ops/api/golive?sort={asked}").json()]
            assert (slugs.index(late.slug) > slugs.index(HOA_SEN)) == last, asked

    @pytest.mark.parametrize("given", ["x=1", "sort=size", "stage=nowhere", "late=perhaps", "state=closed"])
    def test_an_unknown_parameter_or_value_is_named(self, live: House, operator: Browser, given: str) -> None:
        answer = operator.get(f"{live.url}/ops/api/golive?{given}")
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, given.partition("=")[0])

    def test_a_hospital_for_training_is_not_on_its_way(self, live: House, operator: Browser, late: Tenant) -> None:
        live.sql("UPDATE directory.tenants SET definition = definition || '{\"sandbox\": true}' WHERE id = %s", late.id)
        assert operator.get(f"{live.url}/ops/golive/{late.slug}").status_code == 404
        assert operator.get(f"{live.url}/ops/api/golive?q={late.slug}").json() == []


class TestHospital:
    def test_its_checklist_says_whose_and_who_and_when(self, live: House, auditor: Browser, late: Tenant) -> None:
        page = auditor.get(f"{live.url}/ops/golive/{late.slug}", headers=HTML).text
        assert "Trưởng ban" in page
        assert "quá hạn" in page
        told = auditor.get(f"{live.url}/ops/api/golive/{late.slug}").json()
        [point] = [each for each in told["points"] if each["code"] == THEIRS]
        assert (point["by"], point["state"], point["due"], point["late"]) == (HOSPITAL, "doing", "2026-01-05", True)
        assert told["milestones"]["team"] == {"settled": 1, "total": 3, "late": 1}
        assert len(told["points"]) == 37

    def test_what_is_not_there(self, live: House, operator: Browser, hospital: Tenant) -> None:
        for path in ("nowhere", f"{hospital.slug}/nothing", f"nowhere/{OURS}"):
            assert operator.get(f"{live.url}/ops/golive/{path}").status_code == 404


class TestWrite:
    def test_an_auditor_reads_and_changes_nothing(self, live: House, auditor: Browser, hospital: Tenant) -> None:
        page = auditor.get(f"{live.url}/ops/golive/{hospital.slug}/{OURS}", headers=HTML)
        assert (page.status_code, 'method="post" action="/ops/golive' in page.text) == (200, False)
        assert send(live, auditor, hospital, OURS, state="done").status_code == 403
        assert kept(live, hospital, OURS) == []

    def test_what_is_the_hospitals_own_is_read_and_not_changed(
        self, live: House, operator: Browser, late: Tenant
    ) -> None:
        page = operator.get(f"{live.url}/ops/golive/{late.slug}/{THEIRS}", headers=HTML).text
        assert "người quản trị ở đó sửa" in page
        before = kept(live, late, THEIRS)
        assert send(live, operator, late, THEIRS, state="done").status_code == 403
        assert kept(live, late, THEIRS) == before

    @pytest.mark.parametrize(
        ("field", "fields"),
        [("state", {"state": "perhaps"}), ("note", {"state": "not-needed"}), ("due", {"state": "done", "due": "mai"})],
    )
    def test_refuses_by_field(
        self, live: House, operator: Browser, hospital: Tenant, field: str, fields: dict[str, str]
    ) -> None:
        answer = send(live, operator, hospital, OURS, **fields)
        assert (answer.status_code, f"#f-{field}" in answer.text) == (422, True)
        assert kept(live, hospital, OURS) == []

    def test_the_departments_task_is_kept_and_the_hospital_sees_it(
        self, live: House, operator: Browser, hospital: Tenant
    ) -> None:
        due = date.today() + timedelta(days=30)  # noqa: DTZ011 - any day to come
        answer = send(
            live, operator, hospital, OURS, state="doing", owner="Tổ vận hành", due=due.strftime("%d/%m/%Y"), note="Chờ"
        )
        assert (answer.status_code, answer.headers["location"]) == (303, f"/ops/golive/{hospital.slug}")
        assert kept(live, hospital, OURS) == [("doing", "Tổ vận hành", due, "Chờ")]
        row = rows_of(live, "golive.changed-by-department")[-1]["detail"]
        assert row == {"hospital": hospital.slug, "point": OURS, "before": "open", "after": "doing"}

    def test_by_token_too_and_never_by_a_session(self, live: House, operator: Browser, hospital: Tenant) -> None:
        here = f"{live.url}/ops/api/golive/{hospital.slug}"
        assert operator.post(f"{here}/{OURS}", json={"state": "done"}).status_code == 403
        with live.client("ops", "city") as client:
            wrong = client.post(f"{here}/{OURS}", json={"state": "done", "due": "31/12/2026"})
            assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "due")
            unsound = client.post(f"{here}/{OURS}", json={"state": "perhaps"})
            assert (unsound.status_code, unsound.json()["errors"][0]["pointer"]) == (422, "state")
            assert client.post(f"{here}/{THEIRS}", json={"state": "done"}).json()["code"] == "golive-hospitals-own"
            assert kept(live, hospital, OURS) == []
            done = client.post(f"{here}/{OURS}", json={"state": "done", "due": "2026-12-31"})
            assert (done.status_code, done.json()["state"], done.json()["late"]) == (200, "done", False)


PDF = b"%PDF-1.7\n% made up\n"


def bring(
    live: House, who: Browser, hospital: Tenant, code: str, content: bytes = PDF, title: str = "Biên bản"
) -> httpx.Response:
    page = who.get(f"{live.url}/ops/golive/{hospital.slug}/{OURS}", headers=HTML).text
    csrf = page.partition('name="_csrf" value="')[2].partition('"')[0]
    files = {"file": ("biên bản.pdf", content, "application/pdf")}
    address = f"{live.url}/ops/golive/{hospital.slug}/{code}/evidence"
    return who.post(address, data={"title": title, "_csrf": csrf}, files=files, headers=HTML)


def post(
    client: httpx.Client, live: House, hospital: Tenant, code: str, content: bytes = PDF, **fields: str
) -> httpx.Response:
    """As a machine sends it."""
    address = f"{live.url}/ops/api/golive/{hospital.slug}/{code}/evidence"
    return client.post(address, data=fields, files={"file": ("bien-ban.pdf", content, "application/pdf")})


@pytest.fixture
def clean(live: House, hospital: Tenant) -> Iterator[Tenant]:
    """A hospital whose checklist nobody has touched."""
    yield hospital
    live.sql("DELETE FROM directory.golive_items WHERE tenant_id = %s", hospital.id)


class TestEvidence:
    def test_an_auditor_adds_none_and_the_refusal_is_a_row(self, live: House, auditor: Browser, clean: Tenant) -> None:
        before = live.refusals(None)
        assert bring(live, auditor, clean, OURS).status_code == 403
        assert kept(live, clean, OURS) == []
        assert live.refusals(None) == before + 1

    def test_none_at_a_point_of_the_hospitals(self, live: House, operator: Browser, clean: Tenant) -> None:
        assert bring(live, operator, clean, THEIRS).status_code == 403
        assert kept(live, clean, THEIRS) == []

    def test_none_without_the_token_of_the_form(self, live: House, operator: Browser, clean: Tenant) -> None:
        files = {"file": ("a.pdf", PDF, "application/pdf")}
        address = f"{live.url}/ops/golive/{clean.slug}/{OURS}/evidence"
        assert operator.post(address, data={"title": "x"}, files=files, headers=HTML).status_code == 403
        assert kept(live, clean, OURS) == []

    @pytest.mark.parametrize(
        ("content", "title", "field"),
        [
            (b"<script>alert(1)</script>", "x", "file"),
            (b"", "x", "file"),
            (PDF, "", "title"),
            (PDF, "x" * 121, "title"),
        ],
        ids=["other-kind", "empty", "no-title", "long-title"],
    )
    def test_refuses_by_field_and_stores_nothing(
        self, live: House, operator: Browser, clean: Tenant, content: bytes, title: str, field: str
    ) -> None:
        before = office_objects(live)
        answer = bring(live, operator, clean, OURS, content, title)
        assert (answer.status_code, f"#f-{field}" in answer.text) == (422, True)
        assert (kept(live, clean, OURS), office_objects(live)) == ([], before)

    def test_refuses_more_than_ten_megabytes_before_reading_them(
        self, live: House, operator: Browser, clean: Tenant
    ) -> None:
        assert bring(live, operator, clean, OURS, PDF + bytes(11 << 20)).status_code == 413
        assert kept(live, clean, OURS) == []

    def test_lies_sealed_in_the_departments_own_store_and_is_handed_out_to_it_and_to_the_hospital(
        self, live: House, operator: Browser, auditor: Browser, clean: Tenant
    ) -> None:
        before, theirs = office_objects(live), live.objects(HOA_SEN)
        hospital = live.tenants[HOA_SEN]
        try:
            answer = bring(live, operator, hospital, OURS, title="Quyết định vận hành")
            assert answer.status_code == 303
            [(held,)] = [office_objects(live) - before]
            assert PDF not in (live.folder / "objects" / "directory" / held).read_bytes()
            assert live.objects(HOA_SEN) == theirs
            for who in (operator, auditor):
                got = who.get(f"{live.url}/ops/golive/{HOA_SEN}/{OURS}/evidence/1")
                assert (got.status_code, got.content) == (200, PDF)
                assert got.headers["content-disposition"].startswith("attachment")
                assert who.get(f"{live.url}/ops/golive/{HOA_SEN}/{OURS}/evidence/2").status_code == 404
            told = auditor.get(f"{live.url}/ops/api/golive/{HOA_SEN}").json()["points"]
            [point] = [each for each in told if each["code"] == OURS]
            assert (point["evidence"][0]["title"], point["evidence"][0]["of"]) == ("Quyết định vận hành", DEPARTMENT)
            with live.client("admin", headers=HTML) as admin:
                at = f"{live.url}/h/{HOA_SEN}/admin/golive/{OURS}"
                assert "Quyết định vận hành" in admin.get(at).text
                assert admin.get(f"{at}/evidence/1").content == PDF
            row = rows_of(live, "golive.evidence-added-by-department")[-1]["detail"]
            assert {"hospital": HOA_SEN, "point": OURS, "size": len(PDF)}.items() <= row.items()  # type: ignore[union-attr]
            assert rows_of(live, "golive.evidence-read-by-department")
        finally:
            live.sql("DELETE FROM directory.golive_items WHERE tenant_id = %s", hospital.id)

    def test_by_token_it_is_kept_checked_and_told_as_on_the_page(
        self, live: House, auditor: Browser, clean: Tenant
    ) -> None:
        before = office_objects(live)
        with live.client("ops", "city") as client:
            done = post(client, live, clean, OURS, PDF, title=" Biên bản ")
        assert done.status_code == 201, done.text
        [file] = done.json()["evidence"]
        assert (file["title"], file["type"], file["size"], file["of"]) == (
            "Biên bản", "application/pdf", len(PDF), DEPARTMENT,
        )  # fmt: skip
        assert len(office_objects(live) - before) == 1
        assert auditor.get(f"{live.url}/ops/api/golive/{clean.slug}/{OURS}/evidence/1").content == PDF
        row = rows_of(live, "golive.evidence-added-by-department")[-1]["detail"]
        assert {"hospital": clean.slug, "point": OURS, "size": len(PDF)}.items() <= row.items()  # type: ignore[union-attr]

    def test_by_token_alone_and_who_may(self, live: House, operator: Browser, auditor: Browser, clean: Tenant) -> None:
        before = live.refusals(None)
        address = f"{live.url}/ops/api/golive/{clean.slug}/{OURS}/evidence"
        files = {"file": ("a.pdf", PDF, "application/pdf")}
        told = [who.post(address, data={"title": "x"}, files=files) for who in (auditor, operator)]
        assert [(each.status_code, each.json()["code"]) for each in told] == [
            (403, "role-may-not"), (403, "bearer-needed"),
        ]  # fmt: skip
        with live.client("doctor") as doctor:
            assert doctor.post(address, data={"title": "x"}, files=files).status_code == 403
        assert httpx.post(address, data={"title": "x"}, files=files).status_code == 401
        assert kept(live, clean, OURS) == []
        assert live.refusals(None) >= before + 3

    @pytest.mark.parametrize(
        ("content", "fields", "refused"),
        [
            (b"<script>alert(1)</script>", {"title": "x"}, (422, "evidence-kind", "file")),
            (b"", {"title": "x"}, (400, "key-missing", "file")),
            (PDF, {}, (400, "key-missing", "title")),
            (PDF, {"title": " "}, (422, "evidence-title", "title")),
            (PDF, {"title": "x" * 121}, (422, "evidence-title", "title")),
            (PDF, {"title": "x", "state": "done"}, (400, "key-unknown", "state")),
        ],
        ids=["other-kind", "empty", "no-title", "blank-title", "long-title", "unknown-field"],
    )
    def test_by_token_it_refuses_by_field_and_rule_and_stores_nothing(
        self, live: House, clean: Tenant, content: bytes, fields: dict[str, str], refused: tuple[int, str, str]
    ) -> None:
        before = office_objects(live)
        with live.client("ops", "city") as client:
            answer = post(client, live, clean, OURS, content, **fields)
        said = answer.json()
        assert (answer.status_code, said["code"], said["errors"][0]["pointer"]) == refused
        assert (kept(live, clean, OURS), office_objects(live)) == ([], before)

    def test_by_token_none_at_a_point_of_the_hospitals_none_too_large_and_none_as_json(
        self, live: House, clean: Tenant
    ) -> None:
        before = office_objects(live)
        with live.client("ops", "city") as client:
            assert post(client, live, clean, THEIRS, title="x").json()["code"] == "golive-hospitals-own"
            assert post(client, live, clean, OURS, PDF + bytes(11 << 20), title="x").status_code == 413
            address = f"{live.url}/ops/api/golive/{clean.slug}/{OURS}/evidence"
            said = client.post(address, json={"title": "x"}).json()
        assert {each["pointer"] for each in said["errors"]} == {"title", "file"}
        assert (kept(live, clean, OURS), kept(live, clean, THEIRS), office_objects(live)) == ([], [], before)

    def test_what_a_hospital_has_kept_is_named_and_not_opened(
        self, live: House, operator: Browser, clean: Tenant
    ) -> None:
        hospital = live.tenants[HOA_SEN]
        try:
            with live.client("admin", headers=HTML) as admin:
                files = {"file": ("a.pdf", PDF, "application/pdf")}
                for code in (OURS, THEIRS):
                    at = f"{live.url}/h/{HOA_SEN}/admin/golive/{code}/evidence"
                    assert admin.post(at, data={"title": "Của bệnh viện"}, files=files).status_code == 303
            for code in (OURS, THEIRS):
                page = operator.get(f"{live.url}/ops/golive/{HOA_SEN}/{code}", headers=HTML).text
                assert "Của bệnh viện" in page
                assert "/evidence/1" not in page
                for prefix in ("/ops/golive", "/ops/api/golive"):
                    answer = operator.get(f"{live.url}{prefix}/{HOA_SEN}/{code}/evidence/1")
                    assert (answer.status_code, PDF in answer.content) == (404, False)
        finally:
            live.sql("DELETE FROM directory.golive_items WHERE tenant_id = %s", hospital.id)


def office_objects(live: House) -> set[str]:
    """What lies under the directory's prefix."""
    folder = live.folder / "objects" / "directory"
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
