"""`emr audit verify` against a real PostgreSQL and a real MinIO: a superuser who touches one row is found out."""

import asyncio
import base64
import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from emr.audit.anchoring import Anchorer, Written, written
from emr.audit.anchors import Anchor, signed, signer_of, trusted_of
from emr.audit.rows import AuditRow
from emr.audit.sealing import DirectorySealer
from emr.audit.seals import Head
from emr.fleet.trails import audit
from emr.kernel.clock import utc_now
from emr.storage.locked import open_locked
from emr.work.runtime import Runtime
from tests.audit.test_sealing import NURSE, played, rows_for, sealer
from tests.warehouse.world import SLUGS, World

EVERY = timedelta(minutes=5)


def anchorer(parts: Runtime, at: datetime | None = None) -> Anchorer:
    settings = parts.settings
    clock = utc_now if at is None else lambda: at
    return Anchorer(
        "default", parts.databases, parts.registry.all, open_locked(settings), signer_of(settings), clock, EVERY, 10
    )  # fmt: skip


async def anchor(parts: Runtime) -> None:
    keeper = anchorer(parts)
    await keeper.look()
    await keeper.anchor()


async def written_of(parts: Runtime) -> Written:
    store = open_locked(parts.settings)
    found = await written(store, "default", trusted_of(parts.settings))
    store.close()
    return found


async def sealed(parts: Runtime, world: World, count: int, start: int = 0) -> None:
    """So many rows in each hospital and in the directory, under one seal more."""
    for slug in SLUGS:
        await parts.audit.record("default", rows_for(world, slug, count, start))
    row = AuditRow(None, datetime.now(UTC), "session.started", "success", NURSE, f"r{start}")
    await parts.audit.record_directory([row] * count)
    await sealer(parts).turn()
    await DirectorySealer(parts.databases.directory_audit, utc_now).turn()


def verify(world: World, *arguments: str) -> tuple[int, dict[str, Any]]:
    """The command, with its answer for machines."""
    settings = world.settings
    environment = {
        "EMR_PROFILE": "test",
        "EMR_DATABASE__URL": settings.database.url,
        "EMR_STORAGE__ENDPOINT": settings.storage.endpoint,
        "EMR_STORAGE__SECURE": "false",
        "EMR_STORAGE__ACCESS_KEY": settings.storage.access_key,
        "EMR_STORAGE__SECRET_KEY": settings.storage.secret_key.get_secret_value(),
        "EMR_STORAGE__FOLDER": str(settings.storage.folder or ""),
        "EMR_ANCHORS__BUCKET": settings.anchors.bucket,
        "EMR_KEYS__SIGNING": settings.keys.signing.get_secret_value(),
    }
    given = {name: value for name, value in environment.items() if value}
    with pytest.MonkeyPatch.context() as outside:
        for name, value in given.items():
            outside.setenv(name, value)
        done = CliRunner().invoke(audit, ["verify", "--json", *arguments])
    assert done.exit_code in (0, 1), done.output
    return done.exit_code, json.loads(done.stdout)


def faults(found: dict[str, Any], name: str = "hoa-sen") -> list[str]:
    [stream] = [each for each in found["streams"] if each["name"] == name]
    assert stream["fault_count"] == len(stream["faults"])
    return stream["faults"]  # type: ignore[no-any-return]


def kept(world: World, scenario: Callable[[Runtime], Awaitable[None]] | None = None) -> None:
    """Two batches of five rows in each stream, the first of them anchored."""

    async def both(parts: Runtime) -> None:
        await sealed(parts, world, 5)
        await anchor(parts)
        await sealed(parts, world, 5, 5)
        if scenario is not None:
            await scenario(parts)

    played(world, both)


