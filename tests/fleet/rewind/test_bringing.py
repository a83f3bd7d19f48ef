"""What of a past is brought back: by the ordinary verbs, with a signed note, and nobody else's."""

import base64
import hashlib
import json
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from emr.audit.anchors import signer_of
from emr.audit.signing import holds
from emr.definitions.warm import warm
from emr.documents.intake import Received
from emr.documents.papers import papers
from emr.documents.resources import UploadDocument
from emr.documents.service import Examined, upload_document
from emr.fleet.rewind.bringing import MAGIC, Order, bring, compare_past, plan
from emr.fleet.rewind.opening import Wish, close_past, open_past
from emr.fleet.rewind.rows import Rewind
from emr.identity.principal import system_principal
from emr.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from emr.kernel.tenant import Tenant
from emr.records import comparing
from emr.records.comparing import Wanted, compare
from emr.records.create import create_resource
from emr.records.delete import delete
from emr.records.read import read
from emr.records.update import update_resource
from emr.storage.ports import name_of
from emr.tenancy.pasts import in_past
from emr.work.runtime import Runtime, runtime
from emr.work.unit import UnitOfWork, unit_of_work
from tests.fleet.rewind.world import World
from tests.house import CAU_VONG, in_a_loop

pytestmark = [pytest.mark.anyio, pytest.mark.server]


@dataclass
class Damaged:
    """A hospital of its own whose record was damaged after the moment."""

    world: World
    rewind: Rewind
    tenant: Tenant
    first: str
    """A patient whose condition and encounter were deleted, with a document whose rows were lost altogether."""
    second: str
    """A patient who was renamed."""
    third: str
    """A patient who came later."""
    condition: str
    document: str
    binary: str
    content: bytes
    neighbour: dict[str, Any]

    def work(self, parts: Runtime) -> Any:
        return unit_of_work(parts, self.tenant, system_principal("test", tenant_id=self.tenant.id))

    def order(self, wanted: Wanted, reason: str = "Phiếu 118") -> Order:
        return Order(self.rewind.id, wanted, "lan", reason)


@pytest.fixture(scope="module")
def damaged(world: World) -> Iterator[Damaged]:
    made = in_a_loop(_make, world)
    yield made
    close_past(world.house.settings, made.rewind.id, "lan")


@pytest.fixture
async def own(damaged: Damaged) -> AsyncIterator[Runtime]:
    made = runtime(damaged.world.house.settings)
    await made.open()
    yield made
    await made.close()


async def _make(world: World) -> Damaged:
    warm({"Asia/Ho_Chi_Minh"})
    tenant = world.house.new_hospital(f"hu-{secrets.token_hex(3)}")
    parts = runtime(world.house.settings)
    await parts.open()
    principal = system_principal("test", tenant_id=tenant.id)
    content = b"%PDF-1.4\n" + secrets.token_bytes(40)
    try:
        async with unit_of_work(parts, tenant, principal) as work:
            first, second = [(await create_resource(work, _patient(name))).id for name in ("An", "Bình")]
            encounter = (await create_resource(work, _encounter(first))).id
            condition = (await create_resource(work, _condition(first, encounter))).id
            document = await _document(work, first, content)
            binary = (await read(work, "DocumentReference", document)).resource()["content"][0]["attachment"]["url"]
        moment = world.now()
        async with unit_of_work(parts, tenant, principal) as work:
            await delete(work, "Condition", condition)
            await delete(work, "Encounter", encounter)
            await update_resource(work, (await read(work, "Patient", second)).resource() | {"gender": "female"})
            third = (await create_resource(work, _patient("Chi"))).id
    finally:
        await parts.close()
    binary = binary.removeprefix("Binary/")
    _lose(world, tenant, (document, binary))
    world.house.sql(f"UPDATE {tenant.schema}.resources SET labels = ARRAY['hiv'] WHERE id = %s", second)
    neighbour = world.digests(CAU_VONG)
    rewind = open_past(world.house.settings, Wish(tenant.slug, moment, "lan", "thử"), lambda _: None)
    return Damaged(
        world, rewind, tenant, first, second, third, condition, document, binary, content, neighbour,
    )  # fmt: skip


