"""Each way in which a pool could mix up hospitals is made on purpose, one at a time, and the suite turns red."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from emr.db.connection import Connection
from emr.db.keeping import Pool
from emr.db.pools import Cell, Databases
from tests.isolation.leaks.hospitals import Hospitals
from tests.isolation.leaks.kept import forgotten_by_the_journal
from tests.isolation.leaks.storm import Storm

PROBES = 1_000
"""Without changes: they would be kept where they do not belong."""
Sabotage = Callable[[pytest.MonkeyPatch], None]


def nothing(patch: pytest.MonkeyPatch) -> None:
    """The pool as it is."""


def role_of_the_first(patch: pytest.MonkeyPatch) -> None:
    """A connection stays whoever it was first."""
    known: set[int] = set()

    def prologue(self: Cell, schema: str, begin: str, driver: Any) -> str:
        end = "COMMIT;" if driver.is_in_transaction() else ""
        if id(driver) in known:
            return end + begin
        known.add(id(driver))
        return f"{end}SET ROLE {schema};SET search_path TO {schema};{begin}"

    patch.setattr(Cell, "_prologue", prologue)


def path_of_the_first(patch: pytest.MonkeyPatch) -> None:
    """The role is changed, and the search path is not."""
    known: set[int] = set()

    def prologue(self: Cell, schema: str, begin: str, driver: Any) -> str:
        end = "COMMIT;" if driver.is_in_transaction() else ""
        path = "" if id(driver) in known else f"SET search_path TO {schema};"
        known.add(id(driver))
        return f"{end}{path}{begin};SET LOCAL ROLE {schema}"

    patch.setattr(Cell, "_prologue", prologue)


def prologue_without_its_hospital(patch: pytest.MonkeyPatch) -> None:
    """What begins a transaction is remembered under a key that lacks the hospital."""
    whole, known = Cell._prologue, dict[tuple[str, bool], str]()

    def prologue(self: Cell, schema: str, begin: str, driver: Any) -> str:
        return known.setdefault((begin, driver.is_in_transaction()), whole(self, schema, begin, driver))

    patch.setattr(Cell, "_prologue", prologue)


def answers_without_their_hospital(patch: pytest.MonkeyPatch) -> None:
    """Rows are remembered under a key that lacks the hospital."""
    whole, known = Connection.fetchrow, dict[tuple[Any, ...], Any]()

    async def fetchrow(self: Connection, sql: str, *args: Any, name: str = "query") -> Any:
        if name != "read":
            return await whole(self, sql, *args, name=name)
        key = (sql, *args)
        if key not in known:
            known[key] = await whole(self, sql, *args, name=name)
        return known[key]

    patch.setattr(Connection, "fetchrow", fetchrow)


def lent_to_two(patch: pytest.MonkeyPatch) -> None:
    """A connection is lent while somebody has it."""
    whole = Pool.lend

    async def lend(self: Pool) -> Any:
        return next(iter(self._lent)) if len(self._lent) > 1 else await whole(self)

    patch.setattr(Pool, "lend", lend)


def sight_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A limited transaction is begun as the whole hospital."""
    whole = Databases.hospital_to_read

    def hospital_to_read(self: Databases, tenant: Any, sight: Any = None) -> Any:
        return whole(self, tenant, None)

    patch.setattr(Databases, "hospital_to_read", hospital_to_read)


@pytest.mark.parametrize(
    ("sabotage", "red"),
    [
        (nothing, set()),
        (role_of_the_first, {"leaks"}),
        (path_of_the_first, {"broken"}),
        (prologue_without_its_hospital, {"leaks"}),
        (answers_without_their_hospital, {"leaks"}),
        (lent_to_two, {"broken"}),
        (sight_forgotten, {"blind"}),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
def test_turns_the_suite_red(
    four: Hospitals, monkeypatch: pytest.MonkeyPatch, sabotage: Sabotage, red: set[str]
) -> None:
    async def run() -> Storm:
        parts = four.parts()
        await parts.open()
        try:
            return await Storm(four, parts, seed=5, writes=0).run(PROBES)
        finally:
            await parts.close()

    with forgotten_by_the_journal(four), monkeypatch.context() as patch:
        sabotage(patch)
        found = asyncio.run(run()).red
    assert red <= found
    assert bool(red) == bool(found)
