"""STOW-RS over HTTP."""

import resource
import time
from collections.abc import Iterator

import pydicom
import pytest

from tests.house import CAU_VONG, HOA_SEN
from tests.imaging.records import fresh
from tests.imaging.samples import ROOT, encoded, shared, slice_of

DICOM = {"Content-Type": "application/dicom"}


def _body(*contents: bytes) -> tuple[bytes, dict[str, str]]:
    parts = b"".join(b"--edge\r\nContent-Type: application/dicom\r\n\r\n" + one + b"\r\n" for one in contents)
    return parts + b"--edge--\r\n", {"Content-Type": 'multipart/related; type="application/dicom"; boundary=edge'}


def _failures(answer) -> list[int]:
    return [item["00081197"]["Value"][0] for item in answer.json().get("00081198", {"Value": []})["Value"]]


class TestWhoMayStore:
    def test_nobody_without_signing_in(self, live, web):
        client = web()
        del client.headers["Authorization"]
        assert client.post("/studies", content=encoded(slice_of(study=fresh())), headers=DICOM).status_code == 401

    def test_not_a_role_that_only_looks(self, live, web):
        before = live.counts(), live.objects(), live.refusals()
        answer = web("doctor").post("/studies", content=encoded(slice_of(study=fresh())), headers=DICOM)
        assert answer.status_code == 403
        assert (live.counts(), live.objects(), live.refusals()) == (*before[:2], before[2] + 1)

    def test_not_a_member_of_another_hospital(self, live, web):
        client = web("imaging", CAU_VONG)
        url = f"{live.url}/h/{HOA_SEN}/dicomweb/studies"
        assert client.post(url, content=encoded(slice_of(study=fresh())), headers=DICOM).status_code == 403


