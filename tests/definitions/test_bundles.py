"""Bundles: the constraints of the specification and what a transaction may ask."""

import pytest

from emr.definitions.validate import validate
from tests.definitions.samples import Json, observation, patient, transaction

ONE = "urn:uuid:00000000-0000-4000-8000-000000000001"
TWO = "urn:uuid:00000000-0000-4000-8000-000000000002"


def faults(resource: Json) -> list[tuple[str, str | None]]:
    return [(issue.code, issue.location) for issue in validate(resource)]


def post(resource: Json, url: str = ONE) -> Json:
    return {"fullUrl": url, "resource": resource, "request": {"method": "POST", "url": resource["resourceType"]}}


def put(resource: Json, path: str, url: str = ONE) -> Json:
    return {"fullUrl": url, "resource": resource, "request": {"method": "PUT", "url": path}}


class TestTransactions:
    def test_what_is_sent_every_day(self) -> None:
        bundle = transaction(
            post(patient()),
            put(observation(id="o1"), "Observation/o1", TWO),
            put(patient(), "Patient?identifier=a|b", TWO + "3"),
            {"request": {"method": "DELETE", "url": "Patient/p3"}},
            {"request": {"method": "GET", "url": "Patient?name=an&_count=1"}},
            {"request": {"method": "GET", "url": "Observation/o1/_history/2"}},
            {"request": {"method": "GET", "url": "metadata"}},
        )
        assert faults(bundle) == []

    def test_faults_inside_an_entry_carry_their_place(self) -> None:
        assert faults(transaction(post(patient()), post(patient(foo=1), TWO))) == [
            ("unknown-element", "Bundle.entry[1].resource.foo")
        ]

    def test_local_references_are_those_of_their_own_resource(self) -> None:
        holder = observation(contained=[{"resourceType": "Practitioner", "id": "d"}], performer=[{"reference": "#d"}])
        stranger = observation(performer=[{"reference": "#d"}])
        assert faults(transaction(post(holder), post(stranger, TWO))) == [
            ("reference", "Bundle.entry[1].resource.performer[0].reference")
        ]

    def test_one_full_url_twice(self) -> None:
        assert faults(transaction(post(patient()), post(patient()))) == [("bundle", "Bundle.entry[1].fullUrl")]

    def test_one_resource_changed_twice(self) -> None:
        bundle = transaction(put(patient(id="p"), "Patient/p"), put(patient(id="p"), "Patient/p", TWO))
        assert faults(bundle) == [("bundle", "Bundle.entry[1].request")]

    @pytest.mark.parametrize(
        "url",
        ["../../hospital-b/fhir/Patient/p1", "https://emr.example/hospital-b/fhir/Patient/p2", "Patient/../x", "Patient/..",
         "Pateint/1", "//x/Patient/1", "Patient/p1/", "Patient/%2e%2e/x", "patient/p1"],
    )  # fmt: skip
    def test_an_address_that_leaves_this_server(self, url: str) -> None:
        assert ("bundle", "Bundle.entry[0].request") in faults(transaction(put(patient(), url)))

    @pytest.mark.parametrize(
        ("entry", "location"),
        [
            ({"resource": patient()}, "Bundle.entry[0].request"),
            ({"request": {"method": "POST", "url": "Patient"}}, "Bundle.entry[0].resource"),
            ({**post(patient()), "response": {"status": "201"}}, "Bundle.entry[0].response"),
            ({**post(patient()), "search": {"mode": "match"}}, "Bundle.entry[0].search"),
            ({**post(patient()), "fullUrl": "http://a/Patient/1/_history/2"}, "Bundle.entry[0].fullUrl"),
        ],
    )
    def test_an_entry_that_is_put_together_wrongly(self, entry: Json, location: str) -> None:
        assert faults(transaction(entry)) == [("bundle", location)]


class TestOtherBundles:
    def test_a_search_with_its_total(self) -> None:
        entry = {"fullUrl": "http://a/Patient/1", "resource": patient(id="1"), "search": {"mode": "match"}}
        assert faults({"resourceType": "Bundle", "type": "searchset", "total": 1, "entry": [entry]}) == []

    def test_a_total_where_nothing_was_counted(self) -> None:
        assert faults({"resourceType": "Bundle", "type": "collection", "total": 1}) == [("bundle", "Bundle.total")]

    def test_a_history_names_one_resource_many_times(self) -> None:
        entries = [
            {
                "fullUrl": "http://a/Patient/1",
                "resource": patient(id="1", meta={"versionId": version}),
                "request": {"method": "PUT", "url": "Patient/1"},
                "response": {"status": "200"},
            }
            for version in ("2", "1")
        ]
        assert faults({"resourceType": "Bundle", "type": "history", "total": 2, "entry": entries}) == []

    @pytest.mark.parametrize("entry", [3, None, [], {}, {"resource": 3}, {"request": 3}, {"fullUrl": {}}])
    def test_any_rubbish_is_a_fault_and_not_an_error(self, entry: object) -> None:
        assert faults(transaction(entry))  # type: ignore[arg-type]
