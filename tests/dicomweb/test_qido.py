"""QIDO-RS over HTTP."""

import pytest

from tests.house import CAU_VONG
from tests.imaging.records import fresh
from tests.imaging.samples import ROOT, encoded, slice_of


@pytest.fixture
def study(web):
    """A study with two series, three instances in all."""
    study, client = fresh(), web("pacs")
    for made in (
        slice_of(1, study=study),
        slice_of(2, study=study),
        slice_of(1, study=study, series="2", Modality="OT"),
    ):
        kept = client.post("/studies", content=encoded(made), headers={"Content-Type": "application/dicom"})
        assert kept.status_code == 200
    return f"{ROOT}{study}"


class TestSearch:
    def test_nobody_without_signing_in(self, web):
        client = web()
        del client.headers["Authorization"]
        assert client.get("/studies").status_code == 401

    def test_reception_may_not(self, web):
        assert web("reception").get("/studies").status_code == 403

    def test_another_hospital_finds_nothing(self, web, study):
        assert web("doctor", CAU_VONG).get("/studies", params={"StudyInstanceUID": study}).json() == []
        assert web("doctor", CAU_VONG).get(f"/studies/{study}/instances").json() == []

    def test_a_study_says_what_it_holds(self, stranger, study):
        [found] = stranger("doctor").search_for_studies(search_filters={"StudyInstanceUID": study})
        assert found["00080061"]["Value"] == ["CT", "OT"]
        assert (found["00201206"]["Value"], found["00201208"]["Value"]) == ([2], [3])
        assert found["00100010"]["Value"] == [{"Alphabetic": "Đặng^Thị Thử"}]

    def test_a_name_is_found_without_accents(self, stranger, study):
        filters = {"PatientName": "dang^thi*", "StudyInstanceUID": study}
        assert len(stranger("doctor").search_for_studies(search_filters=filters)) == 1

    def test_series_and_instances_at_each_level(self, stranger, study):
        client = stranger("doctor")
        series = client.search_for_series(study)
        assert [one["00201209"]["Value"] for one in series] == [[2], [1]]
        assert len(client.search_for_instances(study)) == 3
        assert len(client.search_for_instances(study, f"{study}.1")) == 2
        assert len(client.search_for_series(search_filters={"StudyInstanceUID": study, "Modality": "OT"})) == 1
        assert len(client.search_for_instances(search_filters={"SOPInstanceUID": f"{study}.1.2"})) == 1

    def test_a_study_in_the_path_and_another_in_the_query_find_nothing(self, web, study):
        assert web().get(f"/studies/{study}/series", params={"StudyInstanceUID": "1.2.3"}).json() == []

    def test_limit_and_offset(self, web, study):
        page = web().get(f"/studies/{study}/instances", params={"limit": 2, "offset": 2}).json()
        assert len(page) == 1

    def test_fields_of_instances_come_when_asked_for(self, web, study):
        client = web()
        [plain] = client.get("/instances", params={"SOPInstanceUID": f"{study}.1.1"}).json()
        asked = {"SOPInstanceUID": f"{study}.1.1", "includefield": "RescaleIntercept,00281053"}
        [more] = client.get("/instances", params=asked).json()
        [everything] = client.get("/instances", params=asked | {"includefield": "all"}).json()
        assert "00281052" not in plain
        assert more["00281052"]["Value"] == [-100]
        assert len(everything) > len(more)

    @pytest.mark.parametrize("query", ["Nope=1", "StudyDate=yesterday", "limit=-1", "StudyInstanceUID=abc", "%00=1"])
    def test_what_is_not_understood_is_refused(self, live, web, query):
        before = live.refusals()
        answer = web().get(f"/studies?{query}")
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
        assert live.refusals() == before + 1

    def test_another_form_than_json_is_refused(self, web):
        assert web().get("/studies", headers={"Accept": "application/dicom+xml"}).status_code == 406
