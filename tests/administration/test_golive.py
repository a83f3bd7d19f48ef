"""A hospital's way to going live: who may write to it, what it refuses, what is kept of it."""

import json
from collections.abc import Iterator
from datetime import date

import httpx
import pytest

from emr.fleet.golive import overview
from emr.tenancy.golive import template
from emr.work.runtime import Runtime
from tests.house import CAU_VONG, HOA_SEN, House

PDF = b"%PDF-1.7\n% made up\n"
POINT = "team-decision"


@pytest.fixture(autouse=True)
def untouched(live: House) -> Iterator[None]:
    live.sql("DELETE FROM directory.golive_items")
    yield
    live.sql("DELETE FROM directory.golive_items")


@pytest.fixture
def admin(live: House) -> Iterator[httpx.Client]:
    with live.client("admin", headers={"Accept": "text/html"}) as client:
        yield client


def url(live: House, path: str = "", slug: str = HOA_SEN) -> str:
    return f"{live.url}/h/{slug}/admin/golive{path}"


class TestTemplate:
    def test_has_the_milestones_in_their_order(self) -> None:
        assert [group.code for group in template()] == [
            "team", "survey", "plan", "pilot", "assessment", "acceptance", "announcement",
        ]  # fmt: skip

    def test_no_two_points_have_one_code_and_all_are_in_both_languages(self) -> None:
        points = [point for group in template() for point in group.points]
        assert len({point.code for point in points}) == len(points) == 37
        assert all(point.vi and point.en for point in points)

    def test_asks_for_the_seventeen_requirements_and_the_articles(self) -> None:
        points = [point for group in template() for point in group.points]
        assert sum(point.basis.startswith("Công văn 365/TTYQG-GPQLCL") for point in points) == 18
        assert {"Thông tư 13/2025/TT-BYT, Điều 2", "Thông tư 13/2025/TT-BYT, Điều 6"} <= {each.basis for each in points}


class TestMay:
    def test_nobody_unknown(self, live: House) -> None:
        assert httpx.get(url(live), headers={"Accept": "application/json"}, trust_env=False).status_code == 401

    def test_no_doctor(self, live: House) -> None:
        with live.client("doctor") as client:
            assert client.get(url(live)).status_code == 403
            assert client.post(url(live, f"/{POINT}"), data={"state": "done"}).status_code == 403

    def test_no_administrator_of_another_hospital(self, live: House) -> None:
        with live.client("admin", CAU_VONG) as client:
            assert client.get(url(live)).status_code == 403
            assert client.post(url(live, f"/{POINT}"), data={"state": "done"}).status_code == 403
        assert live.sql("SELECT count(*) FROM directory.golive_items") == [(0,)]


class TestWrite:
    def test_state_owner_date_and_note_are_kept_and_shown(self, live: House, admin: httpx.Client) -> None:
        form = {"state": "doing", "owner": "BS Trưởng ban", "due": "31/12/2026", "note": "Chờ ký"}
        assert admin.post(url(live, f"/{POINT}"), data=form).status_code == 303
        [row] = live.sql("SELECT tenant_id, item, state, owner, due, note FROM directory.golive_items")
        assert row == (live.tenants[HOA_SEN].id, POINT, "doing", "BS Trưởng ban", date(2026, 12, 31), "Chờ ký")
        page = admin.get(url(live)).text
        assert "BS Trưởng ban" in page
        assert "31/12/2026" in page
        assert 'value="31/12/2026"' in admin.get(url(live, f"/{POINT}")).text

    @pytest.mark.parametrize(
        ("form", "field"),
        [
            ({"state": ""}, "state"), ({"state": "perhaps"}, "state"), ({"state": "not-needed"}, "note"),
            ({"state": "done", "due": "2026-12-31"}, "due"), ({"state": "done", "due": "31/02/2026"}, "due"),
            ({"state": "done", "owner": "x" * 121}, "owner"), ({"state": "done", "note": "x" * 2001}, "note"),
        ],
        ids=["empty", "unknown", "no-reason", "other-form", "no-such-day", "long-owner", "long-note"],
    )  # fmt: skip
    def test_refuses_by_field(self, live: House, admin: httpx.Client, form: dict[str, str], field: str) -> None:
        answer = admin.post(url(live, f"/{POINT}"), data=form)
        assert answer.status_code == 422
        assert f"#f-{field}" in answer.text
        assert live.sql("SELECT count(*) FROM directory.golive_items") == [(0,)]

    def test_an_unknown_point(self, live: House, admin: httpx.Client) -> None:
        assert admin.get(url(live, "/nothing")).status_code == 404
        assert admin.post(url(live, "/nothing"), data={"state": "done"}).status_code == 404


