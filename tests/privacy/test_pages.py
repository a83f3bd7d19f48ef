"""The privacy officer's pages: who did what, in plain words, and who looked in from outside."""

import re
from collections.abc import Callable, Iterator

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.fhir.samples import made, mark, patient
from tests.house import CAU_VONG, HOA_SEN, House
from tests.servers.chromium import DESK, PHONE, chromium, sign_in, tab

Seal = Callable[[], None]


def rows(page: httpx.Response) -> list[list[str]]:
    """The cells of the table, as text."""
    assert page.status_code == 200, page.text[:500]
    found = re.findall(r"<tr>(.*?)</tr>", page.text, re.DOTALL)
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", each, re.DOTALL) for each in found]
    return [[" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in each] for each in cells if each]


@pytest.fixture
def home(live: House) -> str:
    return f"{live.url}/h/{HOA_SEN}/privacy"


@pytest.fixture
def person(live: House, doctor: httpx.Client, seal: Seal) -> str:
    """A patient whose chart the doctor has opened, and at whose door another hospital's doctor has knocked."""
    made_up: str = made(doctor, patient(name=[{"family": mark()}]))["id"]
    doctor.get(f"{live.url}/h/{HOA_SEN}/patients/{made_up}").raise_for_status()
    with live.client("doctor", CAU_VONG) as neighbour:
        assert neighbour.get(f"{live.fhir(HOA_SEN)}/Patient/{made_up}").status_code == 403
    seal()
    return made_up


class TestWhoMay:
    @pytest.mark.parametrize("place", ["", "/watchers", "/patients/x"])
    def test_nobody_without_signing_in(self, home: str, place: str) -> None:
        with httpx.Client(trust_env=False) as nobody:
            assert nobody.get(home + place, headers={"Accept": "text/html"}).status_code == 303

    @pytest.mark.parametrize("role", ["doctor", "archivist", "admin"])
    def test_no_role_without_the_duty(self, live: House, home: str, person: str, role: str) -> None:
        with live.client(role) as client:
            for place in ("", "/watchers"):
                assert client.get(home + place).status_code == 403
            assert client.get(f"{home}/patients/{person}").status_code == 403


class TestSearch:
    def test_by_person_patient_and_kind(self, home: str, officer: httpx.Client, person: str) -> None:
        found = rows(officer.post(home, data={"patient": person}))
        assert {row[3] for row in found} >= {"mở bệnh án", "ghi mới qua phần mềm"}
        changed = rows(officer.post(home, data={"patient": person, "kind": "changed"}))
        assert {row[3] for row in changed} == {"ghi mới qua phần mềm"}
        doctor = changed[0][1]
        by_name = rows(officer.post(home, data={"patient": person, "who": doctor.lower()}))
        assert {row[1] for row in by_name} == {doctor}
        assert rows(officer.post(home, data={"patient": person, "who": "khong co ai ten nay"})) == []

    def test_by_days(self, home: str, officer: httpx.Client, person: str) -> None:
        assert rows(officer.post(home, data={"patient": person, "until": "21/11/2001"})) == []
        assert rows(officer.post(home, data={"patient": person, "since": "21/11/2001"}))

    @pytest.mark.parametrize("field", [{"since": "hôm qua"}, {"until": "11/2026"}, {"kind": "x"}])
    def test_what_is_not_understood_is_named(self, home: str, officer: httpx.Client, field: dict[str, str]) -> None:
        page = officer.post(home, data=field)
        assert page.status_code == 422
        assert f'id="a-{next(iter(field))}"' in page.text

    def test_it_goes_on_page_by_page(
        self, home: str, officer: httpx.Client, doctor: httpx.Client, person: str, seal: Seal
    ) -> None:
        for _ in range(60):
            doctor.get(f"/Patient/{person}").raise_for_status()
        seal()
        first = officer.post(home, data={})
        (before,) = re.findall(r'name="before" value="(\d+)"', first.text)
        second = officer.post(home, data={"before": before})
        assert rows(first)
        assert rows(second)
        assert rows(first) != rows(second)

    def test_what_was_searched_for_is_in_no_address(self, home: str, officer: httpx.Client, person: str) -> None:
        page = officer.post(home, data={"patient": person, "who": "Nguyễn"})
        assert "?" not in "".join(re.findall(r'(?:href|action)="([^"]*/privacy[^"]*)"', page.text))


class TestReport:
    def test_it_says_who_when_as_what_and_did_what(self, home: str, officer: httpx.Client, person: str) -> None:
        found = rows(officer.get(f"{home}/patients/{person}"))
        assert ["Bác sĩ", "mở bệnh án"] in [row[2:4] for row in found]

    def test_a_patient_that_is_not_here(self, home: str, officer: httpx.Client) -> None:
        assert officer.get(f"{home}/patients/nobody").status_code == 404


class TestWatchers:
    def test_another_hospitals_knock_is_seen_with_the_name(self, home: str, officer: httpx.Client, person: str) -> None:
        knocks = [row for row in rows(officer.get(f"{home}/watchers")) if "bị từ chối" in row[3]]
        assert knocks
        assert all("người ngoài bệnh viện" in row[3] and row[1] != "Người không đăng nhập" for row in knocks)

    def test_a_member_is_no_watcher(self, home: str, officer: httpx.Client, person: str) -> None:
        assert not any("mở bệnh án" in row[3] for row in rows(officer.get(f"{home}/watchers")))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.mark.server
class TestLooks:
    @pytest.mark.parametrize(("size", "width"), [(DESK, 1366), (PHONE, 390)], ids=["desk", "phone"])
    def test_no_barrier_and_nothing_sideways(
        self, live: House, browser: Browser, person: str, size: dict[str, int], width: int
    ) -> None:
        with tab(browser, size=size) as opened:
            page = opened.page
            sign_in(page, live.url, slug=HOA_SEN, role="privacy")
            for place in ("", "/watchers", f"/patients/{person}"):
                page.goto(f"{live.url}/h/{HOA_SEN}/privacy{place}")
                expect(page.get_by_role("table")).to_be_visible()
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                assert Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"] == []
            assert opened.troubles == []
