"""Each guard is broken on purpose, one at a time, and the light turns red: a green one would prove nothing otherwise."""

import asyncio
import base64
import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from emr.app import ROUTERS
from emr.border.doors import Doors, routes
from emr.border.secrets import marks_of
from emr.db import pools
from emr.db.cells import DEFAULT_CELL
from emr.db.connection import Connection
from emr.db.pools import Cell
from emr.identity.principal import Principal, kind_of
from emr.identity.service import Identity, Resolved
from emr.kernel.errors import Malformed
from emr.kernel.ids import uuid7
from emr.records import read as reading
from emr.records.bulk.worker import BulkWorker
from emr.records.search import places
from emr.storage import blobs
from emr.storage.folder import FolderStore
from emr.storage.keys import Keyring
from emr.tenancy.registry import Registry
from emr.work import unit
from emr.work.leases import Leases
from emr.work.runtime import runtime
from tests.border.conftest import Check
from tests.house import CAU_VONG, HOA_SEN, House
from tests.storage import test_blobs

Break = Callable[[pytest.MonkeyPatch, House], None]


def nearest(*parts: str) -> Doors:
    """The doors whose path ends so, to keep each check short."""
    return Doors([door for door in routes(ROUTERS) if any(re.search(part + "$", door.path) for part in parts)])


def membership(patch: pytest.MonkeyPatch, live: House) -> None:
    """Whoever is signed in is a doctor everywhere."""
    whole = Identity.resolve

    async def resolve(self: Identity, credentials: Any, tenant: Any) -> Resolved:
        try:
            return await whole(self, credentials, tenant)
        except Exception:  # noqa: BLE001 - the guard that is broken here is the refusal itself
            return Resolved(Principal("x", "x", "doctor", kind_of("doctor"), tenant.id))

    patch.setattr(Identity, "resolve", resolve)


def path(patch: pytest.MonkeyPatch, live: House) -> None:
    """The hospital of the path is not the one that is opened: everybody is in the same. The data key, which is bound to
    its hospital, opens in no other, so nothing is shown; that the wall behind this one stood in for it is told.
    """
    whole, tenant = Registry.by_slug, live.tenants[HOA_SEN]

    def by_slug(self: Registry, slug: str) -> Any:
        found = whole(self, slug)
        return replace(found, schema=tenant.schema, index_key=tenant.index_key) if slug == CAU_VONG else found

    patch.setattr(Registry, "by_slug", by_slug)


def search_path(patch: pytest.MonkeyPatch, live: House) -> None:
    """Role and search path of another hospital, as a pool that mixes them up would give."""
    mixed = {live.tenants[CAU_VONG].schema: live.tenants[HOA_SEN].schema}

    def mixing(whole: Any) -> Any:
        return lambda self, schema, *more, **named: whole(self, mixed.get(schema, schema), *more, **named)

    for name in ("hospital", "hospital_to_read"):
        patch.setattr(Cell, name, mixing(getattr(Cell, name)))


def told_why(patch: pytest.MonkeyPatch, live: House) -> None:
    """What is another hospital's is refused in words of its own."""
    whole = reading.current
    key = base64.b64decode(live.settings.keys.signing.get_secret_value())
    planted = marks_of(key, live.tenants[HOA_SEN].schema).ids["patient"]

    async def current(work: Any, resource_type: str, resource_id: str) -> Any:
        if resource_id == planted and work.tenant.slug == CAU_VONG:
            raise reading.ResourceNotFound("Secret", resource_id)
        return await whole(work, resource_type, resource_id)

    patch.setattr(reading, "current", current)


def role_switch(patch: pytest.MonkeyPatch, live: House) -> None:
    """Whoever comes is the hospital that came first."""
    first: list[str] = []
    whole = Cell._prologue

    def prologue(self: Cell, schema: str, begin: str, driver: Any) -> str:
        first.append(schema)
        return whole(self, first[0], begin, driver)

    patch.setattr(Cell, "_prologue", prologue)


def role_alone(patch: pytest.MonkeyPatch, live: House) -> None:
    """The path is changed and the role is not: PostgreSQL lets nothing through, and that is told."""
    ours = live.tenants[HOA_SEN].schema
    whole = pools._becoming
    patch.setattr(pools, "_becoming", lambda role, path: whole(role if role == ours else "emr_hospital", path))
    patch.setattr(Cell, "_prologue", without_memory)


def without_memory(self: Cell, schema: str, begin: str, driver: Any) -> str:
    """A transaction's beginning, made anew, since those of before are remembered."""
    return ";".join((*(("COMMIT",) if driver.is_in_transaction() else ()), begin, pools._becoming(schema, schema)))


def cache_key(patch: pytest.MonkeyPatch, live: House) -> None:
    """A resource that was read is remembered under a key that lacks the hospital."""
    whole, known = Connection.fetchrow, dict[tuple[Any, ...], Any]()

    async def fetchrow(self: Connection, sql: str, *args: Any, name: str = "query") -> Any:
        if name != "read":
            return await whole(self, sql, *args, name=name)
        found = known[sql, *args] = known.get((sql, *args)) or await whole(self, sql, *args, name=name)
        return found

    patch.setattr(Connection, "fetchrow", fetchrow)


