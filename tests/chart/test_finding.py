from datetime import date
from zoneinfo import ZoneInfo

from emr.chart.finding import hits
from tests.chart.people import HOA


class TestHits:
    def test_a_row_says_enough_to_tell_two_people_apart(self) -> None:
        hit = hits([HOA], today=date(2026, 11, 22), zone=ZoneInfo("Asia/Ho_Chi_Minh"))[0]
        assert (hit.name, hit.born, hit.number, hit.card) == (
            "NGUYỄN THỊ HOA",
            "12/03/1959",
            "HS-004821",
            "079159••••34",
        )
        assert hit.address == "Phường Bến Thành, TP. Hồ Chí Minh"
