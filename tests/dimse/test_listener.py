"""Devices that knock, seen from the foreign peer dcmtk."""

import asyncio
import io
import time
from pathlib import Path

import pytest
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.sop_class import CTImageStorage

from emr.dimse.listener import Listener
from emr.imaging.actions.find import find_studies
from emr.imaging.matching import Matching
from emr.records.read import read
from emr.work.unit import unit_of_work
from tests.house import CAU_VONG, HOA_SEN
from tests.imaging.records import admit, fresh
from tests.imaging.samples import ROOT, encoded, shared, slice_of, write
from tests.servers.dcmtk import Device

pytestmark = [pytest.mark.anyio, pytest.mark.server]


@pytest.fixture
async def port(parts):
    """A listener on a free port."""
    listener = Listener(parts, asyncio.get_running_loop())
    await asyncio.to_thread(listener.start)
    yield listener.port
    await asyncio.to_thread(listener.stop, 10)


async def _run(call, *arguments):
    return await asyncio.to_thread(call, *arguments)


async def _until(check, seconds: float = 30):
    deadline = time.monotonic() + seconds
    while not await check():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)


class TestWhoIsLetIn:
    @pytest.mark.parametrize(
        ("device", "reason"),
        [
            ({"title": "NOBODY"}, "Calling AE Title Not Recognized"),
            ({"title": "CT1"}, "Calling AE Title Not Recognized"),
            ({"title": "XRAY2"}, "Calling AE Title Not Recognized"),
            ({"title": "XRAY1", "called": "CAUVONG"}, "Calling AE Title Not Recognized"),
        ],
    )
    async def test_an_unlisted_device_or_address_is_refused_and_audited(self, standing, port, device, reason):
        slug = CAU_VONG if device.get("called") == "CAUVONG" else HOA_SEN
        before = standing.refusals(slug)
        answer = await _run(Device(port, **device).echo)
        assert answer.returncode != 0
        assert reason in answer.stdout + answer.stderr
        assert standing.refusals(slug) == before + 1

    async def test_a_called_title_that_no_hospital_has_is_refused_and_audited(self, standing, port):
        before = standing.refusals(None)
        answer = await _run(Device(port, called="NOWHERE").echo)
        assert "Called AE Title Not Recognized" in answer.stdout + answer.stderr
        assert standing.refusals(None) == before + 1

    async def test_a_listed_device_is_answered(self, port):
        assert (await _run(Device(port).echo)).returncode == 0
        assert (await _run(Device(port, "XRAY2", "CAUVONG").echo)).returncode == 0


