"""A hospital's state from the console: at once where it can be taken back, by two people where it stops a hospital."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import psycopg
import pytest

from emr.kernel.tenant import Tenant
from tests.console.conftest import rows_of
from tests.fhir.samples import mark
from tests.house import House
from tests.identity.providers import Browser

REASON = "Bảo trì máy chủ của cụm"
HTML = {"Accept": "text/html"}


@pytest.fixture
def second(live: House, auditor: Browser) -> Iterator[Browser]:
    """A second operator: the auditor's account, who is one for the time being."""
    live.sql("UPDATE directory.operators SET role = 'ops' WHERE role = 'auditor'")
    yield auditor
    live.sql("UPDATE directory.operators SET role = 'auditor' WHERE name <> (SELECT name FROM directory.operators"
             " WHERE role = 'ops' ORDER BY created_at LIMIT 1) AND kind = 'person'")  # fmt: skip


def token(page: httpx.Response) -> str:
    return page.text.partition('name="_csrf" value="')[2].partition('"')[0]


def send(live: House, who: Browser, path: str, **fields: str) -> httpx.Response:
    """A form of the console, with the token of one of its pages."""
    csrf = token(who.get(f"{live.url}/ops/proposals", headers=HTML))
    return who.post(f"{live.url}/ops{path}", data=fields | {"_csrf": csrf}, headers=HTML)


def change(live: House, who: Browser, hospital: Tenant, to: str, **fields: str) -> httpx.Response:
    return send(live, who, f"/hospitals/{hospital.slug}/state", **({"to": to, "reason": REASON} | fields))


def stands(live: House, hospital: Tenant) -> tuple[str, str]:
    found: tuple[str, str] = live.sql("SELECT state, state_reason FROM directory.tenants WHERE id = %s", hospital.id)[0]
    return found


def proposed(live: House, who: Browser, hospital: Tenant, to: str = "suspended") -> str:
    """The id of a proposal that was just made."""
    answer = change(live, who, hospital, to, slug=hospital.slug)
    assert answer.status_code == 303, answer.text
    query = "SELECT id FROM directory.proposals WHERE tenant_id = %s AND decided_at IS NULL"
    return str(live.sql(query, hospital.id)[0][0])


class TestAtOnce:
    def test_the_confirmation_says_what_it_means(self, live: House, operator: Browser, hospital: Tenant) -> None:
        page = operator.get(f"{live.url}/ops/hospitals/{hospital.slug}/state?to=read-only", headers=HTML)
        assert "không ghi thêm hay sửa được" in page.text

    @pytest.mark.parametrize("to", ["", "closed", "trial"])
    def test_a_step_that_is_none_is_refused(self, live: House, operator: Browser, hospital: Tenant, to: str) -> None:
        page = operator.get(f"{live.url}/ops/hospitals/{hospital.slug}/state?to={to}")
        assert (page.status_code, page.json()["errors"][0]["pointer"]) == (400, "to")
        assert change(live, operator, hospital, to).status_code in (400, 409, 422)
        assert stands(live, hospital) == ("trial", "")

    def test_without_a_reason_nothing_changes(self, live: House, operator: Browser, hospital: Tenant) -> None:
        assert change(live, operator, hospital, "read-only", reason=" ").status_code == 422
        assert stands(live, hospital) == ("trial", "")

    def test_without_the_forms_token_nothing_changes(self, live: House, operator: Browser, hospital: Tenant) -> None:
        answer = operator.post(
            f"{live.url}/ops/hospitals/{hospital.slug}/state", data={"to": "read-only", "reason": "x"}
        )
        assert (answer.status_code, answer.json()["code"]) == (403, "foreign-form")
        assert stands(live, hospital) == ("trial", "")

    def test_an_auditor_may_not(self, live: House, auditor: Browser, hospital: Tenant) -> None:
        assert change(live, auditor, hospital, "read-only").status_code == 403
        assert stands(live, hospital) == ("trial", "")

    def test_it_is_done_written_down_and_followed(self, live: House, operator: Browser, hospital: Tenant) -> None:
        answer = change(live, operator, hospital, "read-only")
        assert (answer.status_code, answer.headers["location"]) == (303, f"/ops/hospitals/{hospital.slug}")
        assert stands(live, hospital) == ("read-only", REASON)
        detail = rows_of(live, "hospital.state-changed")[-1]["detail"]
        assert detail == {"hospital": hospital.slug, "from": "trial", "to": "read-only"}
        page = operator.get(f"{live.url}{answer.headers['location']}", headers=HTML).text
        assert REASON in page
        assert "chỉ đọc" in page
        assert change(live, operator, hospital, "trial").status_code == 303