def _lose(world: World, tenant: Tenant, ids: tuple[str, str]) -> None:
    """As no verb of ours would: the rows of a document are gone, and that of its bytes."""
    pks = f"SELECT pk FROM {tenant.schema}.resources WHERE id = ANY (%s)"
    for table in ("compartments", "tokens", "links", "strings", "dates", "resource_versions"):
        world.house.sql(f"DELETE FROM {tenant.schema}.{table} WHERE pk IN ({pks})", list(ids))
    world.house.sql(f"DELETE FROM {tenant.schema}.resources WHERE id = ANY (%s)", list(ids))
    world.house.sql(f"DELETE FROM {tenant.schema}.blobs")


async def _document(work: UnitOfWork, patient: str, content: bytes) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ra-vien.pdf"
        path.write_bytes(content)
        digest = hashlib.sha1(content, usedforsecurity=False).digest()
        received = Received(path, len(content), digest, content[:64], content[-64:])
        asked = UploadDocument(patient, next(iter(papers().values())), "Giấy ra viện", "2026-11-20", path.name)
        return (await upload_document(work, asked, Examined(received, "application/pdf", ".pdf", 1))).id


@contextmanager
def past_every_rule(damaged: Damaged) -> Iterator[None]:
    """Two patients have each other's text, and the new one is said to be old; until the context ends."""
    sql, resources = damaged.world.house.sql, f"{damaged.tenant.schema}.resources"
    exchange = (
        f"UPDATE {resources} a SET body = b.body FROM {resources} b"
        " WHERE a.id = ANY (%s) AND b.id = ANY (%s) AND a.id <> b.id"
    )
    both = [damaged.first, damaged.second]
    [(came,)] = sql(f"SELECT updated FROM {resources} WHERE id = %s", damaged.third)
    age = f"UPDATE {resources} SET updated = %s WHERE id = %s"
    sql(exchange, both, both)
    sql(age, "2020-01-01", damaged.third)
    try:
        yield
    finally:
        sql(exchange, both, both)
        sql(age, came, damaged.third)


def _patient(name: str) -> dict[str, Any]:
    return {"resourceType": "Patient", "name": [{"text": name}]}


def _encounter(patient: str) -> dict[str, Any]:
    kind = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}
    subject = {"reference": f"Patient/{patient}"}
    return {"resourceType": "Encounter", "status": "finished", "class": kind, "subject": subject}


def _condition(patient: str, encounter: str) -> dict[str, Any]:
    about = {"subject": {"reference": f"Patient/{patient}"}, "encounter": {"reference": f"Encounter/{encounter}"}}
    return {"resourceType": "Condition", "code": {"text": "Sốt"}} | about


