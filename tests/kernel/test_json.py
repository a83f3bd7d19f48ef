"""The strict JSON codec: what it keeps, what it refuses, and what it costs."""

import json as standard
import string
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emr.kernel import json
from emr.kernel.errors import Malformed, TooLarge

NOW = datetime(2026, 11, 22, 3, 4, 5, 678000, tzinfo=UTC)

text = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"))
numbers = st.decimals(allow_nan=False, allow_infinity=False, places=6).filter(lambda each: abs(each) < 10**20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | numbers | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=20,
)
objects = st.dictionaries(text, values, max_size=8)
space = st.text(" \t\r\n", max_size=3)


def refusal(data: bytes) -> str:
    with pytest.raises((Malformed, TooLarge)) as caught:
        json.parse(data)
    return caught.value.code


def spliced(data: bytes, **more: object) -> bytes:
    known: dict = {"type": "Patient", "id": "p1", "version": 1, "last_updated": NOW, **more}
    return json.splice(json.parse(data), **known)


class TestParse:
    @given(objects)
    def test_what_was_dumped_comes_back(self, value: dict) -> None:
        assert json.loads(json.dumps(value)) == value

    @given(objects)
    def test_the_same_value_as_the_standard_library(self, value: dict) -> None:
        data = json.dumps(value)
        assert json.loads(data) == standard.loads(data, parse_float=Decimal)

    @given(st.binary(max_size=60))
    def test_any_bytes_are_an_object_or_a_refusal(self, data: bytes) -> None:
        with suppress(Malformed):
            assert type(json.parse(data).value) is dict

    @given(st.text(string.printable + '{}[]",:\\u0d8é🏠', max_size=40))
    def test_what_is_taken_is_json_for_others_too(self, body: str) -> None:
        try:
            value = json.loads(b'{"a":' + body.encode() + b"}")
        except Malformed:
            return
        assert standard.loads('{"a":' + body + "}", parse_float=Decimal) == value

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (b"", "json-empty"),
            (b" \n\t", "json-empty"),
            (b"null", "json-root"),
            (b'"Patient"', "json-root"),
            (b"[{}]", "json-root"),
            (b"3", "json-root"),
            (b"\xef\xbb\xbf{}", "json-encoding"),
            (b'{"a":"\xc3\x28"}', "json-encoding"),
            (b'{"a":"\xed\xa0\x80"}', "json-encoding"),
            ('{"a":1}'.encode("utf-16"), "json-encoding"),
            (b'{"a":"\\ud800"}', "json-character"),
            (b'{"a":"\\udc00\\ud800"}', "json-character"),
            (b'{"a":"\\ud800\\u0041"}', "json-character"),
            (b'{"\\ud800":1}', "json-character"),
            (b'{"a":"\\u0000"}', "json-character"),
            (b'{"a":"\\\\\\u0000"}', "json-character"),
            (b'{"a":"\x00"}', "json-syntax"),
            (b'{"a":"\n"}', "json-syntax"),
            (b'{"a":1,"a":2}', "json-duplicate-key"),
            (b'{"a":1,"\\u0061":2}', "json-duplicate-key"),
            (b'{"b":[{"c":{"a":1,"a":1}}]}', "json-duplicate-key"),
            (b'{"a":NaN}', "json-number"),
            (b'{"a":Infinity}', "json-number"),
            (b'{"a":-Infinity}', "json-number"),
            (b'{"a":1e400}', "json-number"),
            (b'{"a":1e-400}', "json-number"),
            (b'{"a":' + b"9" * 41 + b"}", "json-number"),
            (b'{"a":0.' + b"1" * 50 + b"}", "json-number"),
            (b'{"a":01}', "json-syntax"),
            (b'{"a":+1}', "json-syntax"),
            (b'{"a":.5}', "json-syntax"),
            (b'{"a":1.}', "json-syntax"),
            (b'{"a":1,}', "json-syntax"),
            (b"{'a':1}", "json-syntax"),
            (b'{"a":1', "json-syntax"),
            (b'{"a"', "json-syntax"),
            (b'{"a":}', "json-syntax"),
            (b"{", "json-syntax"),
            (b'{"a":1}{"a":1}', "json-syntax"),
            (b'{"a":1} x', "json-syntax"),
            (b'{/**/"a":1}', "json-syntax"),
        ],
    )
    def test_what_is_refused(self, body: bytes, code: str) -> None:
        assert refusal(body) == code

    def test_an_escaped_backslash_before_u0000_is_just_text(self) -> None:
        assert json.loads(b'{"a":"\\\\u0000 \\\\ud800"}') == {"a": "\\u0000 \\ud800"}

    def test_a_surrogate_pair_is_one_character(self) -> None:
        assert json.loads(b'{"a":"\\ud83c\\udfe0"}') == {"a": "🏠"}

    def test_sixty_four_levels_pass_and_sixty_five_do_not(self) -> None:
        assert json.loads(b'{"a":' * 64 + b"1" + b"}" * 64)
        assert refusal(b'{"a":' * 65 + b"1" + b"}" * 65) == "json-depth"
        assert refusal(b'{"a":' + b"[" * 64 + b"]" * 64 + b"}") == "json-depth"

    @given(values)
    def test_depth_is_that_of_the_value(self, value: object) -> None:
        """Strings with brackets, quotes and backslashes among them; beside it, 64 lists that hold nothing."""

        def depth(each: object) -> int:
            if isinstance(each, (dict, list)):
                return 1 + max(
                    (depth(inner) for inner in (each.values() if isinstance(each, dict) else each)), default=0
                )
            return 0

        beside = b'"b":' + b"[],".join([b"["] + [b""] * 64) + b'"]"]'
        for levels in range(62 - depth(value), 66 - depth(value)):
            data = b'{"a":' + b"[" * levels + json.dumps(value) + b"]" * levels + b"," + beside + b"}"
            if 1 + levels + depth(value) <= 64:
                json.parse(data)
            else:
                assert refusal(data) == "json-depth"

    def test_brackets_in_strings_are_not_depth(self) -> None:
        assert json.loads(b'{"a":"' + b"[{" * 500 + b'"}')

    @pytest.mark.parametrize("opened", [b'{"a":', b"["])
    @pytest.mark.parametrize("levels", [20_000, 100_000, 170_000])
    def test_a_tower_is_refused_without_a_stack_overflow(self, opened: bytes, levels: int) -> None:
        assert refusal(b'{"a":' + opened * levels) == "json-depth"

    def test_keys_of_one_object_are_counted(self) -> None:
        body = b'{"a":{' + b",".join(b'"k%d":1' % each for each in range(10_001)) + b"}}"
        assert refusal(body) == "json-keys"

    def test_values_are_counted_before_they_cost_memory(self) -> None:
        assert refusal(b'{"a":[' + b"[]," * 5_000_000 + b"[]]}") == "json-values"

    def test_decimals_are_counted_too(self) -> None:
        assert refusal(b'{"a":[' + b" -1.5," * 201_000 + b"1]}") == "json-values"

    def test_more_than_16_mebibytes_are_refused(self) -> None:
        assert refusal(b'{"a":"' + b"x" * json.MAX_BYTES + b'"}') == "json-size"

    @pytest.mark.parametrize(
        "body",
        [
            b'{"a":"' + b"\\u0041" * 2_700_000 + b'"}',
            b'{"a":"' + b"\\\\" * 8_000_000 + b'"}',
            b'{"a":[' + b"1," * 690_000 + b"1]}",
            b'{"a":[' + b"1.5," * 199_000 + b"1]}",
            b'{"a":[' + b'"",' * 690_000 + b"1]}",
            b'{"a":[' + b'{"b":1},' * 75_000 + b"1]}",
            b'{"a":' + b"9" * 16_000_000 + b"}",
            b'{"a":1.' + b"9" * 16_000_000 + b"}",
            b"{" + b" " * 16_000_000 + b"}",
        ],
        ids=["escapes", "backslashes", "integers", "decimals", "strings", "objects", "digits", "fraction", "space"],
    )
    def test_sixteen_mebibytes_of_anything_take_less_than_two_seconds_of_processor(self, body: bytes) -> None:
        began = time.process_time()
        with suppress(Malformed, TooLarge):
            json.parse(body)
        assert time.process_time() - began < 2

    def test_the_message_of_a_refusal_holds_nothing_of_the_body(self) -> None:
        with pytest.raises(Malformed) as caught:
            json.parse(b'{"name":"Nguyen Van An" x}')
        assert "Nguyen" not in str(caught.value)


