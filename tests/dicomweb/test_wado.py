"""WADO-RS over HTTP: as it is kept, and as pictures."""

import io

import numpy as np
import pydicom
import pytest
from PIL import Image

from tests.house import CAU_VONG, HOA_SEN
from tests.imaging.records import fresh
from tests.imaging.samples import ROOT, encoded, shared, slice_of

DICOM = {"Content-Type": "application/dicom"}


@pytest.fixture
def study(web):
    """Three slices."""
    study, client = fresh(), web("pacs")
    for number in (1, 2, 3):
        client.post("/studies", content=encoded(slice_of(number, study=study)), headers=DICOM)
    return f"{ROOT}{study}"


@pytest.fixture
def sample(web):
    """Store a sample file; its dataset and its path."""

    def sample(name):
        path = shared(f"dicom/{name}")
        assert web("pacs").post("/studies", content=path.read_bytes(), headers=DICOM).status_code == 200
        sent = pydicom.dcmread(path)
        uids = (sent.StudyInstanceUID, sent.SeriesInstanceUID, sent.SOPInstanceUID)
        return sent, "/studies/{}/series/{}/instances/{}".format(*uids)

    return sample


def _pixels(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image)


class TestRetrieve:
    @pytest.mark.parametrize(
        "path",
        [
            "",
            "/metadata",
            "/thumbnail",
            "/series/{s}.1",
            "/series/{s}.1/metadata",
            "/series/{s}.1/thumbnail",
            "/series/{s}.1/instances/{s}.1.1",
            "/series/{s}.1/instances/{s}.1.1/metadata",
            "/series/{s}.1/instances/{s}.1.1/frames/1",
            "/series/{s}.1/instances/{s}.1.1/rendered",
            "/series/{s}.1/instances/{s}.1.1/frames/1/rendered",
            "/series/{s}.1/instances/{s}.1.1/bulkdata/00420011",
        ],
    )
    def test_another_hospitals_uid_is_answered_like_one_that_nobody_has(self, web, study, path):
        client, random = web("doctor", CAU_VONG), f"{ROOT}{fresh()}"
        theirs = client.get(f"/studies/{study}" + path.format(s=study))
        nobodys = client.get(f"/studies/{random}" + path.format(s=random))
        assert theirs.status_code == nobodys.status_code == 404
        assert theirs.content == nobodys.content
        own = {"date", "x-request-id", "server"}
        assert {k: v for k, v in theirs.headers.items() if k not in own} == {
            k: v for k, v in nobodys.headers.items() if k not in own
        }

    def test_a_member_of_another_hospital_may_not_ask_here(self, live, web, study):
        client = web("doctor", CAU_VONG)
        assert client.get(f"{live.url}/h/{HOA_SEN}/dicomweb/studies/{study}").status_code == 403

    def test_a_series_that_is_not_of_the_study_is_not_found(self, web, study):
        assert web().get(f"/studies/1.2.3/series/{study}.1").status_code == 404

    def test_each_level_gives_its_instances(self, stranger, study):
        client = stranger("doctor")
        assert len(client.retrieve_study(study)) == 3
        assert len(client.retrieve_series(study, f"{study}.1")) == 3
        assert client.retrieve_instance(study, f"{study}.1", f"{study}.1.2").InstanceNumber == 2

    def test_reading_is_audited_before_it_is_answered(self, live, web, study):
        web("doctor").get(f"/studies/{study}", headers={"X-Request-Id": "0" * 32})
        schema = live.tenants[HOA_SEN].schema
        rows = live.sql(
            "SELECT row FROM cell.audit_journal WHERE tenant = %s AND row LIKE '%%imaging.retrieved%%'", schema
        )
        rows += live.sql(f"SELECT row FROM {schema}.audit_events WHERE action = 'imaging.retrieved'")
        assert rows

    def test_a_transfer_syntax_that_is_not_kept_is_refused(self, web, study):
        wanted = 'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.4.50'
        assert web().get(f"/studies/{study}", headers={"Accept": wanted}).status_code == 406
        assert web().get(f"/studies/{study}", headers={"Accept": "application/dicom+json"}).status_code == 406

    def test_metadata_leave_out_pixels_and_say_where_they_are(self, stranger, study):
        metadata = stranger("doctor").retrieve_series_metadata(study, f"{study}.1")
        assert [one["00200013"]["Value"] for one in metadata] == [[1], [2], [3]]
        assert metadata[0]["7FE00010"]["BulkDataURI"].endswith("/frames")

    def test_a_document_comes_back_byte_for_byte(self, web, sample):
        sent, place = sample("made/encapsulated_pdf.dcm")
        pdf = sent.EncapsulatedDocument[: sent.EncapsulatedDocumentLength]
        answer = web("doctor").get(f"{place}/rendered", headers={"Accept": "application/pdf"})
        assert answer.content == pdf
        assert answer.headers["content-security-policy"] == "sandbox"
        assert "attachment" in answer.headers["content-disposition"]
        assert web("doctor").get(f"{place}/bulkdata/00420011").content == pdf


