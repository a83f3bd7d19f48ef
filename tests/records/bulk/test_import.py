"""Imports: references in any order, refusals line by line, nothing twice, and the same record at the other end."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest

from emr.documents.resources import binary_resource
from emr.records.bulk import jobs
from emr.records.update import update_resource
from emr.storage.ports import name_of
from emr.work.runtime import Runtime
from tests.house import House
from tests.records.bulk.world import Ward, content_of, ndjson, observation, patient

pytestmark = pytest.mark.anyio


@pytest.fixture
async def ward(standing: House, parts: Runtime) -> Ward:
    made = Ward(standing, parts)
    await parts.registry.refresh()
    return made


NAMED: dict[str, Any] = {
    "resourceType": "StructureDefinition",
    "id": "named",
    "url": "https://hoasen.example/fhir/StructureDefinition/named",
    "name": "Named",
    "status": "active",
    "kind": "resource",
    "abstract": False,
    "type": "Patient",
    "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient",
    "derivation": "constraint",
    "differential": {"element": [{"id": "Patient.name", "path": "Patient.name", "min": 1}]},
}


async def stored(ward: Ward) -> dict[tuple[str, str], str]:
    return content_of(await ward.lines(await ward.exported()))


def figures(job: jobs.Job) -> tuple[int, int, int]:
    return job.progress["stored"], job.progress["found"], job.progress["refused"]


def encounter(name: str, **more: Any) -> dict[str, Any]:
    status = {
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
    }
    return {"resourceType": "Encounter", "id": name} | status | more


class TestReferences:
    async def test_may_point_forwards_and_in_circles(self, ward: Ward) -> None:
        visit = encounter("e", subject={"reference": "Patient/p"}, partOf={"reference": "Encounter/f"})
        outer = encounter("f", subject={"reference": "Patient/p"}, partOf={"reference": "Encounter/e"})
        job = await ward.imported(ndjson([observation("o", "p"), visit, outer, patient("p")]))
        assert (job.state, figures(job)) == ("done", (4, 0, 0))

    async def test_are_found_by_search_and_in_the_record_afterwards(self, ward: Ward) -> None:
        await ward.imported(ndjson([observation("o", "p"), patient("p")]))
        schema = ward.tenant.schema
        linked = ward.house.sql(
            f"SELECT count(*) FROM {schema}.links l JOIN {schema}.resources r ON r.pk = l.target WHERE r.id = 'p'"
        )
        beside = ward.house.sql(
            f"SELECT count(*) FROM {schema}.compartments c JOIN {schema}.resources r ON r.pk = c.patient WHERE r.id = 'p'"
        )
        assert linked[0][0] >= 1
        assert beside == [(2,)]

    async def test_to_nothing_are_refused_and_who_refers_to_the_refused_too(self, ward: Ward) -> None:
        lost = encounter("e", subject={"reference": "Patient/nobody"})
        follows = observation("o", "p", encounter={"reference": "Encounter/e"})
        job = await ward.imported(ndjson([patient("p"), lost, follows]))
        assert figures(job) == (1, 0, 2)
        said = await ward.lines(job, "report")
        assert [each["issue"][0]["details"]["coding"][0]["code"] for each in said] == ["reference-broken"] * 2
        assert "body, line 2:" in said[0]["issue"][0]["diagnostics"]


class TestLines:
    async def test_that_are_wrong_are_refused_alone_and_named(self, ward: Ward) -> None:
        wrong = (
            b'{"resourceType":"Patient","id":"x","gender":"neither"}\nnot json\n{"resourceType":"Nothing","id":"n"}\n'
        )
        job = await ward.imported(wrong + b"\n" + ndjson([patient("p")]) + b'{"resourceType":"Patient"}')
        assert figures(job) == (1, 0, 4)
        lines = [each["issue"][0]["diagnostics"].split(":")[0] for each in await ward.lines(job, "report")]
        assert lines == ["body, line 1", "body, line 2", "body, line 3", "body, line 6"]

    async def test_of_one_resource_become_its_versions(self, ward: Ward) -> None:
        job = await ward.imported(ndjson([patient("p"), patient("p", gender="male")]))
        assert figures(job) == (2, 0, 0)
        assert (await ward.lines(await ward.exported()))[0]["meta"]["versionId"] == "2"

    async def test_are_found_when_they_say_the_same(self, ward: Ward) -> None:
        await ward.imported(ndjson([patient("p")]))
        job = await ward.imported(ndjson([patient("p"), patient("q")]))
        assert figures(job) == (1, 1, 0)

    async def test_of_a_file_that_was_imported_whole_are_not_read_again(self, ward: Ward) -> None:
        await ward.imported(ndjson([patient("p")]))
        job = await ward.imported(ndjson([patient("p")]))
        assert figures(job) == (0, 0, 0)
        assert len(job.progress["known"]) == 1

    async def test_that_break_a_profile_are_refused_alone(self, ward: Ward) -> None:
        async with ward.work() as work:
            await update_resource(work, NAMED)
        meta = {"profile": [NAMED["url"]]}
        nameless = {"resourceType": "Patient", "id": "x", "meta": meta}
        job = await ward.imported(ndjson([nameless, patient("p", meta=meta), observation("o", "x"), patient("q")]))
        assert figures(job) == (2, 0, 2)
        [first, second] = await ward.lines(job, "report")
        assert first["issue"][0]["expression"] == ["Patient.name"]
        assert second["issue"][0]["details"]["coding"][0]["code"] == "reference-broken"

    async def test_of_a_search_parameter_that_cannot_be_used_are_refused_alone(self, ward: Ward) -> None:
        unusable = {
            "resourceType": "SearchParameter",
            "id": "bad",
            "url": "https://hoasen.example/fhir/SearchParameter/bad",
            "name": "bad",
            "status": "active",
            "description": "It asks for what nobody has.",
            "code": "bad",
            "base": ["Patient"],
            "type": "token",
            "expression": "Patient.nothing",
        }
        job = await ward.imported(ndjson([patient("p"), unusable, patient("q")]))
        assert figures(job) == (2, 0, 1)

    async def test_that_follow_a_wrong_one_of_the_same_name_are_stored(self, ward: Ward) -> None:
        job = await ward.imported(ndjson([patient("p", gender="neither"), patient("p")]))
        assert figures(job) == (1, 0, 1)

    async def test_are_counted_right_over_many_batches(self, ward: Ward) -> None:
        people = [patient(f"p{number}") for number in range(1_300)]
        seen = [observation(f"o{number}", f"p{1_299 - number}") for number in range(1_300)]
        job = await ward.imported(ndjson([*seen, *people]))
        assert figures(job) == (2_600, 0, 0)


class TestBytes:
    async def test_of_a_scan_travel_with_its_binary(self, ward: Ward, standing: House, parts: Runtime) -> None:
        content = bytes(range(256)) * 5_000
        async with ward.work() as work:
            await update_resource(work, patient("p"))
            blob = await work.blobs.put(_one(content), media_type="application/pdf", limit=1 << 30)
            await update_resource(work, binary_resource(blob, "p"))
        export = await ward.exported()
        line = next(each for each in await ward.lines(export) if each["resourceType"] == "Binary")
        assert base64.b64decode(line["data"]) == content
        other = Ward(standing, parts)
        await parts.registry.refresh()
        job = await other.imported(await ward.text(export))
        assert figures(job) == (2, 0, 0)
        async with other.work() as work:
            there = await work.blobs.find(blob.key)
            assert (there.digest, there.media_type) == (blob.digest, "application/pdf")
        again = await other.lines(await other.exported())
        assert content_of(again) == content_of(await ward.lines(export))
        bodies = standing.sql(f"SELECT octet_length(body) FROM {other.tenant.schema}.resources WHERE type = 'Binary'")
        assert bodies[0][0] < 1_000

    async def test_longer_than_json_may_be_travel_as_a_stream(
        self, ward: Ward, standing: House, parts: Runtime
    ) -> None:
        async with ward.work() as work:
            await update_resource(work, patient("p"))
            blob = await work.blobs.put(_many(40), media_type="image/tiff", limit=1 << 30)
            await update_resource(work, binary_resource(blob, "p"))
        text = await ward.text(await ward.exported(types=["Binary", "Patient"]))
        other = Ward(standing, parts)
        await parts.registry.refresh()
        job = await other.imported(text + ndjson([patient("q")]))
        assert figures(job) == (3, 0, 0)
        async with other.work() as work:
            assert (await work.blobs.find(blob.key)).digest == blob.digest

    async def test_that_differ_from_those_here_are_refused(self, ward: Ward) -> None:
        async with ward.work() as work:
            await update_resource(work, patient("p"))
            blob = await work.blobs.put(_one(b"scan"), media_type="application/pdf", limit=1 << 30)
            await update_resource(work, binary_resource(blob, "p"))
        forged = {"resourceType": "Binary", "id": name_of(blob.key), "contentType": "application/pdf", "data": "AAAA"}
        job = await ward.imported(ndjson([forged]))
        assert figures(job) == (0, 0, 1)


async def _one(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def _many(mebibytes: int) -> AsyncIterator[bytes]:
    for number in range(mebibytes):
        yield bytes([number]) * (1 << 20)