class TestNumbers:
    @pytest.mark.parametrize(
        "written",
        ["1.10", "0.00000100", "1E5", "1e+5", "-0", "-0.0", "100.000", "1.0e-10", "0.1", "12345678901234567890.5"],
    )
    def test_a_decimal_goes_out_as_it_came_in(self, written: str) -> None:
        body = f'{{"a":{written}}}'.encode()
        assert json.dumps(json.loads(body)) == body

    def test_an_integer_is_an_integer_and_a_decimal_never_is(self) -> None:
        value = json.loads(b'{"a":2,"b":2.0}')
        assert type(value["a"]) is int
        assert type(value["b"]) is json.Number
        assert value["b"] == 2

    @given(numbers)
    def test_decimals_made_by_us_are_numbers_too(self, number: Decimal) -> None:
        assert json.loads(json.dumps({"a": number}))["a"] == number


class TestDumps:
    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_what_is_no_number_is_not_written(self, value: float) -> None:
        with pytest.raises(ValueError, match="JSON compliant"):
            json.dumps({"a": value})

    @pytest.mark.parametrize("value", [Decimal("NaN"), object(), datetime(2026, 1, 1, tzinfo=UTC), b"x"])
    def test_what_json_does_not_know_is_not_written(self, value: object) -> None:
        with pytest.raises(TypeError):
            json.dumps({"a": value})

    @pytest.mark.parametrize("value", ["\0", "\0001.5", "\ud800", "a\0"])
    def test_a_string_that_could_not_be_stored_is_not_written(self, value: str) -> None:
        with pytest.raises(Malformed):
            json.dumps({"a": value})

    def test_no_spaces_and_no_escapes_that_are_not_needed(self) -> None:
        assert json.dumps({"tên": ["Nguyễn", None, True]}) == '{"tên":["Nguyễn",null,true]}'.encode()

    @given(objects)
    def test_composed_is_spliced_as_the_dump_would_be(self, value: dict) -> None:
        known: dict = {"type": "Patient", "id": "p1", "version": 1, "last_updated": NOW}
        assert json.splice(json.compose(value), **known) == json.splice(json.parse(json.dumps(value)), **known)


