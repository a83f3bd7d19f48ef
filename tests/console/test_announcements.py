"""What the department announces: on which pages, in which language, until when."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest

from tests.administration.visitors import entered
from tests.console.conftest import rows_of
from tests.console.test_states import HTML, send
from tests.house import CAU_VONG, HOA_SEN, House
from tests.identity.providers import Browser

VI, EN = "Bảo trì đêm nay <b>22 giờ</b>", "Maintenance tonight at 22:00"


@pytest.fixture(autouse=True)
def nothing_said(live: House) -> Iterator[None]:
    live.sql("DELETE FROM directory.announcements")
    yield
    live.sql("DELETE FROM directory.announcements")


@pytest.fixture(scope="module")
def doctors(live: House) -> dict[str, Browser]:
    return {slug: entered(live, f"doctor@{slug}", slug) for slug in (HOA_SEN, CAU_VONG)}


def typed(moment: datetime) -> str:
    return moment.astimezone(ZoneInfo("Asia/Ho_Chi_Minh")).strftime("%d/%m/%Y %H:%M")


def fields(**more: str) -> dict[str, str]:
    now = datetime.now(UTC)
    span = {"since": typed(now), "until": typed(now + timedelta(hours=2))}
    return {"kind": "maintenance", "vi": VI, "en": EN} | span | more


def shown(live: House, who: Browser, slug: str, text: str, *, there: bool = True) -> bool:
    """Whether the hospital's first page says it within a few seconds, or stops saying it."""
    deadline = time.monotonic() + 30
    while (text in who.get(f"{live.url}/h/{slug}/", headers=HTML).text) != there:
        if time.monotonic() > deadline:
            return not there
        time.sleep(0.2)
    return there


class TestAnnouncing:
    def test_an_auditor_may_not(self, live: House, auditor: Browser) -> None:
        assert send(live, auditor, "/announcements", **fields()).status_code == 403
        assert live.sql("SELECT 1 FROM directory.announcements") == []

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("vi", ""), ("en", " "), ("vi", "x" * 501), ("kind", "alarm"), ("since", "mai"), ("until", "01/01/2020 08:00"),
            ("until", "01/01/2030 08:00"), ("hospitals", "hoa-sen nowhere"),
        ],
    )  # fmt: skip
    def test_bad_input_is_said_at_its_field_and_kept(
        self, live: House, operator: Browser, name: str, value: str
    ) -> None:
        answer = send(live, operator, "/announcements", **fields(**{name: value}))
        assert answer.status_code == 422
        assert f'href="#f-{name}"' in answer.text
        assert live.sql("SELECT 1 FROM directory.announcements") == []

    def test_all_hospitals_show_it_in_the_readers_language_until_it_is_ended(
        self, live: House, operator: Browser, doctors: dict[str, Browser]
    ) -> None:
        assert send(live, operator, "/announcements", **fields()).status_code == 303
        for slug, doctor in doctors.items():
            assert shown(live, doctor, slug, "Bảo trì đêm nay &lt;b&gt;22 giờ")
        english = doctors[HOA_SEN].get(f"{live.url}/h/{HOA_SEN}/", headers=HTML | {"Cookie": "emr_language=en; " + "; ".join(
            f"{name}={value}" for name, value in doctors[HOA_SEN].cookies.items())})  # fmt: skip
        assert EN in english.text
        [(key,)] = live.sql("SELECT id FROM directory.announcements")
        assert send(live, operator, f"/announcements/{key}/end").status_code == 303
        for slug, doctor in doctors.items():
            assert not shown(live, doctor, slug, "Bảo trì đêm nay", there=False)
        assert send(live, operator, f"/announcements/{key}/end").status_code == 404
        assert "gỡ bởi" in operator.get(f"{live.url}/ops/announcements", headers=HTML).text
        assert rows_of(live, "announcement.ended")[-1]["detail"] == {"announcement": key}

    def test_only_where_it_is_for(self, live: House, operator: Browser, doctors: dict[str, Browser]) -> None:
        assert send(live, operator, "/announcements", **fields(hospitals=CAU_VONG)).status_code == 303
        assert shown(live, doctors[CAU_VONG], CAU_VONG, "Bảo trì đêm nay")
        assert "Bảo trì đêm nay" not in doctors[HOA_SEN].get(f"{live.url}/h/{HOA_SEN}/", headers=HTML).text

    def test_not_before_its_time(self, live: House, operator: Browser, doctors: dict[str, Browser]) -> None:
        later = datetime.now(UTC) + timedelta(days=1)
        span = {"since": typed(later), "until": typed(later + timedelta(hours=1))}
        assert send(live, operator, "/announcements", **fields(**span)).status_code == 303
        assert send(live, operator, "/announcements", **fields(vi="Ngay bây giờ")).status_code == 303
        assert shown(live, doctors[HOA_SEN], HOA_SEN, "Ngay bây giờ")
        assert "Bảo trì đêm nay" not in doctors[HOA_SEN].get(f"{live.url}/h/{HOA_SEN}/", headers=HTML).text


class TestApi:
    def test_written_listed_and_ended(self, live: House) -> None:
        home, now = f"{live.url}/ops/api/announcements", datetime.now(UTC)
        span = {"since": now.isoformat(), "until": (now + timedelta(hours=1)).isoformat()}
        body = {"kind": "notice", "vi": VI, "en": EN, "hospitals": HOA_SEN} | span
        with live.client("ops", "city") as client:
            made = client.post(home, json=body)
            assert made.status_code == 201
            assert [each["id"] for each in client.get(home).json()] == [made.json()["id"]]
            assert client.post(f"{home}/{made.json()['id']}/end").status_code == 204
            assert client.post(home, json=body | {"until": "tomorrow"}).json()["errors"][0]["pointer"] == "until"
            assert client.post(home, json=body | {"colour": "red"}).json()["errors"][0]["pointer"] == "colour"
        with live.client("auditor", "city") as client, httpx.Client(trust_env=False) as nobody:
            assert client.post(home, json=body).status_code == 403
            assert nobody.post(home, json=body).status_code == 401
