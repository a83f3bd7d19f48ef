"""The rows of the index: keys that a search computes in the same way."""

from hypothesis import given
from hypothesis import strategies as st

from emr.kernel.tenant import Tenant
from emr.records.index import IndexRows
from emr.records.keys import key_of, system_number
from tests.fhir.samples import patient

CODES = st.text(min_size=1, max_size=12).filter(lambda text: text.strip() == text)
SYSTEMS = st.none() | st.sampled_from(["http://loinc.org", "urn:a|b", "urn:á"])
TENANT = Tenant("1", "x", "X", "t_abcdefghijkl", "default", "trial", "79999", b"k" * 16)


def tagged(codings: list[tuple[str | None, str]]) -> IndexRows:
    tags = [{"code": code} | ({"system": system} if system else {}) for system, code in codings]
    rows = IndexRows()
    rows.add(TENANT, patient(gender="male", meta={"tag": tags}), 1, {})
    return rows


class TestTokens:
    @given(st.lists(st.tuples(SYSTEMS, CODES), max_size=4))
    def test_each_code_of_each_system_has_one_row(self, codings: list[tuple[str | None, str]]) -> None:
        rows = tagged(codings)
        expected = {
            (key_of(TENANT.index_key, "Patient.meta.tag", code), system_number(TENANT.index_key, system))
            for system, code in codings
        }
        held = [(key, abs(system)) for key, system in zip(rows.token_keys, rows.token_systems, strict=True)]
        assert len(held) == len(set(held))
        assert expected <= set(held)
        assert (key_of(TENANT.index_key, "Patient.meta.tag", "elsewhere"), 1) not in held

    @given(st.lists(st.tuples(SYSTEMS, CODES), max_size=4))
    def test_of_the_systems_of_a_code_one_stands_for_it(self, codings: list[tuple[str | None, str]]) -> None:
        rows = tagged([*codings, ("http://loinc.org", "1"), (None, "1"), ("urn:á", "1")])
        first = [key for key, system in zip(rows.token_keys, rows.token_systems, strict=True) if system > 0]
        assert len(first) == len(set(first))
        assert set(first) == set(rows.token_keys)

    def test_no_system_is_a_system_too(self) -> None:
        numbers = {system_number(TENANT.index_key, each) for each in (None, "", "http://loinc.org", "urn:á")}
        assert len(numbers) == 3
        assert all(0 < number < 1 << 31 for number in numbers)
