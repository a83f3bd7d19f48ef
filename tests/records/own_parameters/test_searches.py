"""What searches find by parameters of a hospital's own, and what a hospital without any pays."""

from typing import Any

import pytest

from emr.kernel.errors import Unavailable
from emr.records.errors import SearchRefused
from emr.records.own_parameters import own_of
from emr.records.search.find import matching, search, search_system
from emr.work.unit import UnitOfWork
from tests.fhir.samples import patient
from tests.records.own_parameters.samples import ETHNICITY, WARD, OwnWard, of, own

pytestmark = pytest.mark.anyio


class TestSearches:
    async def test_modifiers_of_its_kind(self, ward: OwnWard) -> None:
        kinh, tay, none = [await ward.create(each) for each in (of("kinh"), of("tay"), patient())]
        await ward.put(own())
        await ward.passed()
        assert await ward.found("ethnicity:not=kinh") == {tay, none}
        assert await ward.found("ethnicity:missing=false") == {kinh, tay}
        assert await ward.found("ethnicity=kinh,tay&_count=1&_total=accurate") <= {kinh, tay}
        with pytest.raises(SearchRefused) as refusal:
            await ward.found("ethnicity:exact=kinh")
        assert refusal.value.code == "search-modifier"

    async def test_texts_value_sets_numbers_quantities_and_addresses(self, ward: OwnWard) -> None:
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

    async def test_one_type_of_a_choice_is_not_taken_for_another(self, ward: OwnWard) -> None:
        text = await ward.create(patient(extension=[{"url": WARD, "valueString": "true"}]))
        truth = await ward.create(patient(extension=[{"url": WARD, "valueBoolean": True}]))
        await ward.put(own("said", expression=f"Patient.extension('{WARD}').value.ofType(boolean)"))
        await ward.put(own("told", expression=f"(Patient.extension.where(url='{WARD}').value as string)"))
        await ward.passed()
        assert await ward.found("said=true") == {truth}
        assert await ward.found("told=true") == {text}
        assert await ward.found("said:not=true") == {text}

    async def test_order_ranges_and_texts(self, ward: OwnWard) -> None:
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

    async def test_references_chains_and_includes(self, ward: OwnWard) -> None:
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

    async def test_chains_over_types_and_several_types(self, ward: OwnWard) -> None:
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

    async def test_extensions_of_primitive_elements(self, ward: OwnWard) -> None:
        about = {"_birthDate": {"extension": [{"url": WARD, "valueCode": "noi"}]}}
        key = await ward.create(patient(birthDate="1990-01-01", **about))
        await ward.put(own("told", expression=f"Patient.birthDate.extension('{WARD}').value"))
        await ward.passed()
        assert await ward.found("told=noi") == {key}

    async def test_a_search_that_a_change_overtakes_is_refused(
        self, ward: OwnWard, monkeypatch: pytest.MonkeyPatch
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


class TestCost:
    async def test_a_hospital_without_any_is_asked_nothing_more(
        self, ward: OwnWard, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def never(*_: object) -> object:
            raise AssertionError

        monkeypatch.setattr("emr.records.indexed.own_of", never)
        monkeypatch.setattr("emr.records.search.understood.own_of", never)
        key = await ward.create(patient(name=[{"family": "Ngô"}]))
        await ward.put(patient(id=key, name=[{"family": "Ngô"}]))
        assert await ward.found("family=ngo&_sort=birthdate&_revinclude=Observation:subject") == {key}
        assert await ward.found("subject:Patient.family=ngo", "Observation") == set()