def cursor_signature(patch: pytest.MonkeyPatch, live: House) -> None:
    """A page link is taken whoever it was made for."""
    key, whole = base64.b64decode(live.settings.keys.signing.get_secret_value()), places.open_cursor

    def open_cursor(_key: bytes, audience: str, cursor: str) -> dict[str, Any]:
        for tenant in live.tenants.values():
            with suppress(Malformed):
                return whole(key, f"search:{tenant.schema}:{audience.rpartition(':')[2]}", cursor)
        return whole(key, audience, cursor)

    patch.setattr(places, "open_cursor", open_cursor)


def access_filter(patch: pytest.MonkeyPatch, live: House) -> None:
    """Everybody's statements are asked of the tables, not of what one may see."""
    patch.setattr(unit, "sight_of", lambda *_: None)


RESOURCE = r"/fhir/\{type\}/\{id\}"


@pytest.mark.parametrize(
    ("broken", "doors", "why"),
    [
        (membership, (RESOURCE, "/patients/{patient}"), {"canary-seen", "not-shut", "not-sent-away"}),
        (path, (RESOURCE,), {"failed"}),
        (search_path, (RESOURCE,), {"canary-seen"}),
        (told_why, (RESOURCE,), {"told-apart"}),
        (role_switch, (RESOURCE,), {"canary-seen"}),
        (role_alone, (RESOURCE,), {"failed"}),
        (cache_key, (RESOURCE,), {"canary-seen"}),
        (cursor_signature, (RESOURCE,), {"not-shut"}),
    ],
    ids=[
        "membership", "path", "search-path", "told-why", "role-switch", "role-alone", "cache-key", "cursor-signature"
    ],
)  # fmt: skip
def test_a_broken_guard_turns_the_light_red(
    live: House, try_doors: Check, monkeypatch: pytest.MonkeyPatch, broken: Break, doors: tuple[str, ...], why: set[str]
) -> None:
    with monkeypatch.context() as patch:
        broken(patch, live)
        findings = try_doors(nearest(*doors))
    assert findings.red
    assert why <= {each.why for each in findings.red}


def test_without_the_access_filter_a_colleague_who_treats_somebody_else_turns_it_red(
    strict: str, live: House, try_doors: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    doors = nearest(RESOURCE)
    assert try_doors(doors, alone=True, target=strict).red == []
    with monkeypatch.context() as patch:
        access_filter(patch, live)
        findings = try_doors(doors, alone=True, target=strict)
    assert {each.why for each in findings.red if each.outsider == "colleague"} == {"canary-seen"}


def test_with_every_guard_whole_it_is_green_again(try_doors: Check) -> None:
    assert try_doors(nearest(RESOURCE, "/patients/{patient}")).red == []


class TestWhatTheLightDoesNotTry:
    """Objects and jobs are reached by no address of a stranger's: their guards are held by tests of their own."""

    def test_an_object_that_is_not_bound_to_its_place_opens_in_another_hospital(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def run(folder: str) -> None:
            test = test_blobs.TestOpen().test_another_hospital_cannot_open_it_even_with_the_object_copied
            asyncio.run(test(partial(FolderStore, tmp_path / folder), Keyring("k1", {"k1": os.urandom(32)})))

        run("whole")
        with monkeypatch.context() as patch:
            patch.setattr(blobs, "place_of", lambda prefix, key: key.encode())
            with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
                run("broken")
        run("whole again")

    def test_a_job_that_is_done_in_the_hospital_that_it_names_brings_another_ones_patients_or_none(
        self, live: House, try_doors: Check, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        try_doors(Doors(), alone=True)
        proof = marks_of(
            base64.b64decode(live.settings.keys.signing.get_secret_value()), live.tenants[HOA_SEN].schema
        ).proof
        own = exported(live, CAU_VONG)
        assert own is not None
        assert proof not in own
        whole = BulkWorker._opened

        def opened(self: BulkWorker, tenant: Any, job: Any) -> Any:
            return whole(self, live.tenants[HOA_SEN] if tenant.slug == CAU_VONG else tenant, job)

        with monkeypatch.context() as patch:
            patch.setattr(BulkWorker, "_opened", opened)
            theirs = exported(live, CAU_VONG)
        assert theirs is None or proof in theirs
        assert exported(live, CAU_VONG) == own


def exported(live: House, slug: str) -> str | None:
    """All patients of a hospital, by an export; None when it comes to no end."""
    with live.client("warehouse", slug) as client:
        begun = client.get("/$export?_type=Patient", headers={"Prefer": "respond-async"})
        asyncio.run(some_turns(live))
        status = client.get(begun.headers["Content-Location"])
        found = None
        if status.status_code == 200:
            found = "".join(client.get(each["url"]).text for each in status.json()["output"])
        assert client.delete(begun.headers["Content-Location"]).status_code == 202
    return found


async def some_turns(live: House) -> None:
    """What a worker does, but no longer than an export takes."""
    parts = runtime(live.settings)
    await parts.open()
    relay = parts.databases.cell(DEFAULT_CELL).relay
    worker = BulkWorker(parts, relay, Leases(relay, uuid7(), 10))
    for _ in range(12):
        if not await worker.turn(None):
            break
    await worker.close()
    await parts.close()
