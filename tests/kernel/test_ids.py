import re
import time

from emr.kernel.ids import opaque, uuid7


class TestUuid7:
    def test_has_the_form_of_rfc_9562(self) -> None:
        form = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
        assert all(form.fullmatch(uuid7()) for _ in range(1_000))

    def test_begins_with_the_milliseconds(self) -> None:
        before = time.time_ns() // 1_000_000
        stamp = int(uuid7().replace("-", "")[:12], 16)
        assert before <= stamp <= time.time_ns() // 1_000_000

    def test_none_comes_twice_and_later_ones_sort_later(self) -> None:
        first = [uuid7() for _ in range(1_000)]
        time.sleep(0.002)
        second = [uuid7() for _ in range(1_000)]
        assert len({*first, *second}) == 2_000
        assert max(first) < min(second)


class TestOpaque:
    def test_is_as_long_as_asked_and_never_the_same(self) -> None:
        names = {opaque(12) for _ in range(1_000)}
        assert len(names) == 1_000
        assert all(re.fullmatch(r"[a-z0-9]{12}", name) for name in names)