class TestStore:
    async def test_a_study_lands_in_the_hospital_that_was_called(self, standing, parts, port, tmp_path):
        study = fresh()
        holder = await admit(parts, standing, f"BN{study}")
        made = [slice_of(number, study=study, PatientID=f"BN{study}") for number in range(1, 6)]
        files = [write(tmp_path, encoded(one), f"{at}.dcm") for at, one in enumerate(made)]
        assert (await _run(Device(port).store, files)).returncode == 0

        async def listed() -> bool:
            async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal("doctor")) as work:
                [found] = await find_studies(work, Matching(patients=(holder,)))
                resource = (await read(work, "ImagingStudy", found.study_id)).resource()
            assert found.instances == 5
            return resource["numberOfInstances"] == 5

        await _until(listed)
        async with unit_of_work(parts, standing.tenants[CAU_VONG], standing.principal("doctor", CAU_VONG)) as work:
            assert not await find_studies(work, Matching(studies=(f"{ROOT}{study}",)))

    async def test_each_store_is_audited_with_its_device(self, standing, port, tmp_path):
        await _run(Device(port).store, [write(tmp_path, encoded(slice_of(study=fresh())))])
        schema = standing.tenants[HOA_SEN].schema
        rows = standing.sql("SELECT row FROM cell.audit_journal WHERE tenant = %s", schema)
        rows += standing.sql(f"SELECT row FROM {schema}.audit_events")
        assert [row for row in rows if "imaging.stored" in row[0] and "dicom:XRAY1" in row[0]]

    @pytest.mark.parametrize("syntax", ["pydicom/MR_small_RLE.dcm", "pydicom/examples_jpeg2k.dcm"])
    async def test_compressed_pictures_are_kept_as_they_are(self, port, syntax):
        option = "-xr" if "RLE" in syntax else "-xv"
        answer = await _run(Device(port, "XRAY2", "CAUVONG").store, [shared(f"dicom/{syntax}")], option)
        assert answer.returncode == 0, answer.stdout + answer.stderr

    async def test_a_collision_is_refused_with_its_status(self, standing, port, tmp_path):
        study = fresh()
        await _run(Device(port).store, [write(tmp_path, encoded(slice_of(study=study)))])
        before = standing.counts(), standing.objects(), standing.refusals()
        other = write(tmp_path, encoded(slice_of(study=study, PatientComments="other")), "other.dcm")
        answer = await _run(Device(port).store, [other])
        assert answer.returncode != 0
        assert "0x111" in (answer.stdout + answer.stderr).lower()
        assert (standing.counts(), standing.objects(), standing.refusals()) == (*before[:2], before[2] + 1)

    async def test_a_dataset_that_does_not_fit_its_pixels_is_refused(self, standing, port, tmp_path):
        before = standing.counts(), standing.objects(), standing.refusals()
        broken = write(tmp_path, encoded(slice_of(study=fresh(), Rows=60000)))
        answer = await _run(Device(port).store, [broken])
        assert answer.returncode != 0
        assert (standing.counts(), standing.objects(), standing.refusals()) == (*before[:2], before[2] + 1)

    @pytest.mark.parametrize(
        ("state", "echoes", "says"),
        [("read-only", True, "0x124"), ("leaving", True, "0x124"), ("suspended", False, "Rejected Transient")],
    )
    async def test_a_hospital_that_takes_nothing_says_so(self, standing, parts, port, tmp_path, state, echoes, says):
        schema = standing.tenants[CAU_VONG].schema
        before = standing.counts(CAU_VONG), standing.objects(CAU_VONG), standing.refusals(CAU_VONG)
        standing.sql("UPDATE directory.tenants SET state = %s WHERE schema = %s", state, schema)
        try:
            await parts.registry.refresh()
            device = Device(port, "XRAY2", "CAUVONG")
            answer = await _run(device.store, [write(tmp_path, encoded(slice_of(study=fresh())))])
            assert answer.returncode != 0
            assert says.lower() in (answer.stdout + answer.stderr).lower()
            assert ((await _run(device.echo)).returncode == 0) is echoes
        finally:
            standing.sql("UPDATE directory.tenants SET state = 'trial' WHERE schema = %s", schema)
        refused = standing.refusals(CAU_VONG) - before[2]
        assert (standing.counts(CAU_VONG), standing.objects(CAU_VONG)) == before[:2]
        assert refused == (1 if echoes else 2)

    async def test_a_hospital_without_room_is_out_of_resources(self, standing, parts, port, tmp_path):
        schema, most = standing.tenants[CAU_VONG].schema, parts.registry.by_slug(CAU_VONG).quotas.storage_gib
        columns = "(key, digest, size, media_type, key_id, retention_class)"
        standing.sql(f"INSERT INTO {schema}.blobs {columns} VALUES ('full', '', %s, 'x', 'k', 'record')", most << 30)
        try:
            answer = await _run(
                Device(port, "XRAY2", "CAUVONG").store, [write(tmp_path, encoded(slice_of(study=fresh())))]
            )
        finally:
            standing.sql(f"DELETE FROM {schema}.blobs WHERE key = 'full'")
        assert "outofresources" in (answer.stdout + answer.stderr).lower()

    async def test_a_state_counts_in_an_association_that_was_there_before(self, standing, parts, port):
        device = AE(ae_title="XRAY2")
        device.add_requested_context(CTImageStorage)
        association = await _run(lambda: device.associate("127.0.0.1", port, ae_title="CAUVONG"))
        schema = standing.tenants[CAU_VONG].schema
        found = []
        try:
            for state in ("read-only", "suspended", "trial"):
                standing.sql("UPDATE directory.tenants SET state = %s WHERE schema = %s", state, schema)
                await parts.registry.refresh()
                found.append((await _run(association.send_c_store, slice_of(study=fresh()))).Status)
        finally:
            standing.sql("UPDATE directory.tenants SET state = 'trial' WHERE schema = %s", schema)
            await _run(association.release)
        assert found == [0x0124, 0xA700, 0x0000]

    async def test_a_line_that_drops_leaves_nothing_behind(self, standing, port, tmp_path, monkeypatch):
        before = standing.counts(), standing.objects()

        def begin_and_drop() -> None:
            device = AE(ae_title="XRAY1")
            device.add_requested_context(CTImageStorage)
            association = device.associate("127.0.0.1", port, ae_title="HOASEN")
            assert association.is_established
            association.dul.socket.close()
            association.kill()

        await _run(begin_and_drop)
        assert (standing.counts(), standing.objects()) == before
        assert (await _run(Device(port).echo)).returncode == 0


def _send_raw(port: int, path: Path) -> int:
    """C-STORE of a file's dataset as it is, which no honest library would send; the status of the answer."""
    content = path.read_bytes()
    start = 132 + 12 + int.from_bytes(content[140:144], "little")
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = CTImageStorage, f"{ROOT}{fresh()}"
    request.DataSet = io.BytesIO(content[start:])
    device = AE(ae_title="XRAY1")
    device.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    association = device.associate("127.0.0.1", port, ae_title="HOASEN")
    # As pynetdicom's own `send_c_store` does, so that its reactor does not take the answer.
    association._reactor_checkpoint.clear()
    while not association._is_paused:
        time.sleep(0.01)
    try:
        association.dimse.send_msg(request, association.accepted_contexts[0].context_id)
        _, answer = association.dimse.get_msg(block=True)
        return int(answer.Status)
    finally:
        association._reactor_checkpoint.set()
        association.release()


class TestHostileFiles:
    @pytest.mark.parametrize(
        "name", ["bad/files/wrong_length.dcm", "bad/files/pixel_length.dcm", "bad/files/open_sequence.dcm"]
    )
    async def test_store_nothing_and_leave_one_refusal(self, standing, port, name):
        before = standing.counts(), standing.objects(), standing.refusals()
        assert await _run(_send_raw, port, shared(name)) == 0xC000
        assert (standing.counts(), standing.objects(), standing.refusals()) == (*before[:2], before[2] + 1)


class TestHostileLines:
    async def test_a_pdu_that_claims_four_gigabytes_is_not_read(self, port):
        async def knock(head: bytes) -> bytes:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head)
            await writer.drain()
            answer = await asyncio.wait_for(reader.read(), 30)
            writer.close()
            return answer

        assert await knock(b"\x01\x00\xff\xff\xff\xff" + b"\0" * 4096) in (b"", answer_abort())
        assert (await _run(Device(port).echo)).returncode == 0

    async def test_rubbish_is_answered_with_an_abort_and_nothing_else_suffers(self, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await asyncio.wait_for(reader.read(), 30)
        writer.close()
        assert (await _run(Device(port).echo)).returncode == 0


def answer_abort() -> bytes:
    """A-ABORT by the service provider (PS3.8 section 9.3.8)."""
    return b"\x07\x00\x00\x00\x00\x04\x00\x00\x00\x00"
