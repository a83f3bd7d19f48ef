"""Bodies come back byte for byte, whichever codec they were kept with."""

import threading

import zstandard

from emr.records.codec import pack, unpack

BODY = '{"resourceType":"Patient","id":"a","name":[{"text":"Nguyễn Thị Hoa"}],"birthDate":"1959-03-12"}'.encode()


class TestCodec:
    def test_a_body_comes_back_as_it_was(self) -> None:
        assert unpack(pack(BODY)) == BODY

    def test_a_body_of_before_the_dictionary_is_readable(self) -> None:
        kept = b"\x01" + zstandard.ZstdCompressor(level=3).compress(BODY)
        assert unpack(kept) == BODY

    def test_a_deletion_has_no_body(self) -> None:
        assert unpack(pack(b"")) == b""

    def test_a_small_resource_shrinks_to_less_than_half_of_plain_compression(self) -> None:
        plain = zstandard.ZstdCompressor(level=3).compress(BODY)
        assert len(pack(BODY)) < len(plain) * 0.6

    def test_many_threads_share_nothing(self) -> None:
        failed: list[int] = []

        def turn(number: int) -> None:
            body = BODY + b" " * number
            if any(unpack(pack(body)) != body for _ in range(200)):
                failed.append(number)

        threads = [threading.Thread(target=turn, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
