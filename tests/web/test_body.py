"""Bodies are read within their own limit and within the room that all of them have."""

import asyncio

import pytest

from emr.kernel.errors import Unavailable
from emr.web.body import Room, Share
from tests.house import House

MIB = 1 << 20


class TestRoom:
    def test_what_is_taken_is_given_back(self) -> None:
        room = Room(10)
        share = Share(room)
        share.take(4)
        share.take(6)
        share.give_back()
        assert room.taken == 0

    def test_who_comes_when_it_is_full_is_asked_to_come_again(self) -> None:
        room = Room(10)
        first, second = Share(room), Share(room)
        first.take(8)
        with pytest.raises(Unavailable):
            second.take(3)
        second.give_back()
        first.give_back()
        second.take(3)
        assert room.taken == 3

    def test_many_slow_clients_get_503_and_nothing_stays_taken(self, live: House) -> None:
        """Twenty clients announce eight MiB each and send seven: more than there is room for."""

        async def client() -> int:
            port = int(live.url.rsplit(":", 1)[1])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            head = (
                f"POST /h/hoa-sen/fhir/Patient HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {live.token()}\r\n"
                f"Content-Type: application/fhir+json\r\nContent-Length: {8 * MIB}\r\n\r\n"
            )
            writer.write(head.encode() + b" " * (7 * MIB))
            try:
                status = await asyncio.wait_for(reader.readline(), 3)
            except TimeoutError:
                status = b"HTTP/1.1 0"
            writer.close()
            return int(status.split()[1])

        async def crowd() -> list[int]:
            return await asyncio.gather(*(client() for _ in range(20)))

        answers = asyncio.run(crowd())
        assert set(answers) == {0, 503}
        assert answers.count(503) >= 11
        with live.client() as doctor:
            assert doctor.post("/Patient", json={"resourceType": "Patient"}).status_code == 201