class TestEvidence:
    def test_is_kept_sealed_and_given_back_and_never_shown_in_place(self, live: House, admin: httpx.Client) -> None:
        files = {"file": ("quyết định.pdf", PDF, "application/pdf")}
        answer = admin.post(url(live, f"/{POINT}/evidence"), data={"title": "Quyết định 12"}, files=files)
        assert answer.status_code == 303, answer.text
        assert "Quyết định 12" in admin.get(url(live, f"/{POINT}")).text
        got = admin.get(url(live, f"/{POINT}/evidence/1"))
        assert (got.content, got.headers["content-type"]) == (PDF, "application/pdf")
        assert got.headers["content-disposition"].startswith("attachment")
        assert got.headers["x-content-type-options"] == "nosniff"
        assert admin.get(url(live, f"/{POINT}/evidence/2")).status_code == 404
        [(evidence,)] = live.sql("SELECT evidence FROM directory.golive_items")
        held = live.folder / "objects" / live.tenants[HOA_SEN].schema / evidence[0]["key"]
        assert PDF not in held.read_bytes()

    def test_is_a_pdf_or_a_picture_by_its_bytes(self, live: House, admin: httpx.Client) -> None:
        for content in (b"<script>alert(1)</script>", b"MZ\x90\x00", b""):
            files = {"file": ("a.pdf", content, "application/pdf")}
            answer = admin.post(url(live, f"/{POINT}/evidence"), data={"title": "x"}, files=files)
            assert answer.status_code == 422
        assert live.sql("SELECT count(*) FROM directory.golive_items") == [(0,)]

    def test_needs_a_title(self, live: House, admin: httpx.Client) -> None:
        files = {"file": ("a.pdf", PDF, "application/pdf")}
        answer = admin.post(url(live, f"/{POINT}/evidence"), data={"title": ""}, files=files)
        assert (answer.status_code, "#f-title" in answer.text) == (422, True)


class TestTrail:
    def test_each_change_is_a_row_of_the_hospital(self, live: House, admin: httpx.Client) -> None:
        admin.post(url(live, f"/{POINT}"), data={"state": "done"})
        schema = live.tenants[HOA_SEN].schema
        rows = live.sql(
            f"SELECT row FROM cell.audit_journal WHERE tenant = %s UNION ALL SELECT row FROM {schema}.audit_events",
            schema,
        )
        [row] = [each for each in map(json.loads, (row for (row,) in rows)) if each["action"] == "golive.changed"][-1:]
        assert row["detail"] == {"point": POINT, "before": "open", "after": "done"}


class TestOverview:
    @pytest.mark.anyio
    async def test_shows_every_hospital_and_the_overdue_first(self, live: House, parts: Runtime) -> None:
        for item, state, due in ((POINT, "doing", date(2026, 1, 1)), ("team-owners", "done", None)):
            live.sql(
                "INSERT INTO directory.golive_items (tenant_id, item, state, due, changed_by, changed_by_name)"
                " VALUES (%s, %s, %s, %s, 'x', 'Thử')", live.tenants[HOA_SEN].id, item, state, due,
            )  # fmt: skip
        tenants = [each for each in parts.registry.all() if each.slug in (HOA_SEN, CAU_VONG)]
        async with parts.databases.directory.connection() as directory:
            first, second = await overview(directory, tenants, date(2026, 11, 22))
        assert (first.slug, first.progress.settled, first.progress.total, first.progress.overdue) == (HOA_SEN, 1, 37, 1)
        assert first.progress.next_due == date(2026, 1, 1)
        assert first.progress.milestones["team"] == (1, 3)
        assert (first.progress.late, [each.point.code for each in first.late]) == ({"team": 1}, [POINT])
        assert (second.slug, second.progress.settled, second.progress.overdue) == (CAU_VONG, 0, 0)
