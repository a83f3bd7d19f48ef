"""A store that hangs is left alone, and asked again one call at a time."""

import pytest

from emr.storage.breaker import LATE_CALLS, PAUSE_SECONDS, Breaker
from emr.storage.errors import StoreUnavailable


class Watch:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def hanging(watch: Watch) -> Breaker:
    breaker = Breaker(watch)
    for _ in range(LATE_CALLS):
        breaker.enter()
        breaker.late()
    return breaker


class TestEnter:
    def test_a_call_or_two_that_are_late_change_nothing(self) -> None:
        breaker = Breaker(Watch())
        for _ in range(LATE_CALLS - 1):
            breaker.late()
        breaker.enter()

    def test_after_a_few_it_refuses_at_once(self) -> None:
        with pytest.raises(StoreUnavailable):
            hanging(Watch()).enter()

    def test_after_a_pause_one_call_may_look(self) -> None:
        watch = Watch()
        breaker = hanging(watch)
        watch.at += PAUSE_SECONDS
        breaker.enter()
        with pytest.raises(StoreUnavailable):
            breaker.enter()

    def test_an_answer_opens_it_for_everybody(self) -> None:
        watch = Watch()
        breaker = hanging(watch)
        watch.at += PAUSE_SECONDS
        breaker.enter()
        breaker.answered()
        for _ in range(5):
            breaker.enter()

    def test_a_late_answer_keeps_it_shut(self) -> None:
        watch = Watch()
        breaker = hanging(watch)
        watch.at += PAUSE_SECONDS
        breaker.enter()
        breaker.late()
        with pytest.raises(StoreUnavailable):
            breaker.enter()
