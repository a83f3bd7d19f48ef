"""Pages of studies, over HTTP."""

import io

import pytest
from PIL import Image

from tests.house import CAU_VONG, HOA_SEN
from tests.imaging.records import fresh, patient
from tests.imaging.samples import ROOT, encoded, slice_of

PAGE = {"Accept": "text/html"}
DICOM = {"Content-Type": "application/dicom"}


@pytest.fixture
def open_home(live):
    """An HTTP client of one account below its hospital."""
    opened = []

    def open_home(role="doctor", slug=HOA_SEN):
        client = live.client(role, slug)
        client.base_url = f"{live.url}/h/{slug}"
        opened.append(client)
        return client

    yield open_home
    for client in opened:
        client.close()


@pytest.fixture
def admitted(open_home):
    """A patient with a study of two series: the Patient's id and the Study Instance UID."""
    number = fresh()
    holder = open_home().post("/fhir/Patient", json=patient(f"BN{number}")).json()["id"]
    for at, series in ((1, "1"), (2, "1"), (3, "1"), (1, "2")):
        made = slice_of(at, study=number, series=series, PatientID=f"BN{number}")
        assert open_home("pacs").post("/dicomweb/studies", content=encoded(made), headers=DICOM).status_code == 200
    return holder, f"{ROOT}{number}"


class TestPatientImages:
    def test_reception_may_not(self, open_home, admitted):
        assert open_home("reception").get(f"/patients/{admitted[0]}/images", headers=PAGE).status_code == 403

    def test_another_hospital_sees_neither_list_nor_study(self, open_home, admitted):
        client, (holder, study) = open_home(slug=CAU_VONG), admitted
        for path in (f"/patients/{holder}/images", f"/patients/{holder}/images/{study}", f"/imaging/studies/{study}"):
            assert client.get(path, headers=PAGE).status_code == 404
        assert client.get(f"/imaging/studies/{study}/thumbnail").status_code == 404
        assert client.get(f"/imaging/studies/{study}/series/{study}.1/pictures/1").status_code == 404

    def test_lists_the_studies_of_the_patient(self, open_home, admitted):
        holder, study = admitted
        page = open_home().get(f"/patients/{holder}/images", headers=PAGE).text
        assert "CT ngực" in page
        assert "01/11/2026" in page
        assert f"/images/{study}" in page

    def test_says_so_when_there_is_none(self, open_home):
        client = open_home()
        holder = client.post("/fhir/Patient", json=patient(f"BN{fresh()}")).json()["id"]
        assert "Chưa có hình ảnh nào" in client.get(f"/patients/{holder}/images", headers=PAGE).text


class TestStudy:
    def test_a_study_of_another_patient_is_not_found(self, open_home, admitted):
        client = open_home()
        other = client.post("/fhir/Patient", json=patient(f"BN{fresh()}")).json()["id"]
        assert client.get(f"/patients/{other}/images/{admitted[1]}", headers=PAGE).status_code == 404

    def test_works_without_script_by_links(self, open_home, admitted):
        holder, study = admitted
        page = open_home().get(f"/patients/{holder}/images/{study}?series=1&frame=2&window=lung", headers=PAGE).text
        assert (
            f'src="/h/hoa-sen/imaging/studies/{study}/series/{study}.1/pictures/2?viewport=900,900&amp;window=lung"'
            in page
        )
        assert "?series=1&amp;frame=1&amp;window=lung" in page
        assert "?series=1&amp;frame=3&amp;window=lung" in page
        assert "?series=2" in page
        assert 'rel="prev"' in page

    @pytest.mark.parametrize("query", ["?series=99&frame=99", "?series=x&frame=-4", "?window=nope", "?frame=²"])
    def test_an_address_that_makes_no_sense_shows_the_study_all_the_same(self, open_home, admitted, query):
        holder, study = admitted
        answer = open_home().get(f"/patients/{holder}/images/{study}{query}", headers=PAGE)
        assert answer.status_code == 200
        assert "/pictures/" in answer.text

    def test_pictures_fit_into_their_box_and_are_not_kept(self, open_home, admitted):
        _, study = admitted
        answer = open_home().get(f"/imaging/studies/{study}/series/{study}.1/pictures/3?viewport=64,64&window=lung")
        with Image.open(io.BytesIO(answer.content)) as image:
            assert image.size == (64, 64)
        assert answer.headers["cache-control"] == "no-store"
        beyond = open_home().get(f"/imaging/studies/{study}/series/{study}.1/pictures/4")
        assert beyond.status_code == 404

    def test_the_page_speaks_english_too(self, open_home, admitted):
        holder, study = admitted
        client = open_home()
        client.cookies.set("emr_language", "en")
        page = client.get(f"/patients/{holder}/images/{study}", headers=PAGE).text
        assert "Soft tissue" in page
        assert "Mô mềm" not in page


class TestUnmatched:
    @pytest.fixture
    def waiting(self, open_home):
        """A study that nobody has matched."""
        number = fresh()
        made = slice_of(study=number, PatientID=f"LOST{number}", PatientName="Người^Lạ")
        assert open_home("pacs").post("/dicomweb/studies", content=encoded(made), headers=DICOM).status_code == 200
        return f"{ROOT}{number}"

    def test_is_listed_with_what_the_device_said_and_why(self, open_home, waiting):
        page = open_home("imaging").get("/imaging/unmatched", headers=PAGE).text
        assert waiting in page
        assert "Người Lạ" in page
        assert "Không có hồ sơ nào mang mã này" in page

    def test_who_only_looks_gets_no_form_and_may_not_match(self, open_home, waiting):
        client = open_home("doctor")
        assert "/match" not in client.get(f"/imaging/studies/{waiting}", headers=PAGE).text
        assert client.post(f"/imaging/studies/{waiting}/match", data={"number": "1"}).status_code == 403
