"""All resources of the sample patients: valid, unchanged by the codec, indexed."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from emr.definitions.compartment import patients_of, references
from emr.definitions.extract import extract
from emr.definitions.placeholders import replace_placeholders
from emr.definitions.validate import validate
from emr.definitions.values import Link
from emr.kernel import json
from tests.definitions.samples import Json, bundles


@pytest.fixture(scope="module")
def every() -> list[tuple[str, Json]]:
    return list(bundles())


class TestEveryBundle:
    def test_there_are_as_many_as_the_manifest_says(self, every: list[tuple[str, Json]]) -> None:
        assert sum(len(bundle["entry"]) for _, bundle in every) == 21_989

    def test_no_issue_in_any(self, every: list[tuple[str, Json]]) -> None:
        assert {name: validate(bundle)[:3] for name, bundle in every if validate(bundle)} == {}

    def test_dumped_and_read_again_it_is_the_same(self, every: list[tuple[str, Json]]) -> None:
        for _, bundle in every[:12]:
            assert json.loads(json.dumps(bundle)) == bundle

    def test_spliced_each_resource_keeps_all_but_identity(self, every: list[tuple[str, Json]]) -> None:
        now = datetime(2026, 11, 22, tzinfo=UTC)
        for _, bundle in every[:6]:
            for entry in bundle["entry"]:
                sent = entry["resource"]
                stored = json.loads(
                    json.splice(json.compose(sent), type=sent["resourceType"], id="x", version=1, last_updated=now)
                )
                assert {**stored, "id": 0, "meta": 0} == {**sent, "id": 0, "meta": 0}


class TestIndex:
    def test_after_a_transaction_each_clinical_resource_is_in_one_record(self, every: list[tuple[str, Json]]) -> None:
        shared_types = {"Organization", "Practitioner"}
        for _, bundle in every[:10]:
            known = {e["fullUrl"]: f"{e['resource']['resourceType']}/{e['resource']['id']}" for e in bundle["entry"]}
            for resource in (entry["resource"] for entry in bundle["entry"]):
                replace_placeholders(resource, known)
                assert not any(text.startswith("urn:") for _, text in references(resource))
                alone = resource["resourceType"] in shared_types
                assert len(patients_of(resource["resourceType"], resource)) == (0 if alone else 1)

    def test_each_resource_has_values_and_each_link_a_target(self, every: list[tuple[str, Json]]) -> None:
        counted: Counter[str] = Counter()
        for _, bundle in every[:10]:
            for resource in (entry["resource"] for entry in bundle["entry"]):
                values = extract(resource["resourceType"], resource).values
                counted[resource["resourceType"]] += len(values)
                assert all(value.target_id or value.url for value in values if isinstance(value, Link))
        assert all(counted.values())