class TestFrames:
    def test_plain_values(self, stranger, study):
        [frame] = stranger("doctor").retrieve_instance_frames(study, f"{study}.1", f"{study}.1.3", [1])
        assert bytes(frame) == slice_of(3).PixelData

    def test_compressed_frames_come_as_they_are_kept_or_unpacked(self, stranger, web, sample):
        sent, place = sample("pydicom/examples_ybr_color.dcm")
        uids = (sent.StudyInstanceUID, sent.SeriesInstanceUID, sent.SOPInstanceUID)
        kept = stranger("doctor").retrieve_instance_frames(
            *uids, [1, 30], media_types=(("image/jpeg", "1.2.840.10008.1.2.4.50"),)
        )
        assert [bytes(one[:2]) for one in kept] == [b"\xff\xd8", b"\xff\xd8"]
        unpacked = 'multipart/related; type="application/octet-stream"'
        answer = web("doctor").get(f"{place}/frames/1", headers={"Accept": unpacked})
        assert len(answer.content) > 240 * 320 * 3
        assert "image/jpeg" not in answer.headers["content-type"]

    @pytest.mark.parametrize(("numbers", "status"), [("31", 404), ("0", 404), ("x", 400), ("1,,2", 400)])
    def test_frames_that_are_not_there(self, web, sample, numbers, status):
        _, place = sample("pydicom/examples_ybr_color.dcm")
        assert web("doctor").get(f"{place}/frames/{numbers}").status_code == status

    def test_a_report_has_none(self, web, sample):
        _, place = sample("pydicom/reportsi.dcm")
        assert web("doctor").get(f"{place}/rendered").status_code == 415
        assert web("doctor").get(f"{place}/frames/1").status_code == 415


class TestRendered:
    def test_every_frame_of_a_loop(self, web, sample):
        _, place = sample("pydicom/examples_ybr_color.dcm")
        client = web("doctor")
        shapes = {_pixels(client.get(f"{place}/frames/{frame}/rendered").content).shape for frame in (1, 17, 30)}
        assert shapes == {(240, 320, 3)}
        assert client.get(f"{place}/frames/31/rendered").status_code == 404

    def test_window_viewport_and_form(self, web, study):
        place = f"/studies/{study}/series/{study}.1/instances/{study}.1.1/rendered"
        asked = {"window": "28,256,linear-exact", "viewport": "8,8"}
        answer = web("doctor").get(place, params=asked, headers={"Accept": "image/png"})
        assert answer.headers["content-type"] == "image/png"
        assert answer.headers["cache-control"] == "no-store"
        assert _pixels(answer.content).shape == (8, 8)

    @pytest.mark.parametrize(
        "asked",
        [
            *({"window": text} for text in ("a,b", "1,0", "nan,5", "1,2,3,4")),
            *({"viewport": text} for text in ("0,5", "99999,99999")),
            *({"quality": text} for text in ("0", "²")),
            {"nope": "1"},
        ],
    )
    def test_a_wish_that_makes_no_sense_is_refused(self, web, study, asked):
        place = f"/studies/{study}/series/{study}.1/instances/{study}.1.1/rendered"
        assert web("doctor").get(place, params=asked).status_code == 400

    def test_another_form_is_refused(self, web, study):
        place = f"/studies/{study}/series/{study}.1/instances/{study}.1.1/rendered"
        assert web("doctor").get(place, headers={"Accept": "image/webp"}).status_code == 406

    def test_thumbnails_at_each_level(self, web, study):
        client = web("doctor")
        for level in (f"/studies/{study}", f"/studies/{study}/series/{study}.1"):
            assert max(_pixels(client.get(f"{level}/thumbnail").content).shape) == 128
