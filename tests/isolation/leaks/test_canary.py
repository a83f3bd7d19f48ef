"""A word planted in everything that one hospital has of a patient, worked with through every way in, and then looked for
in all that left and in all that is kept outside of the hospital's own schema.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx
import psycopg
import pytest
from psycopg import sql

from emr.records.codec import unpack
from emr.telemetry import metrics
from tests.fhir.samples import FHIR, Json, mark
from tests.house import House, served
from tests.imaging.samples import encoded, slice_of, write
from tests.isolation.conftest import Planted
from tests.isolation.leaks.hospitals import Hospitals
from tests.isolation.leaks.leaving import observed
from tests.isolation.leaks.planting import plant
from tests.isolation.leaks.processes import process
from tests.isolation.test_routes import ROUTES, ask, filled, ids_of
from tests.servers.dcmtk import Device
from tests.servers.otelcol import Collector, otelcol_server

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]
HERE, ELSEWHERE = "an-binh", "chi-lang"
READABLE = {"resources", "resource_versions", "strings", "identifiers", "words", "dicom_series", "dicom_instances"}
"""Tables of the hospital's own schema where words stand as they are: the record, and names, numbers and texts by which it
is found. Codes and references of the index are keyed hashes."""


@dataclass(frozen=True)
class Left:
    """What was planted, and everything that left: log lines of each process, spans, figures, answers to the other
    hospital.
    """

    planted: Planted
    log: str
    worker: str
    listener: str
    spans: str
    figures: str
    told: list[str]
    exported: str


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    with otelcol_server(tmp_path_factory.mktemp("canary")) as running:
        yield running


@pytest.fixture(scope="module")
def left(lived_in: Hospitals, collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Left:
    logs = tmp_path_factory.mktemp("logs")
    lived_in.house.sql("UPDATE directory.memberships SET practitioner = 'nurse' WHERE role = 'nurse'")
    with observed(collector) as kept, served(lived_in.house) as live:
        planted = plant(live, HERE, f"canary{mark()}", "nurse")
        with (
            process(live, "worker", collector, logs / "worker"),
            process(live, "dicom", collector, logs / "dicom"),
        ):
            _sent_by_devices(live, planted, logs)
            exported = _worked_with(live, planted)
            _sealed(live)
        told = _asked_elsewhere(live, planted)
        figures = metrics.exposition().decode()
    spans = collector.wait_for("GET /h/{slug}/fhir/{type}/{id}")
    assert len(spans) > 100
    worker, listener = ((logs / name).read_text("utf-8") for name in ("worker", "dicom"))
    return Left(planted, kept.getvalue(), worker, listener, collector.text(), figures, told, exported)


def _sent_by_devices(live: House, planted: Planted, folder: Path) -> None:
    """Images of the patient, of somebody unknown, and some that are refused, with the word wherever a device puts it."""
    word, device = planted.canary, Device(live.settings.dicom.port, called="LEAKS0")
    good = slice_of(study=str(time.time_ns()), PatientID=word, PatientName=f"{word}^Thị Thử", StudyDescription=word)
    unknown = slice_of(study=str(time.time_ns()), PatientID=f"{word}-2", PatientName=word, SeriesDescription=word)
    broken = slice_of(study=str(time.time_ns()), PatientID=word, PatientName=word, PatientBirthDate=None, Rows=9)
    files = [write(folder, encoded(each), f"{place}.dcm") for place, each in enumerate((good, unknown, broken))]
    truncated = folder / "truncated.dcm"
    truncated.write_bytes(files[0].read_bytes()[:-100])
    assert device.store(files[:1]).returncode == 0
    for each in (*files[1:], truncated):
        device.store([each])
    assert Device(device.port, title=word[:16].upper(), called="LEAKS0").store(files[:1]).returncode != 0


def _sealed(live: House) -> None:
    """Wait until the worker has sealed what was done."""
    deadline = time.monotonic() + 30
    while live.sql("SELECT 1 FROM cell.audit_journal LIMIT 1"):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def _worked_with(live: House, planted: Planted) -> str:
    """Every route as people and machines of the hospital, searches, mistakes, an export; the export's lines."""
    for role in ("doctor", "archivist", "imaging"):
        with live.client(role, HERE) as client:
            for method, path in ROUTES:
                if method == "GET":
                    ask(client, live, method, filled(path, HERE, ids_of(planted)))
    with live.client("doctor", HERE) as client:
        _searched(client, live, planted)
        _mistaken(client, planted)
    with live.client("warehouse", HERE) as client:
        begun = client.get("/$export?_type=Patient,Observation,DocumentReference", headers={"Prefer": "respond-async"})
        assert begun.status_code == 202, begun.text
        manifest = _exported(client, begun.headers["content-location"])
        return "".join(client.get(each["url"]).text for each in manifest["output"])


def _searched(client: httpx.Client, live: House, planted: Planted) -> None:
    word, home = planted.canary, f"{live.url}/h/{HERE}"
    for query in (f"family={word}", f"identifier=urn:test:record|{word}", f"name:contains={word}", f"_content={word}"):
        assert client.get(f"/Patient?{query}").status_code in (200, 400)
        client.post("/Patient/_search", data=dict([query.split("=", 1)]))
    client.get(f"/Patient/{planted.patient}/$everything")
    client.get(f"{home}/patients?q={word}", headers={"Accept": "text/html"})
    for key in (f"PatientID={word}", f"PatientName={word}*"):
        client.get(f"{home}/dicomweb/studies?{key}", headers={"Accept": "application/dicom+json"})


