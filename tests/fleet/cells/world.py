"""A city of two cells: the default one on a PostgreSQL server of its own, and `north` on the tests' other server."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg

from emr.fleet import migration
from emr.settings import Database
from emr_demo.postgres import Cluster, temporary
from tests.fleet.world import emr, environment
from tests.house import ROOT, House, house
from tests.patience import comes_true
from tests.servers.ports import free_port
from tests.warehouse.world import heeds

NORTH = "north"


@dataclass
class City:
    """A house with two cells. `north` is the server of the second one, and `database` its database there."""

    house: House
    north: Cluster
    database: str

    @property
    def cell(self) -> dict[str, str]:
        """The second cell's addresses as the environment has them."""
        settings = self.house.settings.database
        return {
            "EMR_DATABASE__CELLS": json.dumps(settings.cells),
            "EMR_DATABASE__CELL_OWNERS": json.dumps(settings.cell_owners),
        }

    def emr(self, *arguments: str | Path, **more: str) -> Any:
        """The command with both cells in its environment."""
        return emr(self.house, *arguments, **self.cell | more)

    @contextmanager
    def worker(self, **more: str) -> Iterator[None]:
        """`emr worker` over both cells while the body runs; it must end as it should."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("EMR_")}
        quick = {"EMR_ANCHORS__EVERY_SECONDS": "1", "EMR_WAREHOUSE__LINGER_MS": "0"}
        command = [Path(sys.executable).with_name("emr"), "worker", "--management-port", str(free_port())]
        process = subprocess.Popen(
            command, env=kept | environment(self.house.settings) | self.cell | quick | more, cwd=ROOT,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield
        finally:
            assert comes_true(lambda: process.poll() is not None or heeds(process.pid), 60)
            process.terminate()
            assert process.wait(30) == 0

    def anchors(self, cell: str) -> int:
        """How many anchors of a cell were written."""
        folder = self.house.folder / "objects-anchors"
        return sum(len(file.read_bytes().splitlines()) for file in (folder / cell).rglob("*.lines"))

    def sql(self, statement: str, *parameters: Any, role: str = "postgres") -> list[tuple[Any, ...]]:
        """Look behind the curtain of the second cell."""
        with psycopg.connect(self.north.url(role=role, database=self.database), autocommit=True) as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []


@contextmanager
def city(north: Cluster, folder: Path) -> Iterator[City]:
    """Two hospitals in the default cell, and an empty second cell that is not migrated yet."""
    database = "emr_north"
    north.create_login("emr_owner", options="CREATEROLE")
    north.create_login("emr_app", options="NOINHERIT")
    north.create_database(database, owner="emr_owner")
    with temporary() as own, house(own, folder) as made:
        both: Database = made.settings.database.model_copy(
            update={
                "cells": {NORTH: north.url(role="emr_app", database=database)},
                "cell_owners": {NORTH: north.url(role="emr_owner", database=database)},
            }
        )
        migration.migrate(both)
        made.settings = made.settings.model_copy(update={"database": both})
        yield City(replace(made), north, database)
    with psycopg.connect(north.url(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {database} WITH (FORCE)")