class TestSplice:
    def test_identity_stands_in_front_and_the_rest_as_it_came(self) -> None:
        body = b' {\n "resourceType" : "Patient",\n  "active" : true,\r\n "birthDate":"1980-01-01" , "x" : [ 1.10,\t{} ]\n}\n '
        assert spliced(body) == (
            b'{"resourceType":"Patient","id":"p1","meta":{"versionId":"1","lastUpdated":"2026-11-22T03:04:05.678Z"},'
            b'\n  "active" : true,\r\n "birthDate":"1980-01-01" , "x" : [ 1.10,\t{} ]\n}'
        )

    def test_the_three_may_stand_anywhere(self) -> None:
        body = b'{"a":[1, 2],"meta":{"versionId":"9"},"b":{"id":7},"id":"forged","c":"\\u0041","resourceType":"X","d":0.10}'
        assert spliced(body) == (
            b'{"resourceType":"Patient","id":"p1","meta":{"versionId":"1","lastUpdated":"2026-11-22T03:04:05.678Z"},'
            b'"a":[1, 2],"b":{"id":7},"c":"\\u0041","d":0.10}'
        )

    def test_a_resource_with_nothing_else(self) -> None:
        assert spliced(b'{"resourceType":"Patient"}').endswith(b'.678Z"}}')

    def test_keys_written_with_escapes_are_found(self) -> None:
        assert spliced(b'{"\\u0069d":"forged","a":1}').count(b"forged") == 0

    @given(
        st.lists(st.tuples(text, values, space), unique_by=lambda each: each[0]),
        st.permutations(["resourceType", "id", "meta"]),
    )
    def test_every_other_member_survives_byte_for_byte(self, members: list, placed: list) -> None:
        rest = [(key, value, gap) for key, value, gap in members if key not in {"resourceType", "id", "meta"}]
        mixed = rest + [(key, {} if key == "meta" else "x", " ") for key in placed]
        mixed.sort(key=lambda each: each[0][::-1])
        written = [
            gap + json.dumps(key).decode() + gap + ":" + json.dumps(value).decode() + gap for key, value, gap in mixed
        ]
        body = "{" + ",".join(written) + "}"
        stored = spliced(body.encode()).decode()
        kept = [
            part for part, (key, _, _) in zip(written, mixed, strict=True) if key not in {"resourceType", "id", "meta"}
        ]
        assert stored.endswith(",".join(["", *kept]) + "}")
        assert json.loads(stored.encode()) | {"meta": 0} == {
            "resourceType": "Patient", "id": "p1", "meta": 0, **{key: value for key, value, _ in rest}
        }  # fmt: skip

    def test_forged_parts_of_meta_are_gone_and_honest_ones_stay(self) -> None:
        confidentiality = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
        sent = {
            "versionId": "999",
            "lastUpdated": "1999-01-01T00:00:00Z",
            "_lastUpdated": {"id": "x"},
            "profile": ["http://example.org/p"],
            "source": "urn:lis",
            "tag": [{"system": "urn:emr:tenant", "code": "hospital-b"}, {"system": "http://a", "code": "b"}],
            "security": [{"system": confidentiality, "code": "U"}, {"system": confidentiality, "code": "R"}],
        }
        assert json.server_meta(sent, version=3, last_updated=NOW) == {
            "versionId": "3",
            "lastUpdated": "2026-11-22T03:04:05.678Z",
            "profile": ["http://example.org/p"],
            "source": "urn:lis",
            "tag": [{"system": "http://a", "code": "b"}],
            "security": [{"system": confidentiality, "code": "R"}],
        }

    def test_a_list_of_forged_tags_leaves_no_empty_list(self) -> None:
        sent = {"tag": [{"system": "urn:emr:tenant", "code": "hospital-b"}]}
        assert "tag" not in json.server_meta(sent, version=1, last_updated=NOW)

    @pytest.mark.parametrize("sent", [None, [], "x", 3, {"tag": "x"}, {"tag": [None, 3]}, {"security": {}}])
    def test_a_meta_of_the_wrong_shape_raises_nothing(self, sent: object) -> None:
        assert json.server_meta(sent, version=1, last_updated=NOW)["versionId"] == "1"


class TestInstant:
    def test_utc_with_milliseconds(self) -> None:
        there = datetime(2026, 1, 2, 7, 0, tzinfo=timezone(timedelta(hours=7)))
        assert json.instant(there) == "2026-01-02T00:00:00.000Z"

    def test_microseconds_are_kept_when_there_are_any(self) -> None:
        assert json.instant(NOW.replace(microsecond=1)) == "2026-11-22T03:04:05.000001Z"