class TestCompare:
    async def test_it_counts_what_is_new_changed_and_gone(self, damaged: Damaged, own: Runtime) -> None:
        found = await compare_past(own, damaged.rewind.id, Wanted(), 100)
        assert found.counts["Patient"] == {"changed": 1, "new": 1}
        assert found.counts["Condition"] == {"gone": 1}
        assert found.counts["DocumentReference"] == {"gone": 1}
        assert {(each.kind, each.id) for each in found.shown} >= {("new", damaged.third), ("changed", damaged.second)}

    async def test_one_patient_alone(self, damaged: Damaged, own: Runtime) -> None:
        found = await compare_past(own, damaged.rewind.id, Wanted(damaged.second), 100)
        assert found.counts == {"Patient": {"changed": 1}}

    @pytest.mark.parametrize("stretch", [1, 3, 2_000])
    async def test_what_went_past_every_rule_is_found_however_long_a_stretch_is(
        self, damaged: Damaged, own: Runtime, monkeypatch: pytest.MonkeyPatch, stretch: int
    ) -> None:
        """Neither version nor time say that two texts were exchanged, nor that a patient is new."""
        monkeypatch.setattr(comparing, "_PAGE", stretch)
        gone = {("DocumentReference", damaged.document), ("Binary", damaged.binary), ("Condition", damaged.condition)}
        with past_every_rule(damaged):
            found = await compare_past(own, damaged.rewind.id, Wanted(), 100)
            alone = await compare_past(own, damaged.rewind.id, Wanted(damaged.first), 100)
        told = sorted((each.kind, each.type, each.id) for each in found.shown if each.type != "Encounter")
        changed = [("changed", "Patient", each) for each in (damaged.first, damaged.second)]
        assert told == sorted([*changed, ("new", "Patient", damaged.third), *(("gone", *name) for name in gone)])
        assert found.counts["Encounter"] == {"gone": 1}
        assert alone.counts["Patient"] == {"changed": 1}
        # A Binary names no patient, so it is not among what is compared of one.
        assert gone - {("Binary", damaged.binary)} <= {(each.type, each.id) for each in alone.shown}

    @pytest.mark.parametrize("stretch", [1, 2_000])
    async def test_the_same_under_another_key_is_the_same(
        self, damaged: Damaged, own: Runtime, monkeypatch: pytest.MonkeyPatch, stretch: int
    ) -> None:
        monkeypatch.setattr(comparing, "_PAGE", stretch)
        move = f"UPDATE {damaged.tenant.schema}.resources SET pk = pk + %s WHERE id = %s"
        damaged.world.house.sql(move, 1 << 40, damaged.first)
        try:
            found = await compare_past(own, damaged.rewind.id, Wanted(), 100)
        finally:
            damaged.world.house.sql(move, -(1 << 40), damaged.first)
        assert found.counts["Patient"] == {"changed": 1, "new": 1}

    async def test_who_sees_little_is_told_little(self, damaged: Damaged, own: Runtime) -> None:
        past = await in_past(own.databases.directory, damaged.tenant, damaged.rewind.id, own.clock())
        admin = damaged.world.house.principal("admin", damaged.tenant.slug)
        async with unit_of_work(own, past, admin) as then, unit_of_work(own, damaged.tenant, admin) as work:
            assert (await compare(work, then, Wanted(), 100)).counts == {}

    async def test_a_role_without_the_right_is_refused(self, damaged: Damaged, own: Runtime) -> None:
        past = await in_past(own.databases.directory, damaged.tenant, damaged.rewind.id, own.clock())
        doctor = damaged.world.house.principal("doctor", damaged.tenant.slug)
        cashier = damaged.world.house.principal("cashier", damaged.tenant.slug)
        async with unit_of_work(own, past, doctor) as then:
            with pytest.raises(Forbidden):
                async with unit_of_work(own, damaged.tenant, cashier) as work:
                    await compare(work, then, Wanted(), 100)


class TestLabels:
    def test_what_was_labelled_since_then_is_labelled_in_the_past_too(self, damaged: Damaged) -> None:
        query = f"SELECT id, labels FROM {damaged.rewind.schema}.resources WHERE type = 'Patient' ORDER BY id"
        assert dict(damaged.world.house.sql(query)) == {damaged.first: None, damaged.second: ["hiv"]}


