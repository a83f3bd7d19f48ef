"""Groups of observations and the last of each (observation-operation-lastn.html)."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emr.records.lastn import Fitting, choose, connected


def at(day: int | None, pk: int, subject: int = 1) -> Fitting:
    return Fitting(pk, None if day is None else datetime(2026, 1, day, tzinfo=UTC), subject)


def parts(groups: dict[int, object]) -> set[frozenset[int]]:
    return {frozenset(pk for pk in groups if groups[pk] == group) for group in groups.values()}


class TestConnected:
    @pytest.mark.parametrize(
        ("codes", "wanted"),
        [
            ({1: ["a"], 2: ["b"], 3: ["c"]}, {frozenset({1}), frozenset({2}), frozenset({3})}),
            ({1: ["a"], 2: ["b"], 3: ["a", "c"]}, {frozenset({1, 3}), frozenset({2})}),
            ({1: ["a"], 2: ["b"], 3: ["a", "b"]}, {frozenset({1, 2, 3})}),
        ],
    )
    def test_the_table_of_the_definition(self, codes: dict[int, list[object]], wanted: set[frozenset[int]]) -> None:
        assert parts(connected(codes)) == wanted

    @given(st.dictionaries(st.integers(1, 12), st.lists(st.sampled_from("abcdef"), min_size=1, max_size=3), min_size=1))
    def test_it_is_what_joining_one_after_the_other_gives(self, codes: dict[int, list[str]]) -> None:
        joined = [({pk}, set(own)) for pk, own in codes.items()]
        changed = True
        while changed:
            changed = False
            for one in joined:
                for other in joined:
                    if one is not other and one[1] & other[1]:
                        one[0].update(other[0])
                        one[1].update(other[1])
                        joined.remove(other)
                        changed = True
                        break
        assert parts(connected(codes)) == {frozenset(pks) for pks, _ in joined}


class TestChoose:
    def test_the_most_recent_of_each_group_newest_first(self) -> None:
        fitting = [at(1, 10), at(3, 11), at(2, 12), at(5, 13)]
        groups = {10: "a", 11: "a", 12: "b", 13: "a"}
        assert [each.pk for each in choose(fitting, groups, 2)] == [13, 11, 12]

    def test_a_tie_brings_both(self) -> None:
        fitting = [at(1, 10), at(2, 11), at(2, 12), at(3, 13)]
        assert [each.pk for each in choose(fitting, dict.fromkeys(range(10, 14), "a"), 2)] == [13, 12, 11]

    def test_one_without_a_time_comes_last_and_ties_with_nothing(self) -> None:
        fitting = [at(None, 10), at(None, 11), at(1, 12)]
        assert [each.pk for each in choose(fitting, dict.fromkeys(range(10, 13), "a"), 2)] == [12, 11]

    def test_each_subject_has_groups_of_its_own(self) -> None:
        fitting = [at(1, 10, subject=1), at(2, 11, subject=2)]
        assert [each.pk for each in choose(fitting, {10: "a", 11: "a"}, 1)] == [11, 10]
