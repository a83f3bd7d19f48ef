"""Keeping what devices send."""

import pytest

from emr.imaging.actions.find import find_instances, find_studies
from emr.imaging.actions.show import open_instances, open_picture, read_frame
from emr.imaging.actions.store import store_instances
from emr.imaging.actions.study import list_studies
from emr.imaging.errors import IdentityCollision, InstanceNotFound, PatientMismatch, SeriesElsewhere
from emr.imaging.matching import Matching, Span
from emr.imaging.parse import read_arrival
from emr.imaging.picture import picture_from_json
from emr.imaging.policy import NO_NUMBER, OTHER_BIRTH_DATE, OTHER_SEX, UNKNOWN_NUMBER
from emr.kernel.errors import Forbidden
from emr.records.read import read
from emr.work.unit import unit_of_work
from tests.house import CAU_VONG, HOA_SEN
from tests.imaging.records import admit, fresh
from tests.imaging.samples import ROOT, encoded, slice_of, write

pytestmark = pytest.mark.anyio


@pytest.fixture
def keep(standing, parts, tmp_path):
    """Store datasets as a device of a hospital would."""

    async def keep(*datasets, slug=HOA_SEN, role="pacs", **options):
        paths = [write(tmp_path, encoded(one), f"{fresh()}.dcm") for one in datasets]
        arrivals = [await read_arrival(path) for path in paths]
        async with unit_of_work(parts, standing.tenants[slug], standing.principal(role, slug)) as work:
            return await store_instances(work, arrivals, **options)

    return keep


@pytest.fixture
def asking(standing, parts):
    """A unit of work of somebody in a hospital."""

    def asking(role="doctor", slug=HOA_SEN):
        return unit_of_work(parts, standing.tenants[slug], standing.principal(role, slug))

    return asking


class TestStore:
    async def test_a_role_that_may_not_is_refused_and_nothing_is_kept(self, standing, keep):
        before = standing.counts(), standing.objects(), standing.refusals()
        with pytest.raises(Forbidden):
            await keep(slice_of(study=fresh()), role="reception")
        assert (standing.counts(), standing.objects()) == before[:2]
        assert standing.refusals() == before[2] + 1

    async def test_another_hospital_sees_nothing_of_it(self, keep, asking):
        study = fresh()
        await keep(slice_of(study=study))
        async with asking(slug=CAU_VONG) as work:
            assert not await find_studies(work, Matching(studies=(f"{ROOT}{study}",)))
            with pytest.raises(InstanceNotFound):
                await open_instances(work, Matching(studies=(f"{ROOT}{study}",)))

    async def test_the_file_comes_back_byte_for_byte(self, keep, asking):
        study = fresh()
        made = slice_of(study=study)
        await keep(made)
        async with asking() as work:
            [opened] = await open_instances(work, Matching(studies=(f"{ROOT}{study}",)))
            content = b"".join([chunk async for chunk in opened.chunks()])
        assert content == encoded(made)

    async def test_one_frame_is_read_by_its_range(self, keep, asking):
        study = fresh()
        made = slice_of(study=study, NumberOfFrames=3, Rows=4, Columns=4)
        made.PixelData = bytes(range(96))
        await keep(made)
        async with asking() as work:
            opened, frame = await open_picture(work, Matching(studies=(f"{ROOT}{study}",)), 2)
            assert frame == 2
            assert await read_frame(opened, frame) == [bytes(range(32, 64))]

    async def test_the_same_again_is_kept_already(self, standing, keep):
        study = fresh()
        await keep(slice_of(study=study))
        before = standing.counts(), standing.objects()
        [outcome] = await keep(slice_of(study=study))
        assert outcome.already
        assert (standing.counts(), standing.objects()) == before

    async def test_other_bytes_under_the_same_uid_are_refused(self, standing, keep):
        study = fresh()
        await keep(slice_of(study=study))
        before = standing.counts(), standing.objects()
        [outcome] = await keep(slice_of(study=study, SliceLocation="5"))
        assert isinstance(outcome.refusal, IdentityCollision)
        assert (standing.counts(), standing.objects()) == before

    async def test_the_same_uid_in_another_hospital_is_its_own(self, keep, asking):
        study = fresh()
        await keep(slice_of(study=study))
        [outcome] = await keep(slice_of(study=study, SliceLocation="7"), slug=CAU_VONG)
        assert outcome.refusal is None
        async with asking(slug=CAU_VONG) as work:
            assert len(await find_studies(work, Matching(studies=(f"{ROOT}{study}",)))) == 1

    async def test_a_study_cannot_change_its_patient(self, keep):
        study = fresh()
        await keep(slice_of(1, study=study))
        [outcome] = await keep(slice_of(2, study=study, PatientID="SOMEBODY-ELSE"))
        assert isinstance(outcome.refusal, PatientMismatch)

    async def test_a_series_stays_in_its_study(self, keep):
        study = fresh()
        await keep(slice_of(1, study=study))
        [outcome] = await keep(
            slice_of(2, study=fresh(), SeriesInstanceUID=f"{ROOT}{study}.1", SOPInstanceUID=f"{ROOT}{study}.1.2")
        )
        assert isinstance(outcome.refusal, SeriesElsewhere)

    async def test_the_good_ones_of_a_batch_are_kept(self, keep, asking):
        study = fresh()
        outcomes = await keep(
            slice_of(1, study=study), slice_of(2, study=study, PatientID="OTHER"), slice_of(3, study=study)
        )
        assert [outcome.refusal is None for outcome in outcomes] == [True, False, True]
        async with asking() as work:
            [found] = await find_studies(work, Matching(studies=(f"{ROOT}{study}",)))
        assert found.instances == 2