class TestByTwo:
    @pytest.mark.parametrize("to", ["suspended", "leaving"])
    def test_one_alone_only_proposes(self, live: House, operator: Browser, hospital: Tenant, to: str) -> None:
        key = proposed(live, operator, hospital, to)
        assert stands(live, hospital) == ("trial", "")
        assert send(live, operator, f"/proposals/{key}/approve").status_code == 403
        assert stands(live, hospital) == ("trial", "")
        detail = rows_of(live, "hospital.state-proposed")[-1]["detail"]
        assert detail == {"hospital": hospital.slug, "from": "trial", "to": to, "proposal": key}

    def test_the_slug_must_be_typed(self, live: House, operator: Browser, hospital: Tenant) -> None:
        assert change(live, operator, hospital, "suspended", slug="other").status_code == 422
        assert live.sql("SELECT 1 FROM directory.proposals WHERE tenant_id = %s", hospital.id) == []

    def test_a_second_one_does_it(self, live: House, operator: Browser, second: Browser, hospital: Tenant) -> None:
        key = proposed(live, operator, hospital)
        page = second.get(f"{live.url}/ops/proposals/{key}", headers=HTML).text
        assert "Duyệt và thực hiện ngay" in page
        assert send(live, second, f"/proposals/{key}/approve").status_code == 303
        assert stands(live, hospital) == ("suspended", REASON)
        row = rows_of(live, "hospital.state-changed")[-1]
        assert isinstance(row["detail"], dict)
        assert row["detail"]["proposed_by"] != row["actor"]["subject"]  # type: ignore[index]
        assert send(live, second, f"/proposals/{key}/approve").status_code == 409
        assert change(live, operator, hospital, "trial").status_code == 303

    def test_an_auditor_approves_nothing(
        self, live: House, operator: Browser, auditor: Browser, hospital: Tenant
    ) -> None:
        key = proposed(live, operator, hospital)
        assert send(live, auditor, f"/proposals/{key}/approve").status_code == 403
        assert stands(live, hospital) == ("trial", "")

    def test_a_second_proposal_waits_for_the_first(self, live: House, operator: Browser, hospital: Tenant) -> None:
        key = proposed(live, operator, hospital)
        assert change(live, operator, hospital, "leaving", slug=hospital.slug).status_code == 409
        assert send(live, operator, f"/proposals/{key}/put-away").status_code == 303
        assert live.sql("SELECT outcome FROM directory.proposals WHERE id = %s", key) == [("withdrawn",)]
        proposed(live, operator, hospital, "leaving")

    def test_one_that_was_declined_is_over(
        self, live: House, operator: Browser, second: Browser, hospital: Tenant
    ) -> None:
        key = proposed(live, operator, hospital)
        assert send(live, second, f"/proposals/{key}/put-away").status_code == 303
        assert live.sql("SELECT outcome FROM directory.proposals WHERE id = %s", key) == [("declined",)]
        assert send(live, second, f"/proposals/{key}/approve").status_code == 409
        assert stands(live, hospital) == ("trial", "")

    def test_after_four_hours_it_is_over(
        self, live: House, operator: Browser, second: Browser, hospital: Tenant
    ) -> None:
        key = proposed(live, operator, hospital)
        past = datetime.now(UTC) - timedelta(seconds=1)
        live.sql("UPDATE directory.proposals SET expires_at = %s WHERE id = %s", past, key)
        assert send(live, second, f"/proposals/{key}/approve").status_code == 409
        assert stands(live, hospital) == ("trial", "")
        assert proposed(live, operator, hospital) != key
        assert live.sql("SELECT outcome FROM directory.proposals WHERE id = %s", key) == [("lapsed",)]

    def test_one_that_the_hospital_has_overtaken_is_over(
        self, live: House, operator: Browser, second: Browser, hospital: Tenant
    ) -> None:
        key = proposed(live, operator, hospital)
        assert change(live, operator, hospital, "read-only").status_code == 303
        assert send(live, second, f"/proposals/{key}/approve").status_code == 409
        assert stands(live, hospital)[0] == "read-only"

    def test_the_database_holds_it_too(self, live: House, operator: Browser, hospital: Tenant) -> None:
        key = proposed(live, operator, hospital)
        with pytest.raises(psycopg.errors.CheckViolation):
            live.sql("UPDATE directory.proposals SET outcome = 'approved', decided_by = proposed_by WHERE id = %s", key)

    def test_one_that_is_not_there(self, live: House, operator: Browser) -> None:
        assert operator.get(f"{live.url}/ops/proposals/{mark()}").status_code == 404


class TestApi:
    @pytest.fixture
    def machine(self, live: House) -> Iterator[httpx.Client]:
        with live.client("ops", "city") as client:
            yield client

    def test_a_session_changes_nothing_here(self, live: House, operator: Browser, hospital: Tenant) -> None:
        answer = operator.post(
            f"{live.url}/ops/api/hospitals/{hospital.slug}/state", json={"to": "live", "reason": "x"}
        )
        assert (answer.status_code, answer.json()["code"]) == (403, "bearer-needed")

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({"to": "live", "reason": "x", "by": "y"}, "by"), ({"to": "live"}, "reason"),
            ({"to": 1, "reason": "x"}, "to"), ({"to": "closed", "reason": "x"}, "state"),
            ({"to": "live", "reason": "x" * 501}, "reason"),
        ],
    )  # fmt: skip
    def test_bad_input_is_named_and_changes_nothing(
        self, live: House, machine: httpx.Client, hospital: Tenant, body: dict[str, object], pointer: str
    ) -> None:
        answer = machine.post(f"{live.url}/ops/api/hospitals/{hospital.slug}/state", json=body)
        assert answer.status_code in (400, 422)
        assert answer.json()["errors"][0]["pointer"] == pointer
        assert stands(live, hospital) == ("trial", "")

    def test_at_once_or_as_a_proposal(self, live: House, machine: httpx.Client, hospital: Tenant) -> None:
        home = f"{live.url}/ops/api"
        made = machine.post(f"{home}/hospitals/{hospital.slug}/state", json={"to": "read-only", "reason": "x"})
        assert (made.status_code, made.json()["before"], made.json()["after"]) == (200, "trial", "read-only")
        asked = machine.post(f"{home}/hospitals/{hospital.slug}/state", json={"to": "suspended", "reason": "x"})
        assert asked.status_code == 202
        key = asked.json()["id"]
        assert machine.get(f"{home}/proposals").json()[0]["id"] == key
        assert machine.post(f"{home}/proposals/{key}/approve").status_code == 403
        assert machine.post(f"{home}/proposals/{key}/put-away").json() == {"outcome": "withdrawn"}
        assert stands(live, hospital)[0] == "read-only"
