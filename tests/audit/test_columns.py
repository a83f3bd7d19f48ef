"""Columns are told from what only looks like them, whether a text is compared in place or parsed."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emr.audit.columns import encoded, follow
from emr.audit.rows import AuditRow, Event, Touched, Unreadable, event_of
from emr.identity.principal import Principal

NOW = datetime(2026, 11, 22, 3, 4, 5, 678901, tzinfo=UTC)
WHO = Principal("sub", "Bác sĩ Đào", "doctor", "person", "t1", session_id="s1")
COLUMNS = ("at", "action", "actor", "patients")
Changes = dict[str, Any]


def event(*, who: Principal | None = WHO, **more: Any) -> Event:
    facts: dict[str, Any] = {"tenant": "t_abcdefghijkl", "at": NOW, "action": "record.read", "outcome": "success", "principal": who,
             "request_id": "r1", "touched": (Touched("read", "Patient", "p", 3),), "patients": ("p", "q")} | more  # fmt: skip
    return event_of(7, AuditRow(**facts).canonical())


def changed(row: Event, **columns: Any) -> Event:
    number, at, action, actor, patients, text = row
    held: dict[str, Any] = {"at": at, "action": action, "actor": actor, "patients": patients, "text": text} | columns
    return number, held["at"], held["action"], held["actor"], held["patients"], held["text"]


texts = st.text(max_size=12) | st.sampled_from(['"', "\\", '","', '"},"at":"', '],"request":"', '"subject":"x', "ế"])
people = st.none() | st.builds(
    lambda subject, name: Principal(subject, name, "doctor", "person", "t1", session_id=None), texts, texts
)
details = st.recursive(
    texts | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=5
)
rows = st.builds(
    event, who=people, action=texts, request_id=texts, patients=st.lists(texts, max_size=3).map(tuple),
    detail=st.dictionaries(texts | st.sampled_from(["patients", "request", "actor"]), details, max_size=3),
    at=st.datetimes(timezones=st.just(UTC)),
)  # fmt: skip


class TestFollow:
    @given(rows)
    def test_the_columns_of_any_row_follow(self, row: Event) -> None:
        assert follow(encoded(row))

    @given(rows, rows)
    def test_those_of_another_row_do_not(self, row: Event, other: Event) -> None:
        for place, name in enumerate(COLUMNS, 1):
            if row[place] != other[place]:
                assert not follow(encoded(changed(row, **{name: other[place]}))), name

    @pytest.mark.parametrize(
        "columns",
        [
            {"at": NOW + timedelta(microseconds=1)},
            {"action": "record"},
            {"action": 'record.read","actor":{"kind":"person'},
            {"actor": "su"},
            {"actor": "ub"},
            {"actor": 's1","subject":"sub'},
            {"patients": []},
            {"patients": ["q"]},
            {"patients": ["q", "p"]},
            {"patients": ['p","q']},
            {"patients": ["p", "q", ""]},
            {"patients": ['"],"x":["p', "q"]},
        ],
        ids=str,
    )
    def test_what_only_looks_like_them_does_not(self, columns: Changes) -> None:
        assert follow(encoded(event()))
        assert not follow(encoded(changed(event(), **columns)))

    def test_what_a_detail_says_counts_for_nothing(self) -> None:
        inner = json.loads(event(patients=("other",), who=Principal("b", "B", "nurse", "person", "t1"))[5])
        row = event(who=None, detail={"a": inner, "patients": ["other"], "request": "r"})
        assert follow(encoded(row))
        assert not follow(encoded(changed(row, actor="b")))
        assert not follow(encoded(changed(row, patients=["other"])))

    def test_escaped_texts_are_compared_as_what_they_mean(self) -> None:
        row = event(patients=('p"q',), action="a\\b")
        assert follow(encoded(row))
        assert not follow(encoded(changed(row, patients=['p\\"q'])))
        assert not follow(encoded(changed(row, action="a\\\\b")))

    def test_a_column_that_is_no_text_follows_from_nothing(self) -> None:
        number, at, action, actor, _, text = encoded(event())
        assert not follow((number, at, action, actor, [None], text))  # type: ignore[list-item]
        assert not follow((number, at, b"\xff", actor, [b"p", b"q"], text))

    @pytest.mark.parametrize("text", ["", "null", "[1]", "{}", '{"action":"record.read","actor":{', "x" * 400])
    def test_a_text_that_is_no_row_is_refused(self, text: str) -> None:
        with pytest.raises(Unreadable):
            follow(encoded(changed(event(), text=text)))

    @pytest.mark.parametrize("harm", [lambda text: text + " ", lambda text: text[:-1], lambda text: text + text])
    def test_so_is_one_that_is_cut_or_followed_by_something(self, harm: Any) -> None:
        with pytest.raises(Unreadable):
            follow(encoded(changed(event(), text=harm(event()[5]))))