class TestWhole:
    def test_every_stream_is_told_with_what_is_not_sealed_yet(self, anchored: World) -> None:
        async def unsealed(parts: Runtime) -> None:
            await parts.audit.record("default", rows_for(anchored, "hoa-sen", 3))

        kept(anchored, unsealed)
        code, found = verify(anchored)
        assert (code, found["whole"], found["anchors"]) == (0, True, [])
        told = [(each["name"], each["rows"], each["batches"], each["anchored_batch"]) for each in found["streams"]]
        assert sorted(told) == [("cau-vong", 10, 2, 1), ("directory", 10, 2, 1), ("hoa-sen", 10, 2, 1)]
        [own] = [each for each in found["streams"] if each["name"] == "hoa-sen"]
        assert own["unsealed"]["rows"] == 3
        assert 0 < own["unsealed"]["seconds"] < 60

    def test_one_hospital_alone(self, anchored: World) -> None:
        kept(anchored)
        code, found = verify(anchored, "--tenant", "cau-vong")
        assert (code, [each["name"] for each in found["streams"]]) == (0, ["cau-vong"])


class TestTampered:
    """Everything here is done by a superuser, whom no right holds up."""

    def tampered(self, world: World, *statements: str) -> dict[str, Any]:
        kept(world)
        for statement in statements:
            world.sql(statement.format(own=world.schema("hoa-sen")))
        code, found = verify(world)
        assert (code, found["whole"]) == (1, False)
        assert faults(found, "cau-vong") == []
        return found

    def test_one_deleted_row_is_found_out(self, anchored: World) -> None:
        found = self.tampered(anchored, "DELETE FROM {own}.audit_events WHERE number = 7")
        assert faults(found) == ["seal 2: 1 of its rows are missing"]

    def test_the_last_row_too(self, anchored: World) -> None:
        found = self.tampered(anchored, "DELETE FROM {own}.audit_events WHERE number = 10")
        assert faults(found) == ["seal 2: 1 of its rows are missing"]

    def test_a_changed_column_that_searches_rely_on(self, anchored: World) -> None:
        found = self.tampered(anchored, "UPDATE {own}.audit_events SET patients = '{{}}' WHERE number = 3")
        assert faults(found) == ["row 3: its columns do not say what its text says"]

    def test_an_inserted_row(self, anchored: World) -> None:
        insert = "INSERT INTO {own}.audit_events SELECT 11, at, action, actor, patients, row FROM {own}.audit_events WHERE number = 1"
        assert faults(self.tampered(anchored, insert)) == ["row 11 is under no seal"]

    def test_a_deleted_seal(self, anchored: World) -> None:
        found = self.tampered(anchored, "DELETE FROM {own}.audit_seals WHERE batch = 1")
        assert "seal 1 was anchored and is missing" in faults(found)

    def test_both_tables_emptied(self, anchored: World) -> None:
        found = self.tampered(anchored, "TRUNCATE {own}.audit_events, {own}.audit_seals")
        assert faults(found) == ["seal 1 was anchored and is missing"]

    def test_an_end_cut_off_at_a_batch(self, anchored: World) -> None:
        kept(anchored, anchor)
        own = anchored.schema("hoa-sen")
        for table, column in (("audit_events", "number > 5"), ("audit_seals", "batch > 1")):
            anchored.sql(f"DELETE FROM {own}.{table} WHERE {column}")
        assert verify(anchored, "--no-anchors")[0] == 0
        code, found = verify(anchored)
        assert (code, faults(found)) == (1, ["seal 2 was anchored and is missing"])

    def test_a_chain_made_anew_after_everything_was_emptied(self, anchored: World) -> None:
        async def anew(parts: Runtime) -> None:
            own = anchored.schema("hoa-sen")
            # Beside the loop, which has to end the reader's transaction that the table's lock waits for.
            await asyncio.to_thread(anchored.sql, f"TRUNCATE {own}.audit_events, {own}.audit_seals")
            await sealed(parts, anchored, 5, 100)
            await anchor(parts)

        kept(anchored, anew)
        assert verify(anchored, "--no-anchors")[0] == 0
        assert faults(verify(anchored)[1]) == ["seal 1 was anchored and is another one"]

    def test_a_hospital_that_is_gone_from_the_directory(self, anchored: World) -> None:
        async def stranger(parts: Runtime) -> None:
            keeper = anchorer(parts)
            await keeper.look()
            gone = Anchor("default", datetime.now(UTC), {"t_zzzzzzzzzzzz": Head(1, 1, bytes(32))})
            await keeper.store.put(gone.name, signed(gone, keeper.signer), gone.at + timedelta(days=1))

        kept(anchored, stranger)
        code, found = verify(anchored)
        assert (code, found["anchors"]) == (1, ["stream t_zzzzzzzzzzzz was anchored and no hospital has it"])


