"""What is kept ready between requests, in one process, up to a weight; what was used longest ago goes first."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Values by a key that says exactly what they were made of, so that a value never has to be taken back."""

    def __init__(self, most: int) -> None:
        """`most`: the weight of all values together."""
        self._most = most
        self._values: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()
        self._weight = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> T | None:
        """The value of a key, or None."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def put(self, key: Hashable, value: T, weight: int) -> None:
        """Keep a value, unless it is heavier than everything may be."""
        with self._lock:
            if key in self._values or weight > self._most:
                return
            self._values[key] = (value, weight)
            self._weight += weight
            while self._weight > self._most:
                self._weight -= self._values.popitem(last=False)[1][1]
