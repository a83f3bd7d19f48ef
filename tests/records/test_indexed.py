"""The index in the tables: what is written for a resource, and that computing it again gives the same."""

from decimal import Decimal
from typing import Any

import pytest

from emr.records.create import create_resource
from emr.records.delete import delete
from emr.records.indexed import index_again, index_of
from emr.records.keys import canonical_unit, composite_key, key_of, path_key, url_path
from emr.records.lexemes import coded_lexeme, system_lexeme
from emr.records.stored import Stored
from emr.records.update import update_resource
from emr.work.runtime import Runtime
from emr.work.unit import unit_of_work
from tests.fhir.samples import mark, observation, patient
from tests.house import HOA_SEN, House

pytestmark = pytest.mark.anyio

TABLES = ("tokens", "links", "strings", "dates", "quantities", "composites", "words", "identifiers", "compartments")
UCUM = "http://unitsofmeasure.org"


async def made(standing: House, parts: Runtime, resource: dict[str, Any]) -> Stored:
    async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal()) as work:
        return await create_resource(work, resource)


def rows(standing: House, table: str, pk: int) -> list[tuple[Any, ...]]:
    schema = standing.tenants[HOA_SEN].schema
    return sorted(standing.sql(f"SELECT * FROM {schema}.{table} WHERE pk = %s", pk), key=repr)


def everything(standing: House, pk: int) -> dict[str, list[tuple[Any, ...]]]:
    schema = standing.tenants[HOA_SEN].schema
    present = standing.sql(f"SELECT present FROM {schema}.resources WHERE pk = %s", pk)
    return {"present": present, **{table: rows(standing, table, pk) for table in TABLES}}


async def rich(standing: House, parts: Runtime) -> Stored:
    """An observation with a row in every table but `strings`."""
    person = await made(standing, parts, patient(name=[{"family": mark()}]))
    quantity = {"value": 120, "unit": "mmHg", "system": UCUM, "code": "mm[Hg]"}
    code = {"coding": [{"system": "http://loinc.org", "code": "8480-6", "display": "Huyết áp"}]}
    resource = observation(
        person.id,
        effectiveDateTime="2026-03-01",
        identifier=[{"value": mark()}],
        valueQuantity=quantity,
        component=[{"code": code, "valueQuantity": quantity}],
        performer=[{"reference": "https://other.example/Practitioner/1"}],
    )
    return await made(standing, parts, resource)


