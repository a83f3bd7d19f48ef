"""The exit package's pages: who may ask, with what confirmation, who may fetch it, and that they are sound."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe

from emr.identity.principal import system_principal
from emr.records.bulk import jobs
from emr.work.runtime import runtime
from emr.work.unit import unit_of_work
from tests.administration.visitors import entered
from tests.house import CAU_VONG, HOA_SEN, House, in_a_loop
from tests.identity.providers import Browser
from tests.servers.chromium import DESK, PHONE, chromium, sign_in, tab

CONTENT = b"PK" + bytes(range(256)) * 40
CSRF = re.compile(r'name="_csrf" value="([^"]+)"')
HTML = {"Accept": "text/html"}


@pytest.fixture(autouse=True)
def untouched(live: House) -> Iterator[None]:
    yield
    schema = live.tenants[CAU_VONG].schema
    live.sql(f"DELETE FROM {schema}.bulk_jobs WHERE kind = 'exit'")
    live.sql(f"DELETE FROM {schema}.blobs WHERE media_type = 'application/zip'")


def url(live: House, path: str = "", slug: str = CAU_VONG) -> str:
    return f"{live.url}/h/{slug}/admin/package{path}"


def jobs_of(live: House) -> list[tuple]:
    return live.sql(f"SELECT id, state FROM {live.tenants[CAU_VONG].schema}.bulk_jobs WHERE kind = 'exit'")


def finished(live: House) -> str:
    """The address of a package that is whole; its content is as good as any."""

    async def make() -> None:
        parts, tenant = runtime(live.settings), live.tenants[CAU_VONG]
        await parts.open()
        async with unit_of_work(parts, tenant, system_principal("test", tenant_id=tenant.id)) as work:
            files = []
            for part in (CONTENT[:1000], CONTENT[1000:]):
                blob = await work.blobs.put(
                    chunks(part), media_type="application/zip", limit=1 << 20, retention_class="bulk"
                )
                files.append(jobs.File("package", "zip", blob.key, 0, blob.size))
            await jobs.add(work, jobs.NewJob("exit", "done", "test", {}, files), most_open=9)
        await parts.close()

    async def chunks(part: bytes):  # type: ignore[no-untyped-def]
        yield part

    in_a_loop(make)
    schema = live.tenants[CAU_VONG].schema
    live.sql(
        f"UPDATE {schema}.bulk_jobs SET finished_at = now(), progress = %s::jsonb WHERE kind = 'exit'",
        '{"step": "packing", "package": "' + "ab" * 32 + '"}',
    )
    page = entered(live, f"admin@{CAU_VONG}", CAU_VONG).get(url(live), headers=HTML).text
    return live.url + re.findall(r'href="([^"]+\.zip)"', page)[0]


@pytest.fixture
def admin(live: House) -> Browser:
    return entered(live, f"admin@{CAU_VONG}", CAU_VONG)


def post(browser: Browser, live: House, path: str, **fields: str) -> httpx.Response:
    found = CSRF.search(browser.get(url(live, "/new"), headers=HTML).text)
    assert found is not None
    return browser.post(url(live, path), data=fields | {"_csrf": found[1]}, headers=HTML)


class TestMay:
    def test_nobody_unknown(self, live: House) -> None:
        with httpx.Client(trust_env=False) as client:
            assert client.get(url(live), headers=HTML).status_code == 303
            assert client.post(url(live, "/new"), headers={"Accept": "application/json"}).status_code == 401

    @pytest.mark.parametrize("who", [f"doctor@{CAU_VONG}", f"admin@{HOA_SEN}"], ids=["doctor", "neighbour"])
    def test_no_doctor_and_no_administrator_of_another_hospital(self, live: House, who: str) -> None:
        address, other = finished(live), entered(live, who, who.partition("@")[2])
        for path in ("", "/new"):
            assert other.get(url(live, path), headers=HTML).status_code == 403
        answer = other.get(address, headers=HTML)
        assert (answer.status_code, b"PK" in answer.content) == (403, False)

    def test_no_operator_of_the_department(self, live: House) -> None:
        """The console offers it no more than this: whoever operates the fleet sees no patient."""
        address, ops = finished(live), entered(live, "ops@city", to="/ops/")
        answer = ops.get(address, headers=HTML)
        assert (answer.status_code, b"PK" in answer.content) == (403, False)
        assert "/admin/package" not in ops.get(f"{live.url}/ops/hospitals/{CAU_VONG}", headers=HTML).text


class TestAsk:
    @pytest.mark.parametrize(
        ("form", "field"),
        [({"name": "Trung tâm Y tế Cầu Vồng"}, "sure"), ({"sure": "yes"}, "name"), ({"sure": "yes", "name": "x"}, "name")],
        ids=["not-ticked", "not-named", "misnamed"],
    )  # fmt: skip
    def test_needs_both_confirmations(self, live: House, admin: Browser, form: dict[str, str], field: str) -> None:
        answer = post(admin, live, "/new", **form)
        assert answer.status_code == 422
        assert f'href="#f-{field}"' in answer.text
        assert jobs_of(live) == []

    def test_is_a_job_of_the_workers_and_can_be_taken_back(self, live: House, admin: Browser) -> None:
        name = live.tenants[CAU_VONG].name
        assert post(admin, live, "/new", sure="yes", name=name).status_code == 303
        [(job, state)] = jobs_of(live)
        assert state == "waiting"
        assert "Đang làm gói" in admin.get(url(live), headers=HTML).text
        assert post(admin, live, "/new", sure="yes", name=name).status_code == 409
        assert post(admin, live, f"/{job}/remove").status_code == 303
        assert jobs_of(live) == [(job, "ending")]
        assert "Đang làm gói" not in admin.get(url(live), headers=HTML).text


class TestFetch:
    def test_is_the_whole_file_or_a_range_of_it(self, live: House, admin: Browser) -> None:
        address = finished(live)
        answer = admin.get(address, headers=HTML)
        assert (answer.status_code, answer.content) == (200, CONTENT)
        assert answer.headers["content-disposition"].startswith(f'attachment; filename="{CAU_VONG}-')
        assert answer.headers["cache-control"] == "private, no-store"
        part = admin.get(address, headers=HTML | {"Range": "bytes=990-1009"})
        assert (part.status_code, part.content) == (206, CONTENT[990:1010])

    def test_asks_who_has_not_just_signed_in_to_do_so(self, live: House, admin: Browser) -> None:
        address = finished(live)
        live.sql("UPDATE directory.sessions SET authenticated_at = now() - interval '6 minutes'")
        answer = admin.get(address, headers=HTML)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/auth/step-up?ask=again&to=")

    def test_is_over_with_its_time(self, live: House, admin: Browser) -> None:
        address = finished(live)
        schema = live.tenants[CAU_VONG].schema
        live.sql(f"UPDATE {schema}.bulk_jobs SET finished_at = now() - interval '25 hours' WHERE kind = 'exit'")
        assert admin.get(address, headers=HTML).status_code == 410
        assert ".zip" not in admin.get(url(live), headers=HTML).text


@pytest.mark.server
def test_its_pages_are_sound(live: House, tmp_path: Path) -> None:
    with chromium() as browser, tab(browser) as here:
        sign_in(here.page, live.url, slug=CAU_VONG, role="admin")

        def look(name: str, path: str = "") -> None:
            here.page.goto(url(live, path))
            for form, size in (("desk", DESK), ("phone", PHONE)):
                here.page.set_viewport_size(size)
                here.page.screenshot(path=tmp_path / f"{name}-{form}.png")
                found = Axe().run(here.page)
                assert found.violations_count == 0, found.generate_report()
                assert here.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

        look("none")
        look("question", "/new")
        here.page.get_by_label("Gõ lại tên bệnh viện").fill(live.tenants[CAU_VONG].name)
        here.page.get_by_label("Tôi chắc chắn").check()
        here.page.get_by_role("button", name="Yêu cầu gói").click()
        here.page.get_by_role("button", name="Dừng và bỏ gói này").wait_for()
        look("under-way")
        here.page.get_by_role("button", name="Dừng và bỏ gói này").click()
        here.page.get_by_role("link", name="Yêu cầu một gói").wait_for()
        finished(live)
        look("ready")
        assert here.troubles == []
