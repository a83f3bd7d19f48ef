"""Running sessions by the administrator's page."""

import re

from tests.administration.world import Administration
from tests.house import CAU_VONG, HOA_SEN


class TestSessions:
    def test_one_is_seen_and_ended(self, at_keycloak: Administration) -> None:
        email, subject = at_keycloak.person(HOA_SEN, "nurse")
        browser = at_keycloak.sign_in(email.partition("@")[0], at_keycloak.server.password)
        assert at_keycloak.entered(browser) == 200
        (session,) = at_keycloak.house.sql("SELECT id FROM directory.sessions WHERE subject = %s", subject)[0]
        assert f"/admin/sessions/{session}/end" in at_keycloak.get("/sessions").text
        assert at_keycloak.post(f"/sessions/{session}/end").status_code == 303
        assert at_keycloak.entered(browser) == 303

    def test_one_of_another_hospital_is_neither_seen_nor_ended(self, at_keycloak: Administration) -> None:
        email, subject = at_keycloak.person(CAU_VONG, "nurse")
        browser = at_keycloak.sign_in(email.partition("@")[0], at_keycloak.server.password)
        assert browser.get(f"{at_keycloak.house.url}/h/{CAU_VONG}/").status_code == 200
        (session,) = at_keycloak.house.sql("SELECT id FROM directory.sessions WHERE subject = %s", subject)[0]
        assert session not in at_keycloak.get("/sessions").text
        assert at_keycloak.post(f"/sessions/{session}/end").status_code == 404
        assert browser.get(f"{at_keycloak.house.url}/h/{CAU_VONG}/").status_code == 200

    def test_the_own_one_has_no_button(self, at_keycloak: Administration) -> None:
        page = at_keycloak.get("/sessions").text
        own = re.findall(r"phiên này", page)
        assert len(own) == 1