class TestStore:
    def test_a_foreign_client_stores_and_gets_the_same_pixels_back(self, stranger):
        study = fresh()
        made = [slice_of(number, study=study) for number in (1, 2, 3)]
        stored = stranger("pacs").store_instances(made)
        assert len(stored.ReferencedSOPSequence) == 3
        back = stranger().retrieve_study(f"{ROOT}{study}")
        assert [one.PixelData for one in back] == [one.PixelData for one in made]

    def test_the_good_ones_of_a_request_are_kept_and_the_others_named(self, web):
        study = fresh()
        body, headers = _body(encoded(slice_of(1, study=study)), b"%PDF-1.7", encoded(slice_of(2, study=study)))
        answer = web().post("/studies", content=body, headers=headers)
        assert answer.status_code == 202
        assert _failures(answer) == [0xC000]
        assert len(answer.json()["00081199"]["Value"]) == 2

    def test_an_instance_of_another_study_than_the_address_is_refused(self, web):
        answer = web().post("/studies/1.2.3", content=encoded(slice_of(study=fresh())), headers=DICOM)
        assert answer.status_code == 409

    def test_the_same_again_is_fine_and_other_bytes_are_refused(self, live, web):
        study, client = fresh(), web()
        assert client.post("/studies", content=encoded(slice_of(study=study)), headers=DICOM).status_code == 200
        before = live.counts(), live.objects(), live.refusals()
        assert client.post("/studies", content=encoded(slice_of(study=study)), headers=DICOM).status_code == 200
        other = client.post("/studies", content=encoded(slice_of(study=study, KVP="120")), headers=DICOM)
        assert (other.status_code, _failures(other)) == (409, [0x0111])
        assert (live.counts(), live.objects(), live.refusals()) == (*before[:2], before[2] + 1)

    @pytest.mark.parametrize(
        "name",
        [
            "bad/files/wrong_length.dcm",
            "bad/files/pixel_length.dcm",
            "bad/files/open_sequence.dcm",
            "dicom/pydicom/no_meta.dcm",
            "dicom/pydicom/MR_truncated.dcm",
            "dicom/pydicom/MR_small_bigendian.dcm",
            "dicom/made/broken_magic.dcm",
            "dicom/made/broken_rows.dcm",
        ],
    )
    def test_hostile_files_store_nothing_and_leave_one_refusal(self, live, web, name):
        client, content = web(), shared(name).read_bytes()
        before = live.counts(), live.objects(), live.refusals()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        answer = client.post("/studies", content=content, headers=DICOM)
        assert answer.status_code == 409
        assert "Traceback" not in answer.text
        assert (live.counts(), live.objects(), live.refusals()) == (*before[:2], before[2] + 1)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 100_000

    @pytest.mark.parametrize(
        ("kind", "body", "status"),
        [
            ("application/json", b"{}", 415),
            ("multipart/related; type=application/dicom; boundary=edge", b"nothing", 400),
            ('multipart/related; type="application/dicom+xml"; boundary=edge', b"", 415),
        ],
    )
    def test_another_kind_of_body_is_refused(self, live, web, kind, body, status):
        before = live.counts(), live.objects(), live.refusals()
        answer = web().post("/studies", content=body, headers={"Content-Type": kind})
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert (live.counts(), live.objects(), live.refusals()) == (*before[:2], before[2] + 1)

    def test_memory_stays_flat_while_a_large_instance_comes_and_goes(self, web):
        study, client = fresh(), web()
        made = encoded(slice_of(study=study, Rows=1024, Columns=1024, NumberOfFrames=4, PixelData=bytes(8 << 20)))
        head, zeros = made[: -(8 << 20)], bytes(1 << 20)
        head = head[:-4] + (96 << 20).to_bytes(4, "little")

        def large() -> Iterator[bytes]:
            yield head
            for _ in range(96):
                yield zeros

        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert client.post("/studies", content=large(), headers=DICOM).status_code == 200
        place, taken = f"/studies/{ROOT}{study}", 0
        with client.stream("GET", place) as answer:
            for chunk in answer.iter_raw():
                taken += len(chunk)
        assert taken > 96 << 20
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000

    def test_each_sample_file_comes_back_with_the_same_pixels(self, web):
        client = web()
        for name in ("CT_small", "MR_small", "examples_ybr_color", "examples_jpeg2k", "reportsi"):
            path = shared(f"dicom/pydicom/{name}.dcm")
            assert client.post("/studies", content=path.read_bytes(), headers=DICOM).status_code == 200
            sent = pydicom.dcmread(path)
            place = f"/studies/{sent.StudyInstanceUID}/series/{sent.SeriesInstanceUID}/instances/{sent.SOPInstanceUID}"
            back = client.get(place, headers={"Accept": "application/dicom"})
            assert back.content == path.read_bytes()


class TestQuota:
    def test_is_told_before_it_is_used_up_and_then_nothing_is_kept(self, live, web):
        schema = live.tenants[HOA_SEN].schema
        columns = "(key, digest, size, media_type, key_id, retention_class)"
        plant = f"INSERT INTO {schema}.blobs {columns} VALUES ('full', '', %s, 'x', 'k', 'record')"
        assert "warning" not in web().post("/studies", content=encoded(slice_of(study=fresh())), headers=DICOM).headers
        found = []
        for gib, is_told in ((170, _warned), (200, _full)):
            live.sql(plant, gib << 30)
            # The service adds up anew after fifty times as long as that took, so it may know of less for a moment.
            deadline = time.monotonic() + 60
            try:
                while not is_told(
                    answer := web().post("/studies", content=encoded(slice_of(study=fresh())), headers=DICOM)
                ):
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
                found.append(answer)
            finally:
                live.sql(f"DELETE FROM {schema}.blobs WHERE key = 'full'")
        near, full = found
        assert (near.status_code, near.headers["warning"][:3]) == (200, "299")
        assert (full.status_code, full.json()["code"]) == (413, "hospital-storage-full")


def _warned(answer) -> bool:
    return "warning" in answer.headers


def _full(answer) -> bool:
    return answer.status_code != 200
