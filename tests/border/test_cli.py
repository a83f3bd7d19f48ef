"""`emr border check | show`, and the page that tells of it."""

import json

import httpx

from tests.border.conftest import Told
from tests.fleet.world import emr
from tests.house import CAU_VONG, HOA_SEN, House


class TestCommand:
    def test_a_hospital_that_is_not_there(self, live: House) -> None:
        told = emr(live, "border", "check", "nowhere")
        assert (told.returncode, told.stdout) == (2, "")
        assert "no such hospital" in told.stderr

    def test_a_service_that_does_not_answer(self, live: House) -> None:
        told = emr(live, "border", "check", CAU_VONG, EMR_BORDER__URL="http://127.0.0.1:1")
        assert told.returncode == 2
        assert "does not answer" in told.stderr

    def test_tries_keeps_and_shows(self, live: House, told: Told) -> None:
        assert told.code == 0, told.errors
        result = told.row["result"]
        assert (told.row["hospital"], result["green"], result["genuine"]) == (CAU_VONG, True, True)
        shown = emr(live, "border", "show", CAU_VONG, "--json")
        assert (shown.returncode, json.loads(shown.stdout)["hospitals"]) == (0, [told.row])
        with live.client("admin", CAU_VONG) as admin:
            page = admin.get(f"{live.url}/h/{CAU_VONG}/border")
        assert "Không ai từ bên ngoài vào được." in page.text
        assert HOA_SEN not in page.text

    def test_a_hospital_that_was_never_tried_is_no_success(self, live: House, told: Told) -> None:
        shown = emr(live, "border", "show", CAU_VONG, HOA_SEN, "--json")
        rows = json.loads(shown.stdout)["hospitals"]
        assert (shown.returncode, rows) == (1, [told.row, {"hospital": HOA_SEN, "result": None}])


class TestPage:
    def test_nobody_without_signing_in(self, live: House) -> None:
        with httpx.Client(trust_env=False) as client:
            assert client.get(f"{live.url}/h/{HOA_SEN}/border", headers={"Accept": "text/html"}).status_code == 303

    def test_not_for_a_machine(self, live: House) -> None:
        with live.client("lis") as client:
            assert client.get(f"{live.url}/h/{HOA_SEN}/border").status_code == 403

    def test_a_hospital_that_was_never_tried_is_told_so(self, live: House) -> None:
        with live.client("doctor") as client:
            page = client.get(f"{live.url}/h/{HOA_SEN}/border")
        assert page.status_code == 200
        assert "Chưa được thử lần nào." in page.text
