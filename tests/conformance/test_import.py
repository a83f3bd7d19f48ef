"""All sample bundles brought into a hospital of their own, and read back element by element."""

import asyncio
import gzip
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from emr.fleet.importing import Report, files_of, import_files
from emr.kernel import json
from emr.records.bulk.worker import BulkWorker
from emr.records.stored import unpack
from emr.work.leases import Leases
from emr.work.runtime import runtime
from tests.definitions.samples import Json, bundles, shared
from tests.fhir.samples import mark
from tests.house import HOA_SEN, House

SHARED_TYPES = ("Organization", "Practitioner")
OURS = re.compile(r"([A-Z][A-Za-z]+)/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
ASKED = re.compile(r"(Practitioner|Organization|Location)\?identifier=[^\"]+")


def import_into(house: House, slug: str, paths: list[Path]) -> Report:
    async def run() -> Report:
        parts = runtime(house.settings)
        await parts.open()
        try:
            return await import_files(parts, slug, files_of(paths), lambda: None)
        finally:
            await parts.close()

    return asyncio.run(run())


@dataclass(frozen=True)
class Brought:
    """A hospital that was empty before, and what its import said."""

    house: House
    slug: str
    report: Report

    def bodies(self) -> Iterator[tuple[str, bytes]]:
        schema = self.house.tenants[self.slug].schema
        for resource_type, body in self.house.sql(f"SELECT type, body FROM {schema}.resources"):
            yield resource_type, unpack(bytes(body))


@pytest.fixture(scope="module")
def brought(standing: House) -> Brought:
    folder = shared("synthea/bundles")
    slug = f"import-{mark()[:6]}"
    standing.new_hospital(slug)
    return Brought(standing, slug, import_into(standing, slug, [folder]))


def content(resource: Json) -> str:
    """Everything but identity: id and meta gone, references by the type that they point to."""
    return json.dumps({name: value for name, value in resource.items() if name not in ("id", "meta")}).decode()


def sent() -> Iterator[tuple[str, str]]:
    for _, bundle in bundles():
        places = {each["fullUrl"]: f"{each['resource']['resourceType']}/?" for each in bundle["entry"]}
        any_place = re.compile("|".join(map(re.escape, places)))
        for each in bundle["entry"]:
            text = any_place.sub(lambda found, places=places: places[found[0]], content(each["resource"]))
            yield each["resource"]["resourceType"], ASKED.sub(r"\1/?", text)


@pytest.mark.timeout(900)
class TestImport:
    def test_every_file_is_taken(self, brought: Brought) -> None:
        assert brought.report.refused == []
        assert brought.report.files == len(list(bundles()))

    def test_every_element_comes_back_unchanged(self, brought: Brought) -> None:
        given: dict[str, Counter[str]] = defaultdict(Counter)
        for resource_type, text in sent():
            given[resource_type][text] += 1
        kept: dict[str, Counter[str]] = defaultdict(Counter)
        for resource_type, body in brought.bodies():
            kept[resource_type][OURS.sub(r"\1/?", content(json.loads(body)))] += 1
        assert kept.keys() == given.keys()
        for resource_type in kept.keys() - set(SHARED_TYPES):
            assert kept[resource_type] == given[resource_type], resource_type

    def test_shared_ones_do_not_multiply(self, brought: Brought) -> None:
        for resource_type in SHARED_TYPES:
            given = {
                (each["identifier"][0]["system"], each["identifier"][0]["value"])
                for _, bundle in bundles()
                for each in (entry["resource"] for entry in bundle["entry"])
                if each["resourceType"] == resource_type
            }
            kept = [json.loads(body)["identifier"][0] for name, body in brought.bodies() if name == resource_type]
            assert Counter((each["system"], each["value"]) for each in kept) == Counter(given)

    def test_every_resource_is_in_the_compartment_of_its_patient(self, brought: Brought) -> None:
        schema = brought.house.tenants[brought.slug].schema
        query = (
            f"SELECT count(*) FROM {schema}.resources r WHERE cardinality(r.patients) <>"
            f" (SELECT count(*) FROM {schema}.compartments c WHERE c.pk = r.pk)"
        )
        assert brought.house.sql(query) == [(0,)]

    def test_each_left_its_pointer_and_each_file_its_audit_row(self, brought: Brought) -> None:
        schema = brought.house.tenants[brought.slug].schema
        rows = "SELECT count(*) FROM cell.audit_journal WHERE tenant = %s AND row LIKE '%%record.imported%%'"
        sealed = f"SELECT count(*) FROM {schema}.audit_events WHERE action = 'record.imported'"
        found = brought.house.sql(rows, schema)[0][0] + brought.house.sql(sealed)[0][0]
        assert found == brought.report.files

    def test_again_it_stores_nothing(self, brought: Brought) -> None:
        before = brought.house.counts(brought.slug)
        report = import_into(brought.house, brought.slug, [shared("synthea/bundles")])
        assert (report.stored, report.known, report.refused) == (0, brought.report.files, [])
        assert brought.house.counts(brought.slug) == before


@pytest.fixture(scope="module")
def reader(brought: Brought, live: House) -> Iterator[httpx.Client]:
    """The warehouse's client, which sees all types and may export: the hospital takes the members of another as its own."""
    known = "SELECT organization_id FROM directory.tenants WHERE slug = %s"
    live.sql(f"UPDATE directory.tenants SET organization_id = ({known}) WHERE slug = %s", HOA_SEN, brought.slug)
    members = "INSERT INTO directory.memberships (tenant_id, subject, role, name, granted_by) SELECT %s, subject, role, name, granted_by"
    ours, theirs = live.tenants[brought.slug].id, live.tenants[HOA_SEN].id
    live.sql(f"{members} FROM directory.memberships WHERE tenant_id = %s", ours, theirs)
    headers = {"Authorization": f"Bearer {live.token('warehouse')}"}
    with httpx.Client(base_url=live.fhir(brought.slug), headers=headers, timeout=60, trust_env=False) as client:
        deadline = time.monotonic() + 30
        while client.get("/Patient?_count=1").status_code != 200:
            assert time.monotonic() < deadline, client.get("/Patient?_count=1").text
            time.sleep(0.1)
        yield client


@pytest.fixture(scope="module")
def kept(brought: Brought) -> dict[str, bytes]:
    """By name, what is in the database; that it is what was sent, the tests above tell."""
    return told(json.loads(body) for _, body in brought.bodies())


def told(resources: Iterable[Json]) -> dict[str, bytes]:
    """By name, each resource as text: names, order and the spelling of decimals count. Nothing may come twice."""
    found: dict[str, bytes] = {}
    for each in resources:
        name = f"{each['resourceType']}/{each['id']}"
        assert name not in found
        found[name] = json.dumps(each)
    return found


def paged(client: httpx.Client, address: str | None) -> Iterator[Json]:
    while address is not None:
        answer = client.get(address)
        assert answer.status_code == 200, answer.text
        page = json.loads(answer.content)
        yield from (each["resource"] for each in page.get("entry", ()))
        address = next((link["url"] for link in page["link"] if link["relation"] == "next"), None)


@pytest.mark.timeout(900)
class TestOut:
    def test_every_element_by_searching_page_by_page(self, reader: httpx.Client, kept: dict[str, bytes]) -> None:
        types = sorted({name.partition("/")[0] for name in kept})
        pages = (each for name in types for each in paged(reader, f"/{name}?_count=700"))
        assert told(pages) == kept

    def test_every_element_by_the_history(self, reader: httpx.Client, kept: dict[str, bytes]) -> None:
        assert told(paged(reader, "/_history?_count=1000")) == kept

    def test_every_element_by_everything_of_each_patient(self, reader: httpx.Client, kept: dict[str, bytes]) -> None:
        found: dict[str, bytes] = {}
        for name in [each for each in kept if each.startswith("Patient/")]:
            found |= told(paged(reader, f"/{name}/$everything"))
        named = {match[0] for text in kept.values() for match in OURS.finditer(text.decode())}
        lonely = {each for each in kept if each.startswith(SHARED_TYPES) and each not in named}
        assert found == {name: text for name, text in kept.items() if name not in lonely}
        assert len(lonely) == 96, "Synthea wrote as many organizations and practitioners that nothing refers to"

    def test_every_element_by_everything_of_all_patients(self, reader: httpx.Client, kept: dict[str, bytes]) -> None:
        assert told(paged(reader, "/Patient/$everything?_count=1000")) == kept

    def test_every_element_by_a_bulk_export(
        self, brought: Brought, reader: httpx.Client, kept: dict[str, bytes]
    ) -> None:
        begun = reader.get("/$export", headers={"Prefer": "respond-async"})
        assert begun.status_code == 202, begun.text
        asyncio.run(work_off(brought.house))
        manifest = reader.get(begun.headers["Content-Location"]).raise_for_status().json()
        files = [reader.get(each["url"]).raise_for_status().content for each in manifest["output"]]
        assert told(json.loads(line) for text in files for line in text.splitlines()) == kept
        assert (manifest["error"], manifest["deleted"]) == ([], [])


async def work_off(house: House) -> None:
    """What a worker process does, until no job is left."""
    parts = runtime(house.settings)
    await parts.open()
    relay = parts.databases.cell("default").relay
    worker = BulkWorker(parts, relay, Leases(relay, mark(), 10))
    while await worker.turn(None):
        pass
    await parts.close()


class TestWhatIsBroken:
    def test_is_told_and_leaves_nothing_while_the_others_go_on(self, standing: House, tmp_path: Path) -> None:
        slug = f"broken-{mark()[:6]}"
        standing.new_hospital(slug)
        before = standing.counts(slug)

        def write(name: str, *resources: dict[str, Any]) -> Path:
            entries = [
                {"resource": each, "request": {"method": "POST", "url": each["resourceType"]}} for each in resources
            ]
            text = json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries})
            path = tmp_path / name
            path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
            return path

        good = {"resourceType": "Patient", "gender": "male"}
        write("a.json.gz", good, {"resourceType": "Patient", "gender": "nam"})
        write("b.json", good, {"resourceType": "Observation", "status": "final", "code": {"text": "x"},
                               "subject": {"reference": "Patient/nobody"}})  # fmt: skip
        (tmp_path / "c.json").write_bytes(b'{"resourceType":"Bundle"')
        (tmp_path / "d.json.gz").write_bytes(b"\x1f\x8b rubbish")
        (tmp_path / "e.json").write_bytes(b'{"resourceType":"Patient"}')
        report = import_into(standing, slug, [tmp_path])
        told = {each.file: (each.code, each.location) for each in report.refused}
        assert told == {
            "a.json.gz": ("code", "Bundle.entry[1].resource.gender"),
            "b.json": ("reference-broken", "Bundle.entry[1].resource.subject.reference"),
            "c.json": ("json-syntax", ""),
            "d.json.gz": ("gzip-broken", ""),
            "e.json": ("bundle-type", "Bundle.type"),
        }
        assert standing.counts(slug) == before
        write("f.json", good)
        assert import_into(standing, slug, [tmp_path]).stored == 1

    def test_lines_keep_their_ids(self, standing: House, tmp_path: Path) -> None:
        slug = f"lines-{mark()[:6]}"
        standing.new_hospital(slug)
        lines = [{"resourceType": "Patient", "id": "one"}, {"resourceType": "Patient", "id": "two", "active": True}]
        path = tmp_path / "patients.ndjson"
        path.write_bytes(b"\n".join(json.dumps(each) for each in lines))
        report = import_into(standing, slug, [path])
        assert (report.stored, report.refused) == (2, [])
        schema = standing.tenants[slug].schema
        assert standing.sql(f"SELECT id FROM {schema}.resources ORDER BY id") == [("one",), ("two",)]
