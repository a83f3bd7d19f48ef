"""Access reviews by the administrator's pages: opened, decided, closed, and due again in six months."""

import re
import secrets
from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest

from emr.identity.access_reviews import EVERY
from tests.house import CAU_VONG, HOA_SEN, House


@pytest.fixture
def admin(live: House) -> Iterator[httpx.Client]:
    """The administrator of Hoa Sen, whose hospital has two more members and no review under way."""
    live.sql("DELETE FROM directory.access_review_lines")
    live.sql("DELETE FROM directory.access_reviews")
    with live.client("admin", headers={"Accept": "text/html"}) as client:
        client.base_url = httpx.URL(f"{live.url}/h/{HOA_SEN}/admin/")
        yield client


def join(live: House, role: str = "nurse") -> str:
    subject = f"review:{secrets.token_hex(4)}"
    live.sql(
        """INSERT INTO directory.memberships (tenant_id, subject, role, name, granted_by)
           VALUES (%s, %s, %s, 'Người Thử', 'test')""",
        live.tenants[HOA_SEN].id, subject, role,
    )  # fmt: skip
    return subject


def opened(client: httpx.Client) -> str:
    answer = client.post("reviews", data={})
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"]).rpartition("/")[2]


def undecided(client: httpx.Client, review: str) -> set[str]:
    return set(re.findall(r'name="d-([^"]+)"', client.get(f"reviews/{review}").text))


def overview(live: House, client: httpx.Client) -> str:
    return client.get(f"{live.url}/h/{HOA_SEN}/admin").text


def active(live: House, subject: str) -> bool:
    return bool(live.sql("SELECT active FROM directory.memberships WHERE subject = %s", subject)[0][0])


class TestOpen:
    def test_a_doctor_may_not(self, live: House) -> None:
        with live.client("doctor") as client:
            assert client.post(f"{live.url}/h/{HOA_SEN}/admin/reviews", data={}).status_code == 403

    def test_everybody_with_access_is_in_it_machines_too(self, live: House, admin: httpx.Client) -> None:
        nurse, machine, left = join(live), join(live, "lis"), join(live)
        live.sql("UPDATE directory.memberships SET active = false WHERE subject = %s", left)
        asked = undecided(admin, opened(admin))
        assert {nurse, machine} <= asked
        assert left not in asked

    def test_two_at_a_time_are_refused(self, admin: httpx.Client) -> None:
        opened(admin)
        assert admin.post("reviews", data={}).status_code == 422

    def test_another_hospital_s_is_not_found(self, live: House, admin: httpx.Client) -> None:
        review = opened(admin)
        with live.client("admin", CAU_VONG) as client:
            assert client.get(f"{live.url}/h/{CAU_VONG}/admin/reviews/{review}").status_code == 404


class TestDecide:
    def test_a_confirmation_says_who_and_when(self, live: House, admin: httpx.Client) -> None:
        nurse = join(live)
        review = opened(admin)
        assert admin.post(f"reviews/{review}", data={f"d-{nurse}": "kept"}).status_code == 303
        row = live.sql(
            """SELECT decision, decided_by IS NOT NULL, decided_by_name <> '', decided_at IS NOT NULL
               FROM directory.access_review_lines WHERE review_id = %s AND subject = %s""",
            review, nurse,
        )  # fmt: skip
        assert row == [("kept", True, True, True)]
        assert active(live, nurse)

    def test_removing_asks_first_and_then_ends_access(self, live: House, admin: httpx.Client) -> None:
        nurse = join(live)
        review = opened(admin)
        assert admin.post(f"reviews/{review}", data={f"d-{nurse}": "removed"}).status_code == 422
        assert active(live, nurse)
        assert admin.post(f"reviews/{review}", data={f"d-{nurse}": "removed", "sure": "yes"}).status_code == 303
        assert not active(live, nurse)

    def test_a_machine_is_removed_as_well(self, live: House, admin: httpx.Client) -> None:
        machine = join(live, "lis")
        review = opened(admin)
        admin.post(f"reviews/{review}", data={f"d-{machine}": "removed", "sure": "yes"})
        assert not active(live, machine)

    def test_a_decision_stands(self, live: House, admin: httpx.Client) -> None:
        nurse = join(live)
        review = opened(admin)
        admin.post(f"reviews/{review}", data={f"d-{nurse}": "kept"})
        admin.post(f"reviews/{review}", data={f"d-{nurse}": "removed", "sure": "yes"})
        assert active(live, nurse)

    def test_anything_else_is_refused(self, live: House, admin: httpx.Client) -> None:
        nurse = join(live)
        review = opened(admin)
        assert admin.post(f"reviews/{review}", data={f"d-{nurse}": "later"}).status_code == 422


class TestClose:
    def test_not_while_somebody_is_undecided(self, admin: httpx.Client) -> None:
        review = opened(admin)
        assert admin.post(f"reviews/{review}/close", data={}).status_code == 422

    def test_the_next_is_due_six_months_later(self, live: House, admin: httpx.Client) -> None:
        assert "chưa được rà soát lần nào" in overview(live, admin)
        review = opened(admin)
        admin.post(f"reviews/{review}", data={f"d-{subject}": "kept" for subject in undecided(admin, review)})
        assert admin.post(f"reviews/{review}/close", data={}).status_code == 303
        assert "chưa đến hạn" in admin.get("reviews").text
        assert "hạn rà soát" not in overview(live, admin).split('class="tiles"')[0]
        live.sql("UPDATE directory.access_reviews SET closed_at = closed_at - %s", EVERY + timedelta(days=1))
        assert "Đã đến hạn rà soát" in overview(live, admin)

    def test_who_opened_and_closed_it_is_in_the_hospital_s_journal(self, live: House, admin: httpx.Client) -> None:
        review = opened(admin)
        schema = live.tenants[HOA_SEN].schema
        rows = live.sql(
            "SELECT row FROM cell.audit_journal WHERE tenant = %s AND row LIKE %s "
            f"UNION ALL SELECT row FROM {schema}.audit_events WHERE row LIKE %s",
            schema, f"%access-review.opened%{review}%", f"%access-review.opened%{review}%",
        )  # fmt: skip
        assert len(rows) == 1
