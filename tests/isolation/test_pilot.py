"""A pilot in some departments at every way in: pages, FHIR, DICOMweb, DICOM."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from emr.work.runtime import Runtime
from emr_demo.provider.people import subject_of
from tests.administration.visitors import entered
from tests.fhir.samples import made, mark, observation, patient
from tests.house import CAU_VONG, House
from tests.isolation.pilots import piloted
from tests.isolation.visitor import FHIR, Visitor, bundle, word

pytestmark = pytest.mark.anyio
WARD = "khoa-thi-diem"
PILOT = {"departments": {WARD: "Khoa Thí điểm"}, "chart": [WARD], "documents": [WARD], "imaging": [WARD]}
REFUSED = "403 department-not-in-pilot"
BEGUN = {
    "page": "200",
    "form": REFUSED,
    "fhir_read": "200",
    "fhir_search": "200",
    "fhir_write": "201",
    "fhir_transaction": "200",
    "fhir_fact": REFUSED,
    "fhir_fact_in_transaction": REFUSED,
    "dicomweb_search": "200",
    "dicomweb_store": REFUSED,
    "dicom_store": "0x0000",
}
"""Of somebody outside: what is seen, and who came, goes on; devices do; facts, papers and images wait."""
JOINED = BEGUN | {
    "form": "201",
    "fhir_fact": "201",
    "fhir_fact_in_transaction": "200",
    "dicomweb_store": "200",
}


class Caller(Visitor):
    """A visitor who writes facts, too."""

    def fhir_fact(self) -> str:
        return word(self.ask("POST", "/fhir/Observation", json=self._fact, headers=FHIR))

    def fhir_fact_in_transaction(self) -> str:
        entry = {"resource": self._fact, "request": {"method": "POST", "url": "Observation"}}
        return word(self.ask("POST", "/fhir", json=bundle("transaction", entry), headers=FHIR))

    @property
    def _fact(self) -> dict[str, Any]:
        return observation(self.patient)

    async def all(self) -> dict[str, str]:
        found = {name: await asyncio.to_thread(getattr(self, name)) for name in BEGUN if name != "dicom_store"}
        return found | {"dicom_store": await self.dicom_store()}


@pytest.fixture(scope="module")
def begun(live: House) -> Iterator[None]:
    """A pilot of one department, where nobody works."""
    with live.client("doctor", CAU_VONG) as client:
        made(client, patient(name=[{"family": mark()}]))
    with piloted(live, CAU_VONG, PILOT):
        yield


@pytest.fixture
def joined(live: House, begun: None) -> Iterator[None]:
    """Doctor and radiologist of the hospital come to work there."""
    them = [subject_of(f"{role}@{CAU_VONG}") for role in ("doctor", "imaging")]
    kept = dict(live.sql("SELECT subject, wards FROM directory.memberships WHERE subject = ANY (%s)", them))
    live.sql("UPDATE directory.memberships SET wards = wards || %s WHERE subject = ANY (%s)", [WARD], them)
    yield
    for subject, wards in kept.items():
        live.sql("UPDATE directory.memberships SET wards = %s WHERE subject = %s", wards, subject)


class TestEachWayIn:
    async def test_of_somebody_outside(self, live: House, parts: Runtime, begun: None) -> None:
        await parts.registry.refresh()
        assert await Caller(live, parts).all() == BEGUN

    async def test_of_somebody_who_works_there(self, live: House, parts: Runtime, joined: None) -> None:
        await parts.registry.refresh()
        assert await Caller(live, parts).all() == JOINED

    async def test_what_is_refused_is_foretold_by_validate_and_stores_nothing(
        self, live: House, parts: Runtime, begun: None
    ) -> None:
        caller = Caller(live, parts)
        before = live.sql(f"SELECT count(*) FROM {caller.schema}.resources WHERE type = 'Observation'")
        parameters = {
            "resourceType": "Parameters",
            "parameter": [{"name": "resource", "resource": caller._fact}, {"name": "mode", "valueCode": "create"}],
        }
        told = caller.ask("POST", "/fhir/Observation/$validate", json=parameters, headers=FHIR).json()
        assert "department-not-in-pilot" in {issue["details"]["coding"][0]["code"] for issue in told["issue"]}
        caller.fhir_fact()
        assert live.sql(f"SELECT count(*) FROM {caller.schema}.resources WHERE type = 'Observation'") == before


class TestPages:
    async def test_say_why_offer_nothing_and_refuse_in_plain_words(
        self, live: House, parts: Runtime, begun: None
    ) -> None:
        caller = Caller(live, parts)
        browser = entered(live, f"doctor@{CAU_VONG}", CAU_VONG)
        home = f"{live.url}/h/{CAU_VONG}/patients/{caller.patient}"
        chart = browser.get(home, headers={"Accept": "text/html"}).text
        assert "khoa của bạn chưa dùng phần ghi bệnh án, tải tài liệu lên" in chart
        assert "/notes/new" not in chart
        assert "/vitals/new" not in chart
        refused = browser.get(f"{home}/vitals/new", headers={"Accept": "text/html"})
        assert refused.status_code == 403
        assert "Khoa của bạn chưa tham gia thí điểm" in refused.text

    async def test_offer_everything_where_one_works(self, live: House, parts: Runtime, joined: None) -> None:
        caller = Caller(live, parts)
        page = caller.ask("GET", f"/patients/{caller.patient}", headers={"Accept": "text/html"}).text
        assert "data-held-back" not in page
        assert "/vitals/new" in page

    async def test_tell_the_desk_nothing(self, live: House, parts: Runtime, begun: None) -> None:
        page = Caller(live, parts).ask("GET", "/", "reception", headers={"Accept": "text/html"}).text
        assert "data-held-back" not in page


class TestTrail:
    async def test_has_the_refusal_with_its_code(self, live: House, parts: Runtime, begun: None) -> None:
        caller, before = Caller(live, parts), live.refusals(CAU_VONG)
        assert caller.fhir_fact() == REFUSED
        assert live.refusals(CAU_VONG) == before + 1