class TestRows:
    async def test_links_know_the_pk_of_what_is_here(self, standing: House, parts: Runtime) -> None:
        person = await made(standing, parts, patient(name=[{"family": mark()}]))
        stored = await made(standing, parts, observation(person.id))
        key = standing.tenants[HOA_SEN].index_key
        found = [row[:2] for row in rows(standing, "links", stored.pk)]
        assert (path_key(key, "Observation.subject"), person.pk) in found

    async def test_links_that_lead_elsewhere_are_keys_of_the_address(self, standing: House, parts: Runtime) -> None:
        stored = await rich(standing, parts)
        key = standing.tenants[HOA_SEN].index_key
        path = url_path("Observation.performer")
        found = [row[:2] for row in rows(standing, "links", stored.pk)]
        assert (path_key(key, path), key_of(key, path, "https://other.example/Practitioner/1")) in found

    async def test_quantities_as_written_and_in_base_units(self, standing: House, parts: Runtime) -> None:
        stored = await rich(standing, parts)
        key = standing.tenants[HOA_SEN].index_key
        found = {row[0]: row[1:3] for row in rows(standing, "quantities", stored.pk)}
        pascal = Decimal(15998640)
        assert found[path_key(key, "Observation.value")] == (120, 120)
        assert found[key_of(key, "Observation.value", canonical_unit("g.m-1.s-2"))] == (pascal, pascal)
        assert found[key_of(key, "Observation.value", "|mmHg")] == (120, 120)

    async def test_open_ends_are_infinite(self, standing: House, parts: Runtime) -> None:
        person = await made(standing, parts, patient(name=[{"family": mark()}]))
        value = {"value": 5, "comparator": "<"}
        stored = await made(standing, parts, observation(person.id, valueQuantity=value))
        assert [row[1:3] for row in rows(standing, "quantities", stored.pk)] == [(Decimal("-Infinity"), 5)]

    async def test_what_stands_together_in_a_component(self, standing: House, parts: Runtime) -> None:
        stored = await rich(standing, parts)
        key = standing.tenants[HOA_SEN].index_key
        path = "Observation.component:code(token)$value(quantity)"
        found = {row[0]: row[1] for row in rows(standing, "composites", stored.pk)}
        assert found[composite_key(key, path, ["8480-6"])] == 120
        assert found[composite_key(key, path, ["http://loinc.org|8480-6"], canonical_unit("g.m-1.s-2"))] == 15998640

    async def test_words_with_their_marks(self, standing: House, parts: Runtime) -> None:
        stored = await rich(standing, parts)
        key = standing.tenants[HOA_SEN].index_key
        ((_, content),) = rows(standing, "words", stored.pk)
        assert "'huyet'" in content
        assert f"'{coded_lexeme(key, 'Observation.component.code', 'huyet')}'" in content
        assert f"'{system_lexeme(key, 'Observation.component.code', 'http://loinc.org')}'" in content

    async def test_the_narrative_stands_behind_a_sign(self, standing: House, parts: Runtime) -> None:
        text = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml"><b>Sốt</b> cao &amp; ho</div>'}
        stored = await made(standing, parts, patient(name=[{"family": mark()}], text=text))
        ((_, content),) = rows(standing, "words", stored.pk)
        assert all(f"'>{word}'" in content for word in ("sot", "cao", "ho"))

    async def test_a_string_that_folds_to_itself_is_not_kept_twice(self, standing: House, parts: Runtime) -> None:
        one = mark()
        stored = await made(standing, parts, patient(name=[{"family": one, "given": ["Ánh"]}]))
        key = path_key(standing.tenants[HOA_SEN].index_key, "Patient.name")
        found = {row[1]: row[2] for row in rows(standing, "strings", stored.pk) if row[0] == key}
        assert found == {one: None, "anh": "Ánh"}


class TestIndexAgain:
    async def test_gives_what_was_written_before(self, standing: House, parts: Runtime) -> None:
        stored = await rich(standing, parts)
        before = everything(standing, stored.pk)
        assert [name for name, found in before.items() if not found] == ["strings"]
        schema = standing.tenants[HOA_SEN].schema
        for table in TABLES:
            standing.sql(f"DELETE FROM {schema}.{table} WHERE pk = %s RETURNING 1", stored.pk)
        standing.sql(f"UPDATE {schema}.resources SET present = '{{}}' WHERE pk = %s RETURNING 1", stored.pk)
        async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal()) as work:
            assert (await index_again(work, [stored.pk])).present.keys() == {stored.pk}
        assert everything(standing, stored.pk) == before

    async def test_twice_changes_nothing(self, standing: House, parts: Runtime) -> None:
        stored = await rich(standing, parts)
        before = everything(standing, stored.pk)
        async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal()) as work:
            await index_again(work, [stored.pk])
        assert everything(standing, stored.pk) == before

    async def test_an_update_leaves_no_row_of_the_version_before(self, standing: House, parts: Runtime) -> None:
        stored = await rich(standing, parts)
        resource = stored.resource()
        for gone in ("valueQuantity", "component", "identifier", "performer"):
            del resource[gone]
        async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal()) as work:
            await update_resource(work, resource)
        found = everything(standing, stored.pk)
        assert (found["quantities"], found["composites"], found["identifiers"]) == ([], [], [])
        assert len(found["words"]) == 1

    async def test_nothing_is_left_of_what_is_deleted(self, standing: House, parts: Runtime) -> None:
        stored = await rich(standing, parts)
        async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal()) as work:
            await delete(work, "Observation", stored.id)
            await index_again(work, [stored.pk])
        assert {name for name, found in everything(standing, stored.pk).items() if found} == {"present"}
        async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal()) as work:
            gone = Stored("Observation", stored.id, 2, stored.last_updated, b"", True, (), stored.pk)
            assert (await index_of(work, [gone])).columns() == [[] for _ in range(31)]
