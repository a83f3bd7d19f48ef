"""What protects a form, over HTTP: who may send it, from where, how often, and into whose record."""

from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import Browser

from emr.kernel.ids import uuid7
from tests.house import CAU_VONG, HOA_SEN, House
from tests.servers.chromium import Tab, tab

pytestmark = pytest.mark.server
VITALS = {"pulse": "77", "when": ""}


@pytest.fixture
def nurse(live: House) -> Iterator[httpx.Client]:
    """nurse@hoa-sen with a bearer token, which needs no CSRF token."""
    headers = {"Authorization": f"Bearer {live.token('nurse')}"}
    with httpx.Client(base_url=f"{live.url}/h/{HOA_SEN}", headers=headers, timeout=30, trust_env=False) as client:
        yield client


def pulses(live: House, patient: str) -> int:
    with live.client() as client:
        page = client.get("/Observation", params={"patient": patient, "code": "8867-4", "_summary": "count"})
    return int(page.json()["total"])


class TestCsrf:
    def test_a_form_without_the_sessions_token_is_refused(
        self, live: House, browser: Browser, hoa_id: str, sessions: Callable[[str], object]
    ) -> None:
        before = pulses(live, hoa_id)
        with tab(browser, storage_state=sessions("doctor")) as one:
            for token in ("", "wrong"):
                answer = one.context.request.post(
                    f"{live.url}/h/{HOA_SEN}/patients/{hoa_id}/vitals/new",
                    form={**VITALS, "_key": uuid7(), "_csrf": token},
                )
                assert answer.status == 403
        assert pulses(live, hoa_id) == before

    def test_a_preference_that_another_site_asks_for_is_refused(self, live: House) -> None:
        headers = {"Origin": "https://elsewhere.example"}
        assert httpx.post(f"{live.url}/preferences", data={"theme": "dark"}, headers=headers).status_code == 403


class TestIdempotency:
    def test_a_form_that_arrives_twice_is_stored_once(self, live: House, nurse: httpx.Client, hoa_id: str) -> None:
        before = pulses(live, hoa_id)
        form = {**VITALS, "_key": uuid7()}
        answers = [nurse.post(f"/patients/{hoa_id}/vitals/new", data=form) for _ in range(3)]
        assert {answer.status_code for answer in answers} == {303}
        assert {answer.headers["location"] for answer in answers} == {f"/h/{HOA_SEN}/patients/{hoa_id}"}
        assert pulses(live, hoa_id) == before + 1

    def test_the_same_key_with_other_content_is_shown_again_and_not_lost(
        self, nurse: httpx.Client, hoa_id: str
    ) -> None:
        key = uuid7()
        nurse.post(f"/patients/{hoa_id}/vitals/new", data={"pulse": "77", "_key": key})
        answer = nurse.post(f"/patients/{hoa_id}/vitals/new", data={"pulse": "88", "_key": key})
        assert answer.status_code == 422
        assert "Lần gửi trước đã được lưu" in answer.text
        assert 'value="88"' in answer.text

    def test_a_form_without_a_key_is_refused(self, nurse: httpx.Client, hoa_id: str) -> None:
        assert nurse.post(f"/patients/{hoa_id}/vitals/new", data=VITALS).status_code == 400


class TestRights:
    def test_nobody_known_is_sent_to_sign_in(self, live: House, hoa_id: str) -> None:
        page = f"{live.url}/h/{HOA_SEN}/patients/{hoa_id}"
        assert httpx.get(page, headers={"Accept": "text/html"}).headers["location"].startswith("/auth/sign-in?to=")

    def test_a_nurse_may_not_add_a_problem(self, nurse: httpx.Client, hoa_id: str) -> None:
        assert nurse.post(f"/patients/{hoa_id}/problems/new", data={"code": "I10", "_key": uuid7()}).status_code == 403

    @pytest.mark.parametrize(
        "path", ["", "/results", "/encounters", "/vitals/new", "/notes/new", "/documents", "/images"]
    )
    def test_a_patient_of_nobody_is_not_found(self, nurse: httpx.Client, path: str) -> None:
        assert nurse.get(f"/patients/{uuid7()}{path}").status_code == 404

    def test_a_patient_of_another_hospital_is_as_unknown_as_nobody(self, live: House, hoa_id: str) -> None:
        headers = {"Authorization": f"Bearer {live.token('nurse', CAU_VONG)}"}
        with httpx.Client(base_url=f"{live.url}/h/{CAU_VONG}", headers=headers, timeout=30, trust_env=False) as client:
            assert client.get(f"/patients/{hoa_id}").status_code == 404
            assert client.post(f"/patients/{hoa_id}/vitals/new", data={**VITALS, "_key": uuid7()}).status_code == 404

    def test_an_encounter_or_note_is_not_shown_under_another_patient(
        self, live: House, nurse: httpx.Client, hoa_id: str
    ) -> None:
        with live.client() as client:
            other = client.post("/Patient", json={"resourceType": "Patient", "name": [{"text": "Lê Văn Khác"}]}).json()[
                "id"
            ]
        for kind in ("encounters", "notes"):
            found = nurse.get(f"/patients/{hoa_id}/encounters").text.split("/encounters/")[1].split('"')[0]
            assert nurse.get(f"/patients/{other}/{kind}/{found}").status_code == 404

    def test_the_desk_finds_people_and_sees_no_chart(self, live: House, hoa_id: str) -> None:
        headers = {"Authorization": f"Bearer {live.token('reception')}"}
        with httpx.Client(base_url=f"{live.url}/h/{HOA_SEN}", headers=headers, timeout=30, trust_env=False) as client:
            assert "NGUYỄN THỊ HOA" in client.post("/find", data={"text": "hoa nguyen 1959"}).text
            assert client.get(f"/patients/{hoa_id}").status_code == 403


class TestAudit:
    def test_looking_at_a_chart_leaves_a_row(self, live: House, nurse: httpx.Client, hoa_id: str) -> None:
        nurse.get(f"/patients/{hoa_id}")
        rows = live.sql("SELECT row FROM cell.audit_journal WHERE row LIKE %s", f"%chart.read%{hoa_id}%")
        schema = live.tenants[HOA_SEN].schema
        sealed = live.sql(f"SELECT row FROM {schema}.audit_events WHERE row LIKE %s", f"%chart.read%{hoa_id}%")
        assert rows + sealed


class TestNoScript:
    def test_a_problem_is_found_and_stored_without_script(
        self, live: House, browser: Browser, chart: str, sessions: Callable[[str], object]
    ) -> None:
        with tab(browser, storage_state=sessions("doctor"), java_script_enabled=False) as one:
            page = one.page
            page.goto(f"{chart}/problems/new")
            page.locator("#f-find").fill("loang xuong")
            page.get_by_role("button", name="Tìm").click()
            page.get_by_role("radio", name="M81.9").check()
            page.get_by_role("button", name="Lưu vấn đề").click()
            page.wait_for_url(chart)
            assert "M81.9" in page.content()


def test_a_hostile_name_is_text_and_nothing_else(live: House, desk: Tab) -> None:
    name = "<script>alert(1)</script><b onclick=x>Đậm</b>"
    with live.client() as client:
        made = client.post("/Patient", json={"resourceType": "Patient", "name": [{"text": name}]}).json()["id"]
    desk.page.goto(f"{live.url}/h/{HOA_SEN}/patients/{made}")
    assert desk.page.get_by_role("heading", level=1).inner_text() == name.upper()
