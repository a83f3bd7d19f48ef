"""The folder adapter: a crash never shows half an object, and production does not take it."""

import asyncio
import base64
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from emr.kernel.errors import Invalid
from emr.settings import Keys, Settings, Storage
from emr.storage.errors import StoreUnavailable
from emr.storage.folder import FolderStore
from emr.storage.opening import open_stores
from emr.storage.ports import ObjectInfo, new_key
from tests.storage.conftest import PREFIX
from tests.storage.memory import stream

MASTER = Keys(master=SecretStr("m1:" + base64.b64encode(secrets.token_bytes(32)).decode()))
WRITER = """
import asyncio, sys
from pathlib import Path
from emr.storage.folder import FolderStore
from emr.storage.ports import new_key

async def chunks(stop):
    for index in range(64):
        if index == stop:
            print("half", flush=True)
            await asyncio.sleep(3600)
        yield bytes([index]) * 65536

async def main():
    store = FolderStore(Path(sys.argv[1]), sys.argv[2])
    await store.put(new_key(), chunks(None))
    print("whole", flush=True)
    await store.put(new_key(), chunks(32))

asyncio.run(main())
"""


async def listed(folder: Path) -> list[ObjectInfo]:
    return [info async for info in FolderStore(folder, PREFIX).list()]


class TestPut:
    def test_a_kill_in_the_middle_leaves_the_finished_object_only(self, tmp_path: Path) -> None:
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, tmp_path, PREFIX],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": "platform"},
        )
        assert writer.stdout is not None
        assert [writer.stdout.readline().strip() for _ in range(2)] == ["whole", "half"]
        writer.kill()
        writer.wait()
        writer.stdout.close()
        assert [info.size for info in asyncio.run(listed(tmp_path))] == [64 * 65536]

    def test_a_folder_that_cannot_be_written_is_unavailable(self, tmp_path: Path) -> None:
        (tmp_path / PREFIX).write_text("a file where the folder should be")
        with pytest.raises(StoreUnavailable):
            asyncio.run(FolderStore(tmp_path, PREFIX).put(new_key(), stream(b"x")))


class TestOpenStores:
    def test_production_refuses_a_folder(self, tmp_path: Path) -> None:
        settings = Settings(profile="production", storage=Storage(folder=tmp_path), keys=MASTER)
        with pytest.raises(Invalid) as refusal:
            open_stores(settings)
        assert (refusal.value.code, refusal.value.location) == ("folder-in-production", "EMR_STORAGE__FOLDER")

    def test_neither_folder_nor_endpoint_is_refused(self) -> None:
        with pytest.raises(Invalid, match="Neither"):
            open_stores(Settings(profile="demo", keys=MASTER))

    def test_no_master_key_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(Invalid) as refusal:
            open_stores(Settings(profile="demo", storage=Storage(folder=tmp_path)))
        assert refusal.value.location == "EMR_KEYS__MASTER"

    def test_the_demo_takes_a_folder(self, tmp_path: Path) -> None:
        stores = open_stores(Settings(profile="demo", storage=Storage(folder=tmp_path), keys=MASTER))
        assert stores.of(PREFIX).prefix == PREFIX
        asyncio.run(stores.check())
        stores.close()