def _mistaken(client: httpx.Client, planted: Planted) -> None:
    """Requests that are refused, with the word wherever a client could put it."""
    word = planted.canary
    for body in (
        f'{{"resourceType":"Patient","{word}":1}}',
        f'{{"resourceType":"{word}"}}',
        word,
        f'{{"id":"{word}"}}',
    ):
        assert client.post("/Patient", content=body, headers=FHIR).status_code >= 400
    for path in (
        f"Patient/{word}",
        f"{word}/1",
        f"Patient?{word}=1",
        f"Patient?birthdate={word}",
        f"Patient?_sort={word}",
    ):
        assert client.get(f"/{path}").status_code >= 400
    wrong = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": word},
        "subject": {"reference": f"Patient/{word}"},
    }
    assert client.post("/Observation", json=wrong, headers=FHIR).status_code == 422
    assert client.get(f"/Patient/{planted.patient}", headers={"Authorization": f"Bearer {word}"}).status_code == 401
    client.get(f"/Patient/{planted.patient}", headers={"If-None-Match": word, "traceparent": word})


def _exported(client: httpx.Client, status: str) -> Json:
    """The manifest, when the worker has done the job."""
    deadline = time.monotonic() + 60
    while (answer := client.get(status)).status_code in (202, 429):
        assert time.monotonic() < deadline
        time.sleep(int(answer.headers["retry-after"]))
    manifest: Json = answer.raise_for_status().json()
    return manifest


def _asked_elsewhere(live: House, planted: Planted) -> list[str]:
    """What the other hospital's people are told when they ask for the ids, everywhere."""
    told = []
    for role in ("doctor", "imaging", "archivist"):
        with live.client(role, ELSEWHERE) as client:
            for method, path in ROUTES:
                if method == "GET":
                    told.append(ask(client, live, method, filled(path, ELSEWHERE, ids_of(planted))).text)
            told += [client.get(f"/{kind}?_count=500").text for kind in ("Patient", "Observation", "DocumentReference")]
    return told


def forms(word: str) -> list[str]:
    """The word as it is, as an address has it, and as an escaped text has it."""
    return list(dict.fromkeys((word, quote(word), word.encode("unicode_escape").decode(), word.upper())))


class TestWhatLeft:
    def test_the_export_is_the_hospitals_own(self, left: Left) -> None:
        """Without this nothing might have been worked with."""
        assert left.exported.count(left.planted.canary) >= 3

    def test_the_listener_has_spoken_of_what_devices_sent(self, left: Left) -> None:
        """Its log has lines for its start and its refusals alone; what it did is among the spans."""
        assert len(left.listener.splitlines()) >= 3
        assert "c-store" in left.spans.lower()
        assert [each for each in forms(left.planted.canary) if each in left.listener] == []

    @pytest.mark.parametrize("what", ["log", "worker", "spans", "figures"])
    def test_nothing_of_the_patient_is_in_what_operators_see(self, left: Left, what: str) -> None:
        text: str = getattr(left, what)
        assert len(text) > 1_000
        assert [each for each in forms(left.planted.canary) if each in text] == []

    def test_nothing_in_any_answer_to_another_hospital(self, left: Left) -> None:
        assert len(left.told) > 100
        assert [text for text in left.told if left.planted.canary in text] == []


class TestWhatIsKept:
    def test_no_object_is_called_or_holds_it(self, left: Left, lived_in: Hospitals) -> None:
        """Names and bytes of everything in the store: what is kept there is sealed."""
        folder = lived_in.house.folder / "objects"
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert len(files) > 3
        word = left.planted.canary.encode()
        assert [path for path in files if word in str(path).encode() or word in path.read_bytes()] == []

    def test_no_table_of_all_hospitals_holds_it(self, left: Left, lived_in: Hospitals) -> None:
        """Directory and cell: outbox, journal, trail, leases, keys of idempotency and caches, sessions."""
        assert holding(lived_in.house, left.planted.canary, "directory", "cell") == {}

    def test_no_other_hospitals_schema_holds_it(self, left: Left, lived_in: Hospitals) -> None:
        others = [each.tenant.schema for each in lived_in.all if each.slug != HERE]
        assert holding(lived_in.house, left.planted.canary, *others) == {}

    def test_in_its_own_it_stands_where_it_is_looked_for_and_nowhere_else(
        self, left: Left, lived_in: Hospitals
    ) -> None:
        """What was asked for, refused or logged is in no trail, journal or key."""
        schema = lived_in.house.tenants[HERE].schema
        found = holding(lived_in.house, left.planted.canary, schema)[schema]
        assert {"strings", "resources"} <= found <= READABLE

    def test_the_servers_own_log_does_not_tell_it(self, left: Left, lived_in: Hospitals) -> None:
        log = Path(lived_in.house.cluster.log).read_text("utf-8", "replace")
        assert left.planted.canary not in log


def holding(house: House, word: str, *schemas: str) -> dict[str, set[str]]:
    """The tables of these schemas in which a row has the word, by schema; bodies are unpacked."""
    found: dict[str, set[str]] = {}
    with psycopg.connect(house.cluster.url(database="emr")) as curtain:
        for schema in schemas:
            query = "SELECT tablename FROM pg_tables WHERE schemaname = %s"
            for (table,) in curtain.execute(query, (schema,)).fetchall():
                place = sql.Identifier(schema, table)
                rows = curtain.execute(sql.SQL("SELECT t::text FROM {} t").format(place))
                held = any(word in text.lower() for (text,) in rows)
                if table in ("resources", "resource_versions"):
                    bodies = curtain.execute(sql.SQL("SELECT body FROM {}").format(place))
                    held = any(word.encode() in unpack(body) for (body,) in bodies) or held
                if held:
                    found.setdefault(schema, set()).add(str(table))
    return found