class TestAnchors:
    def test_heads_that_did_not_move_are_written_down_again(self, anchored: World) -> None:
        async def scenario(parts: Runtime) -> None:
            first, later = anchorer(parts), anchorer(parts, datetime.now(UTC) + 2 * EVERY)
            await sealed(parts, anchored, 5)
            await first.turn()
            await first.turn()
            await later.turn()
            found = await written_of(parts)
            assert found.read == 2
            assert {stream: [head.batch for head in heads] for stream, heads in found.heads.items()} == {
                "directory": [1], anchored.schema("hoa-sen"): [1], anchored.schema("cau-vong"): [1],
            }  # fmt: skip

        played(anchored, scenario)

    def test_one_is_written_when_the_newest_is_five_minutes_old_whoever_wrote_it(self, anchored: World) -> None:
        async def scenario(parts: Runtime) -> None:
            now = datetime.now(UTC)
            for seconds in (0, 299, 300, 301, 599, 601):
                await anchorer(parts, now + timedelta(seconds=seconds)).turn()
            assert (await written_of(parts)).read == 3

        played(anchored, scenario)

    def test_they_are_kept_as_long_as_the_record_of_the_hospital_that_keeps_it_longest(self, anchored: World) -> None:
        async def scenario(parts: Runtime) -> None:
            keeper = anchorer(parts)
            keeper.hospitals = lambda: [replace(each, retention_years=20) for each in parts.registry.all()]
            await keeper.turn()
            [found] = await keeper.store.find("default/")
            kept_until = (await keeper.store.retention(found)).retain_until_date  # type: ignore[attr-defined]
            assert kept_until > datetime.now(UTC) + timedelta(days=20 * 365.25)

        played(anchored, scenario)

    def test_a_stream_that_no_anchor_names_is_told(self, anchored: World) -> None:
        async def scenario(parts: Runtime) -> None:
            keeper = anchorer(parts)
            keeper.hospitals = list
            await keeper.turn()
            early = sealer(parts)
            await parts.audit.record("default", rows_for(anchored, "hoa-sen", 5))
            await replace(early, clock=lambda: datetime.now(UTC) - timedelta(hours=1)).turn()

        played(anchored, scenario)
        assert faults(verify(anchored)[1]) == [
            "no anchor names this stream, although it began more than a quarter of an hour ago"
        ]

    def test_anchors_of_a_key_that_nobody_trusts_are_told(self, anchored: World) -> None:
        kept(anchored)
        keys = anchored.settings.keys.model_copy(
            update={"signing": SecretStr(base64.b64encode(secrets.token_bytes(32)).decode())}
        )
        other = replace(anchored, settings=anchored.settings.model_copy(update={"keys": keys}))
        code, found = verify(other)
        assert code == 1
        assert [fault.endswith("nobody trusted has the key that signed it") for fault in found["anchors"]] == [True]

    def test_of_days_long_past_the_last_is_read(self, anchored: World) -> None:
        async def scenario(parts: Runtime) -> None:
            now = datetime(2026, 11, 22, 12, tzinfo=UTC)
            for days, hours in ((9, 1), (9, 0), (8, 0), (1, 1), (1, 0), (0, 0)):
                await anchorer(parts, now - timedelta(days=days, hours=hours)).turn()
            store, trusted = open_locked(parts.settings), trusted_of(parts.settings)
            assert (await written(store, "default", trusted)).read == 5
            assert (await written(store, "default", trusted, every=True)).read == 6
            store.close()

        played(anchored, scenario)