class TestBringBack:
    """In this order: each test finds what the one before has left."""

    async def test_without_a_reason_nothing_is_brought(self, damaged: Damaged, own: Runtime) -> None:
        with pytest.raises(Invalid, match="Say why"):
            await bring(own, damaged.order(Wanted(), " "), lambda _: None)

    async def test_a_rewind_that_is_not_open_is_refused(self, own: Runtime) -> None:
        with pytest.raises(NotFound):
            await plan(own, Order("nichtsnichts", Wanted(), "lan", "x"))

    async def test_a_hospital_that_takes_no_changes_is_left_alone(self, damaged: Damaged, own: Runtime) -> None:
        change = "UPDATE directory.tenants SET state = %s WHERE slug = %s"
        damaged.world.house.sql(change, "read-only", damaged.tenant.slug)
        await own.registry.refresh()
        try:
            with pytest.raises(Conflict, match="takes no changes"):
                await bring(own, damaged.order(Wanted()), lambda _: None)
        finally:
            damaged.world.house.sql(change, "trial", damaged.tenant.slug)
            await own.registry.refresh()

    async def test_a_plan_names_it_and_changes_nothing(self, damaged: Damaged, own: Runtime) -> None:
        before = damaged.world.digests(damaged.tenant.slug)
        wanted = Wanted(names=frozenset({("Condition", damaged.condition)}))
        planned = await plan(own, damaged.order(wanted))
        assert [name[0] for name in planned] == ["Encounter", "Condition"]
        assert damaged.world.digests(damaged.tenant.slug) == before

    async def test_one_resource_comes_with_what_it_refers_to(self, damaged: Damaged, own: Runtime) -> None:
        wanted = Wanted(names=frozenset({("Condition", damaged.condition)}))
        outcome = await bring(own, damaged.order(wanted), lambda _: None)
        assert outcome.refused == []
        assert outcome.brought[("Condition", damaged.condition)] == 3
        async with damaged.work(own) as work:
            back = (await read(work, "Condition", damaged.condition)).resource()
        assert back["code"] == {"text": "Sốt"}
        schema = damaged.tenant.schema
        query = (
            f"SELECT count(*) FROM {schema}.resource_versions v JOIN {schema}.resources r USING (pk) WHERE r.id = %s"
        )
        assert damaged.world.house.sql(query, damaged.condition) == [(2,)]

    async def test_it_is_told_to_the_city_as_any_change(self, damaged: Damaged) -> None:
        query = "SELECT count(*) FROM cell.outbox WHERE tenant = %s AND id = %s AND version = 3"
        assert damaged.world.house.sql(query, damaged.tenant.schema, damaged.condition) == [(1,)]

    async def test_a_document_comes_with_its_bytes(self, damaged: Damaged, own: Runtime) -> None:
        wanted = Wanted(names=frozenset({("DocumentReference", damaged.document)}))
        outcome = await bring(own, damaged.order(wanted), lambda _: None)
        assert set(outcome.brought) == {("DocumentReference", damaged.document), ("Binary", damaged.binary)}
        async with damaged.work(own) as work:
            key = f"{damaged.binary[:2]}/{damaged.binary[2:]}"
            assert name_of(key) == damaged.binary
            blob = await work.blobs.find(key)
            assert b"".join([chunk async for chunk in work.blobs.open(blob)]) == damaged.content

    async def test_one_patient(self, damaged: Damaged, own: Runtime) -> None:
        outcome = await bring(own, damaged.order(Wanted(damaged.second)), lambda _: None)
        assert outcome.brought == {("Patient", damaged.second): 3}
        async with damaged.work(own) as work:
            assert "gender" not in (await read(work, "Patient", damaged.second)).resource()

    async def test_a_signed_note_says_who_what_when_and_why(self, damaged: Damaged) -> None:
        query = "SELECT row FROM cell.audit_journal WHERE tenant = %s AND row LIKE '%%past.bring-back-noted%%'"
        rows = [json.loads(row[0]) for row in damaged.world.house.sql(query, damaged.tenant.schema)]
        note = json.loads(rows[-1]["detail"]["note"])
        assert (note["by"], note["reason"], note["brought"], note["rewind"]) == (
            "lan", "Phiếu 118", 1, damaged.rewind.id,
        )  # fmt: skip
        assert note["moment"] == damaged.rewind.moment.isoformat()
        body = {name: value for name, value in note.items() if name != "signature"}
        text = json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
        public = signer_of(damaged.world.house.settings).public
        assert holds(public, MAGIC + text, base64.b64decode(note["signature"]))
        assert not holds(public, MAGIC + text.replace(b"lan", b"lam"), base64.b64decode(note["signature"]))

    async def test_everything_that_is_left_and_a_second_time_nothing(self, damaged: Damaged, own: Runtime) -> None:
        await bring(own, damaged.order(Wanted()), lambda _: None)
        found = await compare_past(own, damaged.rewind.id, Wanted(), 100)
        assert found.counts == {"Patient": {"new": 1}}
        again = await bring(own, damaged.order(Wanted()), lambda _: None)
        assert (again.brought, again.refused, again.note) == ({}, [], None)

    async def test_who_came_later_is_still_there(self, damaged: Damaged, own: Runtime) -> None:
        async with damaged.work(own) as work:
            assert (await read(work, "Patient", damaged.third)).version == 1

    def test_the_other_hospital_is_untouched(self, damaged: Damaged) -> None:
        assert damaged.world.digests(CAU_VONG) == damaged.neighbour
