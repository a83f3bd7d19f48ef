"""The hostile JSON and FHIR rows of the sample data, as far as text and structure alone decide."""

import runpy
import time
import tracemalloc
from pathlib import Path

import pytest

from emr.definitions.validate import demand_valid, validate
from emr.kernel import json
from emr.kernel.errors import Invalid, Malformed, TooLarge
from tests.definitions.samples import hostile, shared

REFUSED = {
    "array_root.json": Malformed, "scalar_root.json": Malformed, "null_root.json": Malformed, "empty.json": Malformed,
    "truncated.json": Malformed, "trailing_garbage.json": Malformed, "json5.json": Malformed, "duplicate_keys.json": Malformed,
    "nan.json": Malformed, "infinity.json": Malformed, "huge_number.json": Malformed, "huge_integer.json": Malformed,
    "invalid_utf8.json": Malformed, "bom.json": Malformed, "utf16.json": Malformed, "lone_surrogate.json": Malformed,
    "nul_char.json": Malformed, "json_patch.json": Malformed, "wrong_type.json": Malformed, "unknown_type.json": Malformed,
    "no_type.json": Malformed, "unknown_field.json": Invalid, "bad_cardinality.json": Invalid, "bad_dates.json": Invalid,
    "bad_code.json": Invalid, "xss_narrative.json": Invalid, "entity_bomb_narrative.json": Invalid,
    "path_traversal_id.json": Invalid, "long_id.json": Invalid, "bad_base64.json": Invalid,
    "cross_tenant_reference.json": Invalid, "tx_duplicate_fullurl.json": Invalid, "tx_same_resource_twice.json": Invalid,
    "tx_entry_other_tenant.json": Invalid,
}  # fmt: skip
ACCEPTED = [
    "decimal_ok.json",
    "unicode_ok.json",
    "xss_name.json",
    "attachment_ssrf.json",
    "tx_circular_ok.json",
    "tx_partof_loop.json",
]
LEFT_TO_THE_STORE = ["id_mismatch.json", "meta_forgery.json", "tx_dangling.json"]
TYPES = {"decimal_ok": "Observation", "nan": "Observation", "infinity": "Observation", "huge_number": "Observation",
         "huge_integer": "Observation", "cross_tenant_reference": "Observation", "bad_base64": "DocumentReference",
         "attachment_ssrf": "DocumentReference"}  # fmt: skip


def expected(name: str) -> str:
    stem = name.removesuffix(".json")
    return "Bundle" if stem.startswith(("tx_", "many_entries")) else TYPES.get(stem, "Patient")


def take(name: str, data: bytes) -> None:
    demand_valid(json.loads(data), expected_type=expected(name))


class TestSmallRows:
    def test_each_json_row_is_in_one_of_the_lists(self) -> None:
        there = {path.name for path in shared("bad/files").glob("*.json")}
        assert there == {*REFUSED, *ACCEPTED, *LEFT_TO_THE_STORE}

    @pytest.mark.parametrize(("name", "kind"), REFUSED.items())
    def test_refused(self, name: str, kind: type[Exception]) -> None:
        data = hostile(name)
        began = time.process_time()
        with pytest.raises(kind) as caught:
            take(name, data)
        assert type(caught.value) is kind
        assert time.process_time() - began < 0.5

    @pytest.mark.parametrize("name", ACCEPTED)
    def test_accepted_and_kept_as_sent(self, name: str) -> None:
        data = hostile(name)
        take(name, data)
        assert json.dumps(json.loads(data)) == data

    @pytest.mark.parametrize("day", ["31/12/1980", "2026-13-01", "0000-01-01", "2026-02-30"])
    def test_days_that_do_not_exist(self, day: str) -> None:
        body = json.loads(hostile("bad_dates.json"))
        assert [issue.location for issue in validate({**body, "birthDate": day})] == ["Patient.birthDate"]


class TestGiantRows:
    @pytest.fixture
    def giant(self, name: str, tmp_path: Path) -> bytes:
        made = {each[0]: each[4] for each in runpy.run_path(str(shared("bad/make.py")))["G"]}
        made[name](str(tmp_path / name))
        return (tmp_path / name).read_bytes()

    @pytest.mark.parametrize(
        ("name", "kind"),
        [("deep_nesting.json", Malformed), ("deep_arrays.json", Malformed), ("many_keys.json", Malformed), ("long_string.json", TooLarge),
         ("many_entries.json", TooLarge)],
    )  # fmt: skip
    def test_refused_within_two_seconds_and_a_hundred_megabytes(
        self, giant: bytes, name: str, kind: type[Exception]
    ) -> None:
        data = giant
        began = time.process_time()
        with pytest.raises(kind):
            take(name, data)
        assert time.process_time() - began < 2
        tracemalloc.start()
        with pytest.raises(kind):
            take(name, data)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 100_000_000
