"""Search parameters of a hospital's own: put into force, indexed in both directions of time, and taken back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from emr.identity.principal import system_principal
from emr.kernel.errors import Invalid, Unavailable
from emr.kernel.tenant import Tenant
from emr.records import own_parameters
from emr.records.create import create_resource
from emr.records.delete import delete
from emr.records.errors import SearchRefused
from emr.records.own_parameters import MOST, own_of
from emr.records.own_pass import advance_own
from emr.records.reindexing import Difference, Progress, verify
from emr.records.reindexing_job import reindex_jobs
from emr.records.search.find import matching, search, search_system
from emr.records.update import update_resource
from emr.work.leases import Leases
from emr.work.runtime import Runtime
from emr.work.unit import UnitOfWork, unit_of_work
from tests.fhir.samples import mark, patient
from tests.house import House

pytestmark = pytest.mark.anyio

TABLES = (
    "resources", "resource_versions", "tokens", "links", "strings", "dates", "quantities", "composites", "words",
    "identifiers", "compartments",
)  # fmt: skip
ETHNICITY = "https://hoasen.example/fhir/dan-toc"
WARD = "https://hoasen.example/fhir/khoa"


def own(code: str = "ethnicity", **values: Any) -> dict[str, Any]:
    """A SearchParameter over an extension of Patient."""
    return {
        "resourceType": "SearchParameter",
        "id": code,
        "url": f"https://hoasen.example/fhir/SearchParameter/{code}",
        "name": code,
        "status": "active",
        "description": "của bệnh viện",
        "code": code,
        "base": ["Patient"],
        "type": "token",
        "expression": f"Patient.extension('{ETHNICITY}').value",
    } | values


def of(code: str, **values: Any) -> dict[str, Any]:
    """A Patient of an ethnicity."""
    return patient(extension=[{"url": ETHNICITY, "valueCoding": {"system": "urn:dt", "code": code}}], **values)


class Ward:
    """A hospital of its own."""

    def __init__(self, standing: House, parts: Runtime, tenant: Tenant) -> None:
        self.standing, self.parts, self.tenant = standing, parts, tenant

    @asynccontextmanager
    async def work(self) -> AsyncIterator[UnitOfWork]:
        principal = system_principal("test", tenant_id=self.tenant.id)
        async with unit_of_work(self.parts, self.tenant, principal) as work:
            yield work

    async def create(self, resource: dict[str, Any]) -> str:
        async with self.work() as work:
            return (await create_resource(work, resource)).id

    async def put(self, resource: dict[str, Any]) -> None:
        async with self.work() as work:
            await update_resource(work, resource)

    async def delete(self, kind: str, key: str) -> None:
        async with self.work() as work:
            await delete(work, kind, key)

    async def refused(self, resource: dict[str, Any]) -> list[tuple[str, str | None]]:
        with pytest.raises(Invalid) as caught:
            await self.put(resource)
        return [(issue.code, issue.location) for issue in caught.value.issues]

    async def passed(self, most: int = 100) -> Progress:
        while True:
            async with self.work() as work:
                progress = await advance_own(work, most)
            if progress.complete:
                return progress

    async def found(self, query: str, kind: str = "Patient") -> set[str]:
        pairs = [tuple(each.split("=", 1)) for each in query.split("&")]
        async with self.work() as work:
            page = await search(work, kind, pairs)  # type: ignore[arg-type]
        return {each.id for each in (*page.matches, *page.included)}

    async def differences(self) -> list[Difference]:
        found: list[Difference] = []
        after = 0
        while True:
            async with self.work() as work:
                compared = await verify(work, after, 100)
            if compared.last is None:
                return found
            after = compared.last
            found += compared.differences


@pytest.fixture(scope="module")
def hospitals(standing: House) -> list[Tenant]:
    return [standing.new_hospital(f"own-{mark()[:8]}") for _ in range(3)]


@pytest.fixture
def wards(standing: House, parts: Runtime, hospitals: list[Tenant], monkeypatch: pytest.MonkeyPatch) -> list[Ward]:
    """The hospitals, empty."""
    monkeypatch.setattr(own_parameters, "_KEPT", own_parameters._Kept())
    for tenant in hospitals:
        standing.sql(f"TRUNCATE {', '.join(f'{tenant.schema}.{table}' for table in TABLES)}")
        standing.sql(f"DELETE FROM {tenant.schema}.indexing WHERE name <> 'record'")
    return [Ward(standing, parts, tenant) for tenant in hospitals]


@pytest.fixture
def ward(wards: list[Ward]) -> Ward:
    return wards[0]


class TestActivation:
    async def test_what_was_there_is_found_after_the_pass_and_not_before(self, ward: Ward) -> None:
        kinh, tay = await ward.create(of("kinh")), await ward.create(of("tay"))
        with pytest.raises(SearchRefused) as unknown:
            await ward.found("ethnicity=kinh")
        assert unknown.value.code == "search-parameter-unknown"
        await ward.put(own())
        with pytest.raises(Unavailable) as building:
            await ward.found("ethnicity=kinh")
        assert (building.value.code, building.value.location) == ("index-being-built", "ethnicity")
        later = await ward.create(of("kinh"))
        assert (await ward.passed()).resources == 3
        assert await ward.found("ethnicity=kinh") == {kinh, later}
        assert await ward.found("ethnicity=urn:dt|tay") == {tay}
        assert await ward.differences() == []

    async def test_batch_by_batch_with_rows_that_are_counted(self, ward: Ward) -> None:
        for _ in range(5):
            await ward.create(of("kinh"))
        await ward.create({"resourceType": "Organization", "name": "Khoa Nội"})
        await ward.put(own())
        async with ward.work() as work:
            first = await advance_own(work, 2)
        assert (first.complete, first.resources) == (False, 2)
        with pytest.raises(Unavailable):
            await ward.found("ethnicity=kinh")
        done = await ward.passed(2)
        tokens = "SELECT count(*) FROM {0}.tokens JOIN {0}.resources r USING (pk) WHERE r.type = 'Patient'"
        assert done.resources == 5
        assert done.rows["tokens"] == ward.standing.sql(tokens.format(ward.tenant.schema))[0][0]
        assert len(await ward.found("ethnicity=kinh")) == 5

    async def test_a_worker_does_it(self, ward: Ward) -> None:
        key = await ward.create(of("kinh"))
        await ward.put(own())
        leases = Leases(ward.parts.databases.cell(ward.tenant.cell).relay, "test", 30.0)
        (job,) = reindex_jobs(ward.parts, {ward.tenant.cell: leases})
        lease = await leases.acquire(job.name)
        assert lease is not None
        while await job.turn(lease):
            pass
        await leases.release(lease)
        assert await ward.found("ethnicity=kinh") == {key}

    async def test_a_process_that_knows_others_indexes_by_those_in_force(
        self, ward: Ward, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await ward.put(own())
        await ward.passed()
        new = await ward.create(of("kinh"))
        stale = own_parameters._KEPT
        monkeypatch.setattr(own_parameters, "_KEPT", own_parameters._Kept())
        await ward.put(own("ward", expression=f"Patient.extension('{WARD}').value"))
        await ward.passed()
        # No pass follows: what is found was indexed by the writes themselves.
        monkeypatch.setattr(own_parameters, "_KEPT", stale)
        inside = await ward.create(patient(extension=[{"url": WARD, "valueCode": "noi"}]))
        monkeypatch.setattr(own_parameters, "_KEPT", own_parameters._Kept())
        await ward.put(of("tay", id=new))
        assert await ward.found("ward=noi") == {inside}
        assert await ward.found("ethnicity=tay") == {new}
        assert await ward.found("ethnicity=kinh") == set()
        assert await ward.differences() == []

    async def test_the_pass_waits_for_writers_that_began_before(self, ward: Ward) -> None:
        stored, go = asyncio.Event(), asyncio.Event()

        async def slow() -> str:
            async with ward.work() as work:
                made = await create_resource(work, of("kinh"))
                stored.set()
                await go.wait()
                return made.id

        writer = asyncio.create_task(slow())
        await stored.wait()
        await ward.put(own())
        async with ward.work() as work:
            assert not (await advance_own(work)).complete
        waiting = await ward.create(of("kinh"))
        async with ward.work() as work:
            assert not (await advance_own(work)).complete
        go.set()
        late = await writer
        await ward.passed()
        assert await ward.found("ethnicity=kinh") == {late, waiting}

    async def test_together_with_resources_in_one_transaction(self, ward: Ward) -> None:
        async with ward.work() as work:
            await update_resource(work, own())
            made = await create_resource(work, of("kinh"))
        await ward.passed()
        assert await ward.found("ethnicity=kinh") == {made.id}

    async def test_one_that_is_undone_was_never_there(self, ward: Ward) -> None:
        with pytest.raises(RuntimeError):
            await _undone(ward)
        key = await ward.create(of("kinh"))
        with pytest.raises(SearchRefused):
            await ward.found("ethnicity=kinh")
        assert await ward.differences() == []
        await ward.put(own())
        await ward.passed()
        assert await ward.found("ethnicity=kinh") == {key}

    async def test_many_writers_while_parameters_come_and_go(self, ward: Ward) -> None:
        async def write(number: int) -> None:
            for turn in range(4):
                await ward.put(of("kinh", id=f"p{number}-{turn}"))
                await ward.put(of("tay" if turn % 2 else "kinh", id=f"p{number}-{turn}"))

        async def change() -> None:
            for status in ("active", "retired", "active"):
                await ward.put(own(status=status))
                async with ward.work() as work:
                    await advance_own(work, 3)

        await asyncio.gather(change(), *(write(number) for number in range(4)))
        await ward.passed(5)
        assert await ward.differences() == []
        assert await ward.found("ethnicity=tay") == {f"p{n}-{turn}" for n in range(4) for turn in (1, 3)}


async def _undone(ward: Ward) -> None:
    async with ward.work() as work:
        await update_resource(work, own())
        await create_resource(work, of("kinh"))
        raise RuntimeError


class TestEnd:
    @pytest.mark.parametrize("how", ["retired", "deleted"])
    async def test_it_is_unknown_again_and_its_rows_go_with_the_pass(self, ward: Ward, how: str) -> None:
        await ward.create(of("kinh"))
        await ward.put(own())
        await ward.passed()
        assert len(await ward.found("ethnicity=kinh")) == 1
        await (ward.delete("SearchParameter", "ethnicity") if how == "deleted" else ward.put(own(status="retired")))
        with pytest.raises(SearchRefused) as refusal:
            await ward.found("ethnicity=kinh")
        assert refusal.value.code == "search-parameter-unknown"
        await ward.passed()
        assert await ward.differences() == []

    async def test_the_same_code_with_another_expression_finds_by_that_alone(self, ward: Ward) -> None:
        by_ethnicity = await ward.create(of("noi"))
        by_ward = await ward.create(patient(extension=[{"url": WARD, "valueCode": "noi"}]))
        await ward.put(own("place"))
        await ward.passed()
        assert await ward.found("place=noi") == {by_ethnicity}
        await ward.delete("SearchParameter", "place")
        await ward.put(own("place", expression=f"Patient.extension('{WARD}').value"))
        with pytest.raises(Unavailable):
            await ward.found("place:missing=true")
        await ward.passed()
        assert await ward.found("place=noi") == {by_ward}
        assert await ward.found("place:missing=true") == {by_ethnicity}

    async def test_other_words_in_its_description_change_nothing(self, ward: Ward) -> None:
        key = await ward.create(of("kinh"))
        await ward.put(own())
        await ward.passed()
        await ward.put(own(description="khác"))
        assert await ward.found("ethnicity=kinh") == {key}


class TestHospitals:
    async def test_the_same_code_means_something_else_in_another_hospital(self, wards: list[Ward]) -> None:
        ward, other, third = wards
        keys = {}
        for each in wards:
            keys[each] = (
                await each.create(of("noi")),
                await each.create(patient(extension=[{"url": WARD, "valueCode": "noi"}])),
            )
        await ward.put(own("place"))
        await other.put(own("place", expression=f"Patient.extension('{WARD}').value"))
        await ward.passed()
        await other.passed()
        assert await ward.found("place=noi") == {keys[ward][0]}
        assert await other.found("place=noi") == {keys[other][1]}
        with pytest.raises(SearchRefused):
            await third.found("place=noi")


class TestSearches:
    async def test_modifiers_of_its_kind(self, ward: Ward) -> None:
        kinh, tay, none = [await ward.create(each) for each in (of("kinh"), of("tay"), patient())]
        await ward.put(own())
        await ward.passed()
        assert await ward.found("ethnicity:not=kinh") == {tay, none}
        assert await ward.found("ethnicity:missing=false") == {kinh, tay}
        assert await ward.found("ethnicity=kinh,tay&_count=1&_total=accurate") <= {kinh, tay}
        with pytest.raises(SearchRefused) as refusal:
            await ward.found("ethnicity:exact=kinh")
        assert refusal.value.code == "search-modifier"

    async def test_texts_value_sets_numbers_quantities_and_addresses(self, ward: Ward) -> None:
        def holding(**value: Any) -> dict[str, Any]:
            return patient(extension=[{"url": WARD} | value])

        coding = {"system": "urn:dt", "code": "tay", "display": "Người Tày"}
        coded = await ward.create(holding(valueCodeableConcept={"coding": [coding]}))
        weight = {"value": 5.4, "unit": "g", "system": "http://unitsofmeasure.org", "code": "g"}
        weighed = await ward.create(holding(valueQuantity=weight))
        counted = await ward.create(holding(valueInteger=7))
        placed = await ward.create(holding(valueUri="https://hoasen.example/khoa/noi"))
        chosen = {"include": [{"system": "urn:dt", "concept": [{"code": "tay"}]}]}
        url = "https://hoasen.example/fhir/ValueSet/dan-toc"
        await ward.create({"resourceType": "ValueSet", "status": "active", "url": url, "compose": chosen})
        for kind in ("token", "number", "quantity", "uri"):
            await ward.put(own(f"as-{kind}", type=kind, expression=f"Patient.extension('{WARD}').value"))
        await ward.passed()
        assert await ward.found("as-token:text=nguoi tay") == {coded}
        assert await ward.found(f"as-token:in={url}") == {coded}
        assert await ward.found("as-number=gt6") == {counted}
        assert await ward.found("as-quantity=5400|http://unitsofmeasure.org|mg") == {weighed}
        assert await ward.found("as-uri:below=https://hoasen.example/khoa") == {placed}

    async def test_one_type_of_a_choice_is_not_taken_for_another(self, ward: Ward) -> None:
        text = await ward.create(patient(extension=[{"url": WARD, "valueString": "true"}]))
        truth = await ward.create(patient(extension=[{"url": WARD, "valueBoolean": True}]))
        await ward.put(own("said", expression=f"Patient.extension('{WARD}').value.ofType(boolean)"))
        await ward.put(own("told", expression=f"(Patient.extension.where(url='{WARD}').value as string)"))
        await ward.passed()
        assert await ward.found("said=true") == {truth}
        assert await ward.found("told=true") == {text}
        assert await ward.found("said:not=true") == {text}

    async def test_order_ranges_and_texts(self, ward: Ward) -> None:
        since = "https://hoasen.example/fhir/tu-ngay"
        days = {day: await ward.create(patient(extension=[{"url": since, "valueDate": day}]))
                for day in ("2026-03-01", "2026-01-01", "2026-02-01")}  # fmt: skip
        named = await ward.create(patient(extension=[{"url": WARD, "valueString": "Nội Tổng hợp"}]))
        await ward.put(own("since", type="date", expression=f"Patient.extension('{since}').value"))
        await ward.put(own("ward", type="string", expression=f"Patient.extension('{WARD}').value"))
        await ward.passed()
        assert await ward.found("since=gt2026-01-15") == {days["2026-03-01"], days["2026-02-01"]}
        assert await ward.found("ward=noi") == await ward.found("ward:contains=hop") == {named}
        async with ward.work() as work:
            page = await search(work, "Patient", [("since:missing", "false"), ("_sort", "-since")])
        assert [each.id for each in page.matches] == [days[day] for day in sorted(days, reverse=True)]

    async def test_references_chains_and_includes(self, ward: Ward) -> None:
        place = await ward.create({"resourceType": "Location", "name": "Nội", "status": "active"})
        inside = await ward.create(
            patient(extension=[{"url": WARD, "valueReference": {"reference": f"Location/{place}"}}])
        )
        await ward.create(patient())
        expression = f"Patient.extension('{WARD}').value.where(resolve() is Location)"
        reference = own("ward", type="reference", expression=expression, target=["Location"])
        await ward.put(reference)
        with pytest.raises(Unavailable):
            await ward.found("_include=Patient:*")
        await ward.passed()
        assert await ward.found(f"ward=Location/{place}") == {inside}
        assert await ward.found("ward.name=noi") == {inside}
        assert await ward.found("ward.name=ngoai") == set()
        assert await ward.found("_has:Patient:ward:gender=other,male,female,unknown", "Location") <= {place}
        assert await ward.found("_has:Patient:ward:_id=" + inside, "Location") == {place}
        assert await ward.found("ward:missing=false&_include=Patient:ward") == {inside, place}
        assert await ward.found("ward:missing=false&_include=*") == {inside, place}
        assert await ward.found(f"_id={place}&_revinclude=Patient:ward", "Location") == {place, inside}

    async def test_chains_over_types_and_several_types(self, ward: Ward) -> None:
        key = await ward.create(of("kinh"))
        seen = await ward.create(
            {"resourceType": "Flag", "status": "active", "code": {"text": "?"},
             "subject": {"reference": f"Patient/{key}"}}
        )  # fmt: skip
        await ward.put(own(base=["Patient", "Person"], expression=f"Patient.extension('{ETHNICITY}').value"
                           f" | Person.extension('{ETHNICITY}').value"))  # fmt: skip
        await ward.passed()
        assert await ward.found("subject.ethnicity=kinh", "Flag") == {seen}
        async with ward.work() as work:
            page = await search_system(work, [("_type", "Patient,Person"), ("ethnicity", "kinh")])
            assert {each.id for each in page.matches} == {key}
            (found,) = await matching(work, "Patient", "ethnicity=kinh", most=2, location="If-None-Exist")
            assert found.id == key

    async def test_extensions_of_primitive_elements(self, ward: Ward) -> None:
        about = {"_birthDate": {"extension": [{"url": WARD, "valueCode": "noi"}]}}
        key = await ward.create(patient(birthDate="1990-01-01", **about))
        await ward.put(own("told", expression=f"Patient.birthDate.extension('{WARD}').value"))
        await ward.passed()
        assert await ward.found("told=noi") == {key}

    async def test_a_search_that_a_change_overtakes_is_refused(
        self, ward: Ward, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await ward.create(of("kinh"))
        await ward.put(own())
        await ward.passed()
        async with ward.work() as work:
            before = await own_of(work)
        await ward.put(own(status="retired"))

        async def old(work: UnitOfWork) -> object:
            return before

        monkeypatch.setattr("emr.records.search.understood.own_of", old)
        with pytest.raises(Unavailable) as refusal:
            await ward.found("ethnicity=kinh")
        assert refusal.value.code == "index-changed"


class TestRefusals:
    @pytest.mark.parametrize(
        ("change", "code", "where"),
        [
            ({"code": "name"}, "parameter-taken", "code"),
            ({"code": "_mine", "id": "mine"}, "parameter-code", "code"),
            ({"code": "identifier", "base": ["Linkage"]}, "parameter-code", "code"),
            ({"base": ["Patient", "DomainResource"]}, "parameter-base", "base[1]"),
            ({"base": ["Patient", "Person"]}, "parameter-expression", "expression"),
            ({"type": "composite"}, "parameter-kind", "type"),
            ({"type": "date", "expression": "Patient.name"}, "parameter-kind", "type"),
            ({"expression": "Patient.name.family.exists()"}, "parameter-expression", "expression"),
            ({"expression": "Patient.nothing"}, "parameter-expression", "expression"),
            ({"expression": "Observation.code"}, "parameter-expression", "expression"),
            ({"expression": f"Patient.extension('{WARD}').value.extension('{WARD}').value"},
             "parameter-expression", "expression"),
            ({"type": "reference", "target": ["Location", "Resource"]}, "parameter-target", "target[1]"),
            ({"xpathUsage": "phonetic"}, "parameter-usage", "xpathUsage"),
        ],
    )  # fmt: skip
    async def test_what_cannot_be_indexed_is_not_stored(
        self, ward: Ward, change: dict[str, Any], code: str, where: str
    ) -> None:
        assert await ward.refused(own(**change)) == [(code, f"SearchParameter.{where}")]
        await ward.put(own(**change, status="draft"))

    async def test_without_an_expression(self, ward: Ward) -> None:
        bare = own()
        del bare["expression"]
        assert await ward.refused(bare) == [("parameter-expression", "SearchParameter.expression")]

    async def test_two_of_one_code(self, ward: Ward) -> None:
        await ward.put(own())
        assert await ward.refused(own(id="other")) == [("parameter-taken", "SearchParameter.code")]
        await ward.put(own(status="retired"))
        await ward.put(own(id="other"))

    async def test_too_many(self, ward: Ward) -> None:
        async with ward.work() as work:
            for number in range(MOST):
                await update_resource(work, own(f"p{number}"))
        assert await ward.refused(own("more")) == [("too-many-parameters", "SearchParameter.status")]


class TestCost:
    async def test_a_hospital_without_any_is_asked_nothing_more(
        self, ward: Ward, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def never(*_: object) -> object:
            raise AssertionError

        monkeypatch.setattr("emr.records.indexed.own_of", never)
        monkeypatch.setattr("emr.records.search.understood.own_of", never)
        key = await ward.create(patient(name=[{"family": "Ngô"}]))
        await ward.put(patient(id=key, name=[{"family": "Ngô"}]))
        assert await ward.found("family=ngo&_sort=birthdate&_revinclude=Observation:subject") == {key}
        assert await ward.found("subject:Patient.family=ngo", "Observation") == set()
