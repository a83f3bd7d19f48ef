"""How many requests a group of audit rows waits for."""

import pytest

from emr.audit.company import Company


def after(together: int, waiting: int = 0) -> Company:
    """The state in which a group has just been written, at second 100."""
    company = Company(0.05)
    company.wrote(together, waiting, 100.0)
    return company


class TestExpected:
    @pytest.mark.parametrize(("together", "waiting", "expected"), [(1, 5, 0), (2, 0, 2), (3, 5, 8), (40, 9, 16)])
    def test_as_many_as_took_part_and_came_meanwhile(self, together: int, waiting: int, expected: int) -> None:
        assert after(together, waiting).expected == expected


class TestWorthAWait:
    def test_nobody_is_expected_by_the_first(self) -> None:
        assert not Company(0.05).worth_a_wait(1, 0.01)

    def test_while_fewer_have_come(self) -> None:
        assert after(8).worth_a_wait(7, 100.01)

    def test_not_when_all_have(self) -> None:
        assert not after(8).worth_a_wait(8, 100.01)

    def test_not_long_after_the_others(self) -> None:
        assert not after(8).worth_a_wait(1, 100.06)


class TestInVain:
    def test_each_wait_in_vain_is_followed_by_twice_as_many_groups_that_do_not_wait(self) -> None:
        company = after(8)
        waits = []
        for _ in range(40):
            waits.append(company.worth_a_wait(2, 100.01))
            if waits[-1]:
                company.waited(2)
        assert [place for place, waited in enumerate(waits) if waited] == [0, 2, 5, 10, 19, 36]

    def test_one_that_was_not_is_followed_by_the_next(self) -> None:
        company = after(8)
        company.waited(2)
        assert not company.worth_a_wait(2, 100.01)
        company.waited(8)
        assert company.worth_a_wait(2, 100.01)
