"""The department's console: shut to everybody of a hospital, and without a word of any patient for those it is open to."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.routing import Route

from emr.app import ROUTERS
from emr_demo.people import canary
from tests.administration.visitors import entered
from tests.house import CAU_VONG, HOA_SEN, House
from tests.identity.providers import Browser
from tests.isolation.conftest import Planted
from tests.isolation.test_routes import PRIVATE, ask, filled, ids_of, kind_of, told

ASKED = """
INSERT INTO directory.fleet_requests (id, kind, slug, detail, asked_by, asked_by_name, state)
SELECT 'asked-for-' || slug, 'onboard', slug, definition, 'x', 'x', 'done' FROM directory.tenants WHERE slug = ANY (%s)
"""
FIELDS = {"to": "read-only", "reason": "x", "vi": "x", "en": "x"}


def routes() -> list[tuple[str, str]]:
    """Method and path of every route of the console."""

    def walk(router: Any) -> Iterator[tuple[str, str]]:
        for route in router.routes:
            if isinstance(route, Route):
                yield from ((method, route.path) for method in sorted(set(route.methods or ()) - {"HEAD"}))
            elif inner := getattr(route, "original_router", None):
                prefix = route.include_context.prefix
                yield from ((method, prefix + path) for method, path in walk(inner))

    every = dict.fromkeys(each for router in ROUTERS for each in walk(router))
    return [each for each in every if each[1].startswith("/ops")]


ROUTES = routes()
NOWHERE = [("GET", "/ops/nowhere"), ("POST", "/ops/nowhere"), ("GET", "/ops/api/nowhere")]
assert len(ROUTES) >= 4, "routes are found"


def knock(client: httpx.Client, house: House, method: str, path: str) -> httpx.Response:
    api = path.startswith("/ops/api")
    options: dict[str, Any] = {"headers": {"Accept": "application/json" if api else "text/html"}}
    if method == "POST":
        options |= {"json": FIELDS} if api else {"data": FIELDS}
    return client.request(method, house.url + filled(path, HOA_SEN, {}), **options)


@pytest.fixture(scope="module")
def operator(live: House) -> Browser:
    return entered(live, "ops@city", to="/ops/")


@pytest.fixture
def asked_for(live: House) -> Iterator[None]:
    """Both hospitals as if they had been asked for in the console, so that every page of the wizard opens."""
    live.sql(ASKED, [HOA_SEN, CAU_VONG])
    yield
    live.sql("DELETE FROM directory.fleet_requests WHERE starts_with(id, 'asked-for-')")


class TestOutsiders:
    def test_nobody_is_sent_to_sign_in(self, live: House) -> None:
        with httpx.Client(trust_env=False) as client:
            for method, path in (*ROUTES, *NOWHERE):
                answer = knock(client, live, method, path)
                assert answer.status_code in (401, 303), (method, path)
                assert answer.status_code == 401 or answer.headers["location"].startswith("/auth/sign-in")

    @pytest.mark.parametrize("who", ["doctor@hoa-sen", "admin@hoa-sen", "privacy@cau-vong"])
    def test_members_of_a_hospital_get_one_answer_for_everything(self, live: House, who: str) -> None:
        browser = entered(live, who, who.partition("@")[2])
        before = live.refusals(None)
        answers = {each: knock(browser, live, *each) for each in (*ROUTES, *NOWHERE)}
        assert {answer.status_code for answer in answers.values()} == {403}
        seen = {(path.startswith("/ops/api"), repr(told(answer))) for (_, path), answer in answers.items()}
        assert len(seen) == 2, "one as a page, one as JSON"
        assert live.refusals(None) == before + len(answers)

    @pytest.mark.parametrize("role", ["doctor", "admin", "his"])
    def test_their_tokens_do_not_count(self, live: House, role: str) -> None:
        with live.client(role) as client:
            assert {knock(client, live, *each).status_code for each in (*ROUTES, *NOWHERE)} == {403}

    def test_one_who_is_no_operator_any_more(self, live: House) -> None:
        browser = entered(live, "auditor@city", to="/ops/")
        assert knock(browser, live, "GET", "/ops/").status_code == 200
        live.sql("UPDATE directory.operators SET active = false WHERE role = 'auditor'")
        try:
            assert knock(browser, live, "GET", "/ops/").status_code == 403
        finally:
            live.sql("UPDATE directory.operators SET active = true WHERE role = 'auditor'")

    def test_an_operator_without_a_second_factor(self, live: House) -> None:
        browser = entered(live, "ops@city", to="/ops/")
        live.sql("UPDATE directory.sessions SET strong = false WHERE id = (SELECT id FROM directory.sessions"
                 " ORDER BY created_at DESC LIMIT 1)")  # fmt: skip
        answer = knock(browser, live, "GET", "/ops/")
        assert (answer.status_code, answer.headers["location"]) == (303, "/auth/step-up?ask=second-factor&to=/ops/")
        refused = knock(browser, live, "GET", "/ops/api/hospitals")
        assert (refused.status_code, refused.json()["code"]) == (403, "second-factor-needed")

    def test_a_locked_session(self, live: House) -> None:
        browser = entered(live, "ops@city", to="/ops/")
        live.sql("UPDATE directory.sessions SET locked_at = now() WHERE id = (SELECT id FROM directory.sessions"
                 " ORDER BY created_at DESC LIMIT 1)")  # fmt: skip
        assert knock(browser, live, "GET", "/ops/").status_code == 303

    def test_a_header_that_names_a_hospital(self, live: House) -> None:
        browser = entered(live, "ops@city", to="/ops/")
        assert browser.get(f"{live.url}/ops/", headers={"X-Hospital": HOA_SEN}).status_code == 400


class TestOperators:
    @pytest.mark.usefixtures("asked_for")
    def test_see_no_patient_on_any_page(self, live: House, planted: Planted, operator: Browser) -> None:
        words = {planted.canary, canary(HOA_SEN), canary(CAU_VONG), "Thị Thử", *ids_of(planted).values()}
        opened = 0
        for method, path in ROUTES:
            for slug in (HOA_SEN, CAU_VONG):
                answer = knock(operator, live, method, filled(path, slug, {"code": "announcement-live"}))
                assert answer.status_code < 500, (method, path)
                assert not [word for word in words if word in answer.text], (method, path)
                opened += answer.status_code == 200
        assert opened >= len([method for method, _ in ROUTES if method == "GET"]), "they are really opened"

    def test_open_no_file_that_a_hospital_has_kept(self, live: House, planted: Planted, operator: Browser) -> None:
        content = b"%PDF-1.7\n% " + planted.canary.encode()
        try:
            with live.client("admin", CAU_VONG, headers={"Accept": "text/html"}) as admin:
                at = f"{live.url}/h/{CAU_VONG}/admin/golive/announcement-live/evidence"
                files = {"file": ("a.pdf", content, "application/pdf")}
                assert admin.post(at, data={"title": "Biên bản"}, files=files).status_code == 303
                assert admin.get(f"{at}/1").content == content
            for method, path in ROUTES:
                address = filled(path, CAU_VONG, {"code": "announcement-live", "number": "1"})
                answer = knock(operator, live, method, address)
                assert planted.canary.encode() not in answer.content, (method, path)
                assert "/evidence/{number}" not in path or answer.status_code == 404
        finally:
            live.sql("DELETE FROM directory.golive_items WHERE tenant_id = %s", live.tenants[CAU_VONG].id)

    def test_find_none_by_searching(self, live: House, planted: Planted, operator: Browser) -> None:
        for path in ("/ops/", "/ops/api/hospitals"):
            answer = operator.get(f"{live.url}{path}", params={"q": planted.canary})
            assert answer.status_code == 200
            assert planted.patient not in answer.text

    def test_get_one_answer_for_everything_of_a_hospital(
        self, live: House, planted: Planted, operator: Browser
    ) -> None:
        before = live.counts(CAU_VONG)
        answers = {each: ask(operator, live, each[0], filled(each[1], CAU_VONG, ids_of(planted))) for each in PRIVATE}
        locks = {path for _, path in PRIVATE if "/me/lock" in path or path.endswith("/me/unlock")}
        assert {each.status_code for (_, path), each in answers.items() if path not in locks} == {403}
        seen = {(kind_of(path), repr(told(answer))) for (_, path), answer in answers.items() if path not in locks}
        assert len(seen) == 3, "one in FHIR, one in DICOMweb, one page"
        assert not any(planted.canary in answer.text for answer in answers.values())
        assert live.counts(CAU_VONG) == before
