"""The privacy officer's pages: who did what, in plain words, and who looked in from outside."""

import re
from collections.abc import Callable, Iterator

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.audit.rows import rows_of
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


def visit(doctor: httpx.Client, key: str) -> None:
    """The patient is here."""
    stay = {"status": "in-progress", "class": {"code": "AMB"}, "period": {"start": "2020-01-01"}}
    made(doctor, {"resourceType": "Encounter", "subject": {"reference": f"Patient/{key}"}} | stay)


@pytest.fixture
def home(live: House) -> str:
    return f"{live.url}/h/{HOA_SEN}/privacy"


@pytest.fixture
def person(live: House, doctor: httpx.Client, seal: Seal) -> str:
    """A patient whose chart the doctor has opened, and at whose door another hospital's doctor has knocked."""
    made_up: str = made(doctor, patient(name=[{"family": mark()}]))["id"]
    visit(doctor, made_up)
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

    def test_a_patient_stands_there_by_name_and_is_found_by_number(
        self, home: str, officer: httpx.Client, doctor: httpx.Client, seal: Seal
    ) -> None:
        number = mark()
        named = patient(name=[{"text": "Đoàn Thị Sổ"}], birthDate="1971-05-06", identifier=[{"value": number}])
        key = made(doctor, named)["id"]
        seal()
        found = rows(officer.post(home, data={"patient": number}))
        assert found
        assert all("Đoàn Thị Sổ · 1971" in row[5] for row in found)
        assert rows(officer.post(home, data={"patient": key})) == found

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

    def test_it_goes_on_page_by_page_to_the_oldest(
        self, home: str, officer: httpx.Client, doctor: httpx.Client, person: str, seal: Seal,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        monkeypatch.setattr("emr.privacy.pages._REPORT", 5)
        for _ in range(7):
            doctor.get(f"/Patient/{person}").raise_for_status()
        seal()
        whole: list[list[str]] = []
        page = officer.get(f"{home}/patients/{person}")
        while more := re.search(r'href="[^"]*(\?before=\d+)"', page.text):
            assert len(rows(page)) == 5
            whole += rows(page)
            page = officer.get(f"{home}/patients/{person}{more[1]}")
        whole += rows(page)
        assert len(whole) >= 10
        assert whole[-1][3].startswith("ghi mới")
        assert "Đây là trang cuối" in page.text

    @pytest.mark.parametrize("before", ["x", "-1", "1e3", "9" * 30])
    def test_a_page_that_is_none_shows_no_rows_of_another(
        self, home: str, officer: httpx.Client, person: str, before: str
    ) -> None:
        answer = officer.get(f"{home}/patients/{person}?before={before}")
        assert answer.status_code in (200, 400, 422)
        if before == "-1":
            assert rows(answer) == []

    def test_the_officer_is_told_who_it_is_and_opens_no_chart(
        self, live: House, home: str, officer: httpx.Client, doctor: httpx.Client, seal: Seal
    ) -> None:
        key = made(doctor, patient(name=[{"text": "Đoàn Thị Báo"}], birthDate="1971-05-06"))["id"]
        seal()
        page = officer.get(f"{home}/patients/{key}")
        assert "Đoàn Thị Báo" in page.text
        assert "06/05/1971" in page.text
        rows_now = rows_of(live, page.headers["x-request-id"])
        assert [row["action"] for row in rows_now] == ["audit.patient-reported"]
        assert rows_now[0]["touched"] == []

    def test_an_officer_whose_role_sees_no_patient_gets_the_id_and_no_name(
        self, live: House, home: str, doctor: httpx.Client, seal: Seal
    ) -> None:
        key = made(doctor, patient(name=[{"text": "Đoàn Thị Báo"}], birthDate="1971-05-06"))["id"]
        seal()
        own = "WHERE role = 'admin' AND tenant_id = %s"
        live.sql(f"UPDATE directory.memberships SET duties = '{{privacy}}' {own}", live.tenants[HOA_SEN].id)
        try:
            with live.client("admin") as client:
                page = client.get(f"{home}/patients/{key}")
        finally:
            live.sql(f"UPDATE directory.memberships SET duties = '{{}}' {own}", live.tenants[HOA_SEN].id)
        (row,) = rows(page)
        assert (row[2], row[3].startswith("ghi mới qua phần mềm")) == ("Bác sĩ", True)
        assert key in page.text
        assert "Đoàn" not in page.text
        assert "1971" not in page.text

    def test_a_patient_that_is_not_here(self, home: str, officer: httpx.Client) -> None:
        assert officer.get(f"{home}/patients/nobody").status_code == 404


class TestHints:
    def test_a_look_without_a_visit_and_from_the_same_address_is_marked(
        self, live: House, home: str, officer: httpx.Client, doctor: httpx.Client, seal: Seal
    ) -> None:
        place = [{"line": [f"Số 12, hẻm {mark()}"], "district": "Quận 3", "city": "TP. Hồ Chí Minh"}]
        key = made(doctor, patient(name=[{"text": "Vũ Thị Gần"}], address=place))["id"]
        other = made(doctor, patient(name=[{"text": "Vũ Thị Xa"}]))["id"]
        visit(doctor, other)
        own = live.sql(
            "SELECT practitioner FROM directory.memberships WHERE role = 'doctor' AND tenant_id = %s"
            " AND practitioner IS NOT NULL LIMIT 1", live.tenants[HOA_SEN].id,
        )[0][0]  # fmt: skip
        body = {"resourceType": "Practitioner", "id": own, "address": place}
        assert doctor.put(f"/Practitioner/{own}", json=body).status_code in (200, 201)
        for each in (key, other):
            doctor.get(f"/Patient/{each}").raise_for_status()
        seal()
        near, far = (officer.get(f"{home}/patients/{each}") for each in (key, other))
        assert "không có lượt khám nào quanh lúc đó" in near.text
        assert "cùng địa chỉ với người bệnh" in near.text
        assert "không có lượt khám" not in far.text
        assert "cùng địa chỉ" not in far.text


class TestWatchers:
    def test_another_hospitals_knock_is_seen_with_the_name(self, home: str, officer: httpx.Client, person: str) -> None:
        knocks = [row for row in rows(officer.get(f"{home}/watchers")) if "bị từ chối" in row[3]]
        assert knocks
        assert all("người ngoài bệnh viện" in row[3] and row[1] != "Người không đăng nhập" for row in knocks)

    def test_a_refusal_says_for_what_reason(
        self, live: House, home: str, officer: httpx.Client, doctor: httpx.Client, person: str, seal: Seal
    ) -> None:
        with live.client("cashier") as cashier:
            assert cashier.get(f"{live.fhir(HOA_SEN)}/Observation").status_code == 403
        assert doctor.get(f"{live.fhir(HOA_SEN)}/Patient/{mark()}").status_code == 404
        seal()
        found = {(row[2], row[4]) for row in rows(officer.post(home, data={"kind": "refused"}))}
        assert {
            ("Thu ngân", "vai trò không được xem loại hồ sơ này"),
            ("Bác sĩ", "không có, hoặc không được thấy"),
            ("", "không thuộc bệnh viện này"),
        } <= found

    def test_a_member_is_no_watcher(self, home: str, officer: httpx.Client, person: str) -> None:
        window = rows(officer.get(f"{home}/watchers"))
        assert not any("mở bệnh án" in row[3] and row[2] == "Bác sĩ" for row in window if len(row) == 6)


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
                expect(page.get_by_role("link", name="Nhật ký", exact=True)).to_be_visible()
                expect(page.get_by_role("link", name="Đèn ranh giới")).to_be_visible()
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                assert Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"] == []
            assert opened.troubles == []
