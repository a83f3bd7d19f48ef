"""One visitor who knocks at a hospital, each way once, and says in a word what came of it."""

import asyncio
import io
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from PIL import Image
from pynetdicom import AE
from pynetdicom.sop_class import CTImageStorage

from emr.db.cells import DEFAULT_CELL
from emr.dimse.listener import Listener
from emr.records.bulk.worker import BulkWorker
from emr.subscriptions.jobs import Courier
from emr.warehouse.outbox import Outbox
from emr.work.leases import Leases
from emr.work.runtime import Runtime
from tests.fhir.samples import patient
from tests.house import CAU_VONG, House
from tests.imaging.records import fresh
from tests.imaging.samples import encoded, slice_of

FHIR = {"Content-Type": "application/fhir+json"}
REASON = "Bảo trì máy chủ"


class Visitor:
    """Knocks at one hospital, each way once, and says in a word what came of it."""

    def __init__(self, live: House, parts: Runtime) -> None:
        self.live, self.parts = live, parts
        self.home = f"{live.url}/h/{CAU_VONG}"
        self.schema = live.tenants[CAU_VONG].schema

    def ask(self, method: str, path: str, role: str = "doctor", **options: Any) -> httpx.Response:
        with self.live.client(role, CAU_VONG) as client:
            return client.request(method, f"{self.home}{path}", **options)

    def page(self) -> str:
        return word(self.ask("GET", "/", headers={"Accept": "text/html"}))

    def admin_page(self) -> str:
        return word(self.ask("GET", "/admin", "admin", headers={"Accept": "text/html"}, follow_redirects=True))

    def form(self) -> str:
        fields = {"kind": "18842-5", "day": "03/10/2026", "title": "x"}
        files = {"file": ("scan.pdf", paper(), "application/pdf")}
        return word(self.ask("POST", f"/patients/{self.patient}/documents/new", data=fields, files=files))

    def fhir_read(self) -> str:
        return word(self.ask("GET", f"/fhir/Patient/{self.patient}"))

    def fhir_search(self) -> str:
        return word(self.ask("GET", "/fhir/Patient?_count=1"))

    def fhir_write(self) -> str:
        return word(self.ask("POST", "/fhir/Patient", json=patient(), headers=FHIR))

    def fhir_batch_of_reads(self) -> str:
        entry = {"request": {"method": "GET", "url": "Patient?_count=1"}}
        return word(self.ask("POST", "/fhir", json=bundle("batch", entry), headers=FHIR))

    def fhir_transaction(self) -> str:
        entry = {"resource": patient(), "request": {"method": "POST", "url": "Patient"}}
        return word(self.ask("POST", "/fhir", json=bundle("transaction", entry), headers=FHIR))

    def fhir_metadata(self) -> str:
        return word(self.ask("GET", "/fhir/metadata"))

    def fhir_export(self) -> str:
        return word(self.ask("GET", "/fhir/$export", "warehouse", headers={"Prefer": "respond-async"}))

    def smart_configuration(self) -> str:
        return word(self.ask("GET", "/fhir/.well-known/smart-configuration"))

    def smart_token(self) -> str:
        return word(self.ask("POST", "/smart/token", data={"grant_type": "refresh_token", "refresh_token": "x"}))

    def dicomweb_search(self) -> str:
        return word(self.ask("GET", "/dicomweb/studies", headers={"Accept": "application/dicom+json"}))

    def dicomweb_store(self) -> str:
        headers = {"Content-Type": "application/dicom"}
        return word(self.ask("POST", "/dicomweb/studies", "imaging", content=image(), headers=headers))

    async def dicom_store(self) -> str:
        listener = Listener(self.parts, asyncio.get_running_loop())
        await asyncio.to_thread(listener.start)
        try:
            return await asyncio.to_thread(send, listener.port)
        finally:
            await asyncio.to_thread(listener.stop, 10)

    async def export_job(self) -> str:
        """A job that was asked for while the hospital worked; a worker comes by."""
        worker = self.worker()
        jobs = f"SELECT count(*) FROM {self.schema}.bulk_jobs WHERE kind = 'export' AND state = 'waiting'"
        before = self.live.sql(jobs)[0][0]
        await worker.turn(None)
        await worker.close()
        return "goes on" if self.live.sql(jobs)[0][0] < before else "waits"

    def worker(self) -> BulkWorker:
        relay = self.parts.databases.cell(DEFAULT_CELL).relay
        return BulkWorker(self.parts, relay, Leases(relay, secrets.token_hex(4), 10))

    async def finish_jobs(self) -> None:
        worker = self.worker()
        while await worker.turn(None):
            pass
        await worker.close()

    async def notifications(self) -> str:
        cell = self.parts.databases.cell(DEFAULT_CELL)
        courier = Courier(self.parts, cell, 0, lambda _: None, None)  # type: ignore[arg-type]
        return "waits" if courier._tenant(self.schema) is None else "goes on"

    async def way_to_the_city(self) -> str:
        outbox = Outbox(self.parts.databases.cell(DEFAULT_CELL).relay)
        paused = [each.schema for each in self.parts.registry.all() if not each.open]
        others = [each.schema for each in self.parts.registry.all() if each.slug != CAU_VONG]
        return "goes on" if (await outbox.waiting(10, [*paused, *others])).rows else "waits"

    @property
    def patient(self) -> str:
        found = f"SELECT id FROM {self.schema}.resources WHERE type = 'Patient' AND NOT deleted LIMIT 1"
        return str(self.live.sql(found)[0][0])


def word(answer: httpx.Response) -> str:
    """The status, and of a refusal its stable code in whatever form it came."""
    if answer.status_code < 400:
        return str(answer.status_code)
    if "html" in answer.headers["content-type"]:
        return f"{answer.status_code} {'hospital-suspended' if REASON in answer.text else 'page'}"
    said = answer.json()
    code = said["issue"][0]["details"]["coding"][0]["code"] if "issue" in said else said.get("code") or said["error"]
    return f"{answer.status_code} {code}"


def bundle(kind: str, entry: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": [entry]}


def paper() -> bytes:
    written = io.BytesIO()
    Image.new("L", (40, 56), 240).save(written, "PDF")
    return written.getvalue()


def image() -> bytes:
    return encoded(slice_of(study=fresh()))


def send(port: int) -> str:
    device = AE(ae_title="XRAY2")
    device.add_requested_context(CTImageStorage)
    association = device.associate("127.0.0.1", port, ae_title="CAUVONG")
    if association.is_rejected:
        primitive = association.acceptor.primitive
        return f"rejected ({primitive.result}, {primitive.result_source}, {primitive.diagnostic})"
    assert association.is_established
    try:
        return f"0x{association.send_c_store(slice_of(study=fresh())).Status:04X}"
    finally:
        association.release()


async def outcome(way: Callable[[], str] | Callable[[], Awaitable[str]]) -> str:
    if asyncio.iscoroutinefunction(way):
        return str(await way())
    return str(await asyncio.to_thread(way))
