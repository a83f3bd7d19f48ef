"""The rows of the index: keys that a search computes in the same way."""

from hypothesis import given
from hypothesis import strategies as st

from emr.kernel.tenant import Tenant
from emr.records.index import IndexRows
from emr.records.keys import key_of, token_value
from tests.fhir.samples import patient

CODES = st.text(min_size=1, max_size=12).filter(lambda text: text.strip() == text)
SYSTEMS = st.none() | st.sampled_from(["http://loinc.org", "urn:a|b", "urn:á"])
TENANT = Tenant("1", "x", "X", "t_abcdefghijkl", "default", "trial", "79999", b"k" * 16)


class TestTokens:
    @given(st.lists(st.tuples(SYSTEMS, CODES), max_size=4))
    def test_keys_answer_the_code_alone_and_with_its_system(self, codings: list[tuple[str | None, str]]) -> None:
        tags = [{"code": code} | ({"system": system} if system else {}) for system, code in codings]
        rows = IndexRows()
        rows.add(TENANT, patient(gender="male", meta={"tag": tags}), 1, {})
        asked = {code for _, code in codings} | {token_value(system, code) for system, code in codings}
        expected = {key_of(TENANT.index_key, "Patient.meta.tag", value) for value in asked}
        assert len(rows.token_keys) == len(set(rows.token_keys))
        assert expected <= set(rows.token_keys)
        assert key_of(TENANT.index_key, "Patient.meta.tag", "|elsewhere") not in rows.token_keys
