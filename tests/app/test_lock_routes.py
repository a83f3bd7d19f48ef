"""The lock over HTTP, with the whole application: who may not, other sites, addresses that lead elsewhere."""

from collections.abc import Iterator

import httpx
import pytest

from tests.house import CAU_VONG, HOA_SEN, House
from tests.identity.providers import Browser

PIN = "280719"
CROSS = [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}]


@pytest.fixture
def cashier(live: House) -> Iterator[Browser]:
    browser = Browser()
    page = browser.get(f"{live.url}/auth/sign-in", params={"to": f"/h/{HOA_SEN}/"}).headers["location"]
    fields = dict(httpx.QueryParams(page.split("?", 1)[1]))
    subject = live.sql("SELECT subject FROM directory.memberships WHERE role = 'cashier' AND name LIKE '%%'"
                       " AND tenant_id = (SELECT id FROM directory.tenants WHERE slug = %s)", HOA_SEN)[0][0]  # fmt: skip
    back = browser.post(f"{live.settings.identity.issuer}/authorize", data=fields | {"account": subject})
    assert browser.get(back.headers["location"]).status_code == 303
    yield browser
    browser.close()


def at(live: House, path: str, slug: str = HOA_SEN) -> str:
    return f"{live.url}/h/{slug}/me/{path}"


def token(browser: Browser, live: House) -> str:
    page = browser.get(at(live, "sessions"), headers={"accept": "text/html"})
    return page.text.split('name="_csrf" value="')[1].split('"')[0]


class TestLock:
    @pytest.mark.parametrize("path", ["lock", "unlock", "pin", "active", "sessions/others/end"])
    def test_nobody_may(self, live: House, path: str) -> None:
        assert httpx.post(at(live, path), trust_env=False).status_code == 401

    @pytest.mark.parametrize("path", ["lock", "unlock"])
    def test_a_member_of_another_hospital_has_nothing_here(self, live: House, cashier: Browser, path: str) -> None:
        answer = cashier.post(at(live, path, CAU_VONG))
        assert (answer.status_code, answer.json()["code"]) == (403, "not-a-member")

    @pytest.mark.parametrize("headers", CROSS, ids=["cross-site", "same-site", "origin"])
    @pytest.mark.parametrize("path", ["lock", "unlock", "pin", "sessions/others/end"])
    def test_another_site_may_not(self, live: House, cashier: Browser, path: str, headers: dict[str, str]) -> None:
        form = {"_csrf": token(cashier, live), "pin": PIN, "again": PIN}
        assert cashier.post(at(live, path), data=form, headers=headers).status_code == 403
        assert cashier.get(at(live, "sessions"), headers={"accept": "text/html"}).status_code == 200

    @pytest.mark.parametrize("path", ["lock", "unlock", "pin", "sessions/others/end"])
    def test_without_the_forms_token_nothing_happens(self, live: House, cashier: Browser, path: str) -> None:
        assert cashier.post(at(live, path), data={"pin": PIN, "again": PIN}).status_code == 403

    def test_locked_every_route_says_so_and_pages_lead_to_the_lock(self, live: House, cashier: Browser) -> None:
        assert cashier.post(at(live, "lock"), data={"_csrf": token(cashier, live)}).status_code == 303
        for path in ("fhir/Patient", "dicomweb/studies", "fhir/$export"):
            assert cashier.get(f"{live.url}/h/{HOA_SEN}/{path}").status_code == 401
        page = cashier.get(f"{live.url}/h/{HOA_SEN}/", headers={"accept": "text/html"})
        assert page.headers["location"] == f"/h/{HOA_SEN}/me/locked?to=/h/{HOA_SEN}/"
        assert cashier.post(at(live, "active")).status_code == 401
        assert cashier.post(at(live, "pin"), data={"pin": PIN, "again": PIN}).status_code == 401

    @pytest.mark.parametrize(
        "to", ["https://evil.example/", "//evil.example", f"/h/{CAU_VONG}/", f"/h/{HOA_SEN}/../../x", "/\\evil.example"]
    )
    def test_opening_leads_nowhere_else(self, live: House, cashier: Browser, to: str) -> None:
        csrf = token(cashier, live)
        made = cashier.post(at(live, "pin"), data={"_csrf": csrf, "pin": PIN, "again": PIN})
        assert made.status_code in (303, 422), made.text
        cashier.post(at(live, "lock"), data={"_csrf": csrf})
        answer = cashier.post(at(live, "unlock"), data={"_csrf": csrf, "pin": PIN, "to": to})
        assert answer.status_code == 303
        assert answer.headers["location"].startswith(f"/h/{HOA_SEN}/")
        assert ".." not in answer.headers["location"]

    def test_each_act_stands_in_the_hospitals_trail(self, live: House, cashier: Browser) -> None:
        csrf = token(cashier, live)
        cashier.post(at(live, "pin"), data={"_csrf": csrf, "pin": PIN, "again": PIN})
        cashier.post(at(live, "lock"), data={"_csrf": csrf})
        cashier.post(at(live, "unlock"), data={"_csrf": csrf, "pin": "111222", "to": ""})
        cashier.post(at(live, "unlock"), data={"_csrf": csrf, "pin": PIN, "to": ""})
        session = live.sql("SELECT id FROM directory.sessions ORDER BY created_at DESC LIMIT 1")[0][0]
        rows = live.sql("SELECT row FROM cell.audit_journal WHERE row LIKE %s", f"%{session}%")
        acts = {action for (row,) in rows for action in ("session.entered", "session.listed", "pin.set",
                "session.locked", "session.unlock-refused", "session.unlocked") if f'"{action}"' in row}  # fmt: skip
        assert acts >= {"session.entered", "session.locked", "session.unlock-refused", "session.unlocked"}
        assert not any(PIN in row or "111222" in row for (row,) in rows)