class TestTheImagingStudy:
    async def test_speaks_of_the_study_and_belongs_to_who_has_its_record_number(self, standing, parts, keep, asking):
        study = fresh()
        holder = await admit(parts, standing, f"BN{study}")
        number = {"PatientID": f"BN{study}"}
        await keep(slice_of(1, study=study, **number), slice_of(2, study=study, **number))
        await keep(slice_of(1, study=study, series="2", **number))
        async with asking() as work:
            [found] = await find_studies(work, Matching(patients=(holder,)))
            resource = (await read(work, "ImagingStudy", found.study_id)).resource()
        assert resource["subject"] == {"reference": f"Patient/{holder}"}
        assert resource["identifier"][0]["value"] == f"urn:oid:{ROOT}{study}"
        assert (resource["numberOfSeries"], resource["numberOfInstances"]) == (2, 3)
        assert resource["started"] == "2026-11-01T08:15:00+07:00"

    @pytest.mark.parametrize(
        ("changes", "doubt"),
        [
            ({"PatientID": "NOBODY-HAS-THIS"}, UNKNOWN_NUMBER),
            ({"PatientID": ""}, NO_NUMBER),
            ({"PatientBirthDate": "19800511"}, OTHER_BIRTH_DATE),
            ({"PatientSex": "M"}, OTHER_SEX),
        ],
    )
    async def test_what_does_not_fit_waits_for_a_human(self, standing, parts, keep, asking, changes, doubt):
        study = fresh()
        await admit(parts, standing, f"BN{study}")
        await keep(slice_of(study=study, **({"PatientID": f"BN{study}"} | changes)))
        async with asking() as work:
            [found] = await find_studies(work, Matching(studies=(f"{ROOT}{study}",), unmatched=True))
            subject = (await read(work, "ImagingStudy", found.study_id)).resource()["subject"]
        assert (found.patient, found.doubt) == (None, doubt)
        assert "reference" not in subject

    async def test_slices_that_come_one_by_one_make_no_version_each(self, keep, asking):
        study = fresh()
        for number in range(1, 7):
            await keep(slice_of(number, study=study), list_now=False)
        async with asking("pacs") as work:
            [found] = await find_studies(work, Matching(studies=(f"{ROOT}{study}",)))
            assert await list_studies(work, [f"{ROOT}{study}"]) == 1
            stored = await read(work, "ImagingStudy", found.study_id)
        assert stored.version == 2
        assert stored.resource()["numberOfInstances"] == 6


class TestFind:
    @pytest.mark.parametrize(
        "asked",
        [
            {"patient_name": "dang^thi*"},
            {"patient_name": "ĐẶNG THỊ THỬ"},
            {"patient_name": "thu dang", "fuzzy": True},
            {"patient_name": "d?ng*"},
            {"date": Span("20261101", "20261101")},
            {"date": Span("20261031", "")},
            {"time": Span("080000", "090000")},
            {"modalities": ("CT", "MR")},
            {"modality": ("CT",)},
            {"study_number": "S1"},
            {"accession": "ACC*"},
        ],
    )
    async def test_each_key_matches(self, keep, asking, asked):
        study = fresh()
        await keep(slice_of(study=study))
        async with asking() as work:
            assert len(await find_studies(work, Matching(studies=(f"{ROOT}{study}",), **asked))) == 1

    @pytest.mark.parametrize(
        "asked",
        [
            {"patient_name": "dang"},
            {"patient_name": "d%"},
            {"patient_name": "dang_thi*"},
            {"date": Span("20261102", "")},
            {"modalities": ("MR",)},
            {"accession": "ACC"},
            {"accession": "'; DROP TABLE dicom_series; --"},
            {"patient_id": "BN"},
        ],
    )
    async def test_what_does_not_fit_is_not_found(self, keep, asking, asked):
        study = fresh()
        await keep(slice_of(study=study))
        async with asking() as work:
            assert not await find_studies(work, Matching(studies=(f"{ROOT}{study}",), **asked))

    async def test_instances_come_in_the_order_of_their_numbers(self, keep, asking):
        study = fresh()
        await keep(*(slice_of(number, study=study) for number in (3, 1, 10, 2)))
        async with asking() as work:
            found = await find_instances(work, Matching(studies=(f"{ROOT}{study}",)))
            page = await find_instances(work, Matching(studies=(f"{ROOT}{study}",), limit=2, offset=1))
        assert [one.number for one in found] == [1, 2, 3, 10]
        assert [one.number for one in page] == [2, 3]

    async def test_each_search_leaves_an_audit_row_without_what_was_searched_for(self, standing, asking):
        async with asking() as work:
            await find_studies(work, Matching(patient_name="nguyen bi mat*"))
        rows = standing.sql("SELECT row FROM cell.audit_journal WHERE row LIKE '%%imaging.searched%%'")
        schema = standing.tenants[HOA_SEN].schema
        rows += standing.sql(f"SELECT row FROM {schema}.audit_events WHERE action = 'imaging.searched'")
        assert rows
        assert not [row for row in rows if "bi mat" in row[0]]


class TestPictures:
    async def test_are_counted_over_all_instances(self, keep, asking):
        study = fresh()
        await keep(slice_of(1, study=study), slice_of(2, study=study, Rows=4, Columns=4, NumberOfFrames=5))
        async with asking() as work:
            opened, frame = await open_picture(work, Matching(studies=(f"{ROOT}{study}",)), 4)
            assert (opened.kept.instance, frame) == (f"{ROOT}{study}.1.2", 3)
            assert picture_from_json(opened.kept.picture).frames == 5
            with pytest.raises(InstanceNotFound):
                await open_picture(work, Matching(studies=(f"{ROOT}{study}",)), 7)
