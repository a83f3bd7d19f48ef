"""A row as text: the same fact is always the same bytes."""

import json
from datetime import UTC, datetime, timedelta, timezone

from emr.audit.rows import AuditRow, Touched
from emr.audit.trail import Trail
from emr.identity.principal import Principal

AT = datetime(2026, 11, 22, 7, 5, 3, 25, tzinfo=timezone(timedelta(hours=7)))
WHO = Principal("sub", "Bác sĩ Đào", "doctor", "person", "t1", session_id="s1")


def row(**more: object) -> AuditRow:
    facts = {"tenant": "t_abcdefghijkl", "at": AT, "action": "note.signed", "outcome": "success", "principal": WHO,
             "request_id": "r1"} | more  # fmt: skip
    return AuditRow(**facts)  # type: ignore[arg-type]


class TestCanonical:
    def test_sorted_without_spaces_in_utc(self) -> None:
        touched = (Touched("read", "Patient", "p", 3),)
        text = row(touched=touched, patients=("p",), detail={"b": 1, "a": "ế"}).canonical()
        assert text == (
            '{"action":"note.signed","actor":{"kind":"person","name":"Bác sĩ Đào","role":"doctor","session":"s1",'
            '"subject":"sub"},"at":"2026-11-22T00:05:03.000025Z","detail":{"a":"ế","b":1},"outcome":"success",'
            '"patients":["p"],"request":"r1","touched":[["read","Patient","p",3]],"v":1}'
        )

    def test_the_order_of_detail_does_not_matter(self) -> None:
        assert row(detail={"a": 1, "b": 2}).canonical() == row(detail={"b": 2, "a": 1}).canonical()

    def test_nobody_is_null(self) -> None:
        assert json.loads(row(principal=None, at=AT.astimezone(UTC)).canonical())["actor"] is None


class TestTrail:
    def test_names_each_thing_once_and_is_empty_after_it_is_taken(self) -> None:
        trail = Trail()
        for _ in range(2):
            trail.read("Patient", "p", 1)
            trail.concerns("p", "q")
        trail.write("update", "Patient", "p", 2)
        trail.note(shown=1)
        assert trail.take() == (
            (Touched("read", "Patient", "p", 1), Touched("update", "Patient", "p", 2)), ("p", "q"), {"shown": 1},
        )  # fmt: skip
        assert trail.take() == ((), (), {})
        assert trail.wrote
